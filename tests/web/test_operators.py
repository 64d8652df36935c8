"""What an operator without Kafka does besides sending events: its daily count, and clean-ups of reused numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.core.model import NumberEvent, OperatorReport, Outcome, Role, Source
from hub.wire import contracts
from hub.wire.contracts import decode
from tests.broker.scene import mobile_numbers, wait_until
from tests.web.running import SOUTH, Web

pytestmark = pytest.mark.broker


def sent_by(web: Web, operator: str) -> list[int]:
    """How many events of an operator lie in each partition."""
    totals = [0] * web.scene.hub_log.partitions
    for record in web.scene.read(contracts.EVENTS):
        message = decode(record.value, NumberEvent, OperatorReport)
        totals[record.partition] += isinstance(message, NumberEvent) and message.operator == operator
    return totals


def own_row(web: Web, operator: str) -> dict[str, Any]:
    (row,) = web.get(Role.OPERATOR, "/v1/operators", subject=operator)["operators"]
    found: dict[str, Any] = row
    return found


def test_an_operator_over_http_is_not_silent(web: Web) -> None:
    """It drafts its count of a day, signs it, posts it as an event; the receipt and its row name the day."""
    day = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    draft = web.post(Role.OPERATOR, "/v1/day-reports/draft", {"day": day, "sent": sent_by(web, "north")})
    taken = web.ask(Role.OPERATOR, "POST", "/v1/events", **web.seal(draft))
    assert taken.status_code == 202, taken.text
    source = {"partition": taken.json()["partition"], "offset": taken.json()["offset"]}

    def receipt() -> list[Any]:
        page = web.get(Role.OPERATOR, "/v1/receipts?limit=1000")
        return [one["content"] for one in page["receipts"] if one["content"].get("source") == source]

    wait_until("the receipt is there", receipt)
    assert receipt()[0]["decision"] == "REPORTED"
    wait_until("its row names the day", lambda: own_row(web, "north")["last_report_day"] == day)
    assert "COUNT_MISMATCH" not in own_row(web, "north")["breaches"]
    again = web.post(Role.OPERATOR, "/v1/day-reports/draft", {"day": "1970-01-01", "sent": [7] * 12})
    assert web.ask(Role.OPERATOR, "POST", "/v1/events", **web.seal(again)).status_code == 202
    wait_until("a wrong count is seen", lambda: own_row(web, "north")["breaches"].get("COUNT_MISMATCH") == 1)


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"day": "2026-11-01", "sent": [0] * 11}, "12 partitions"),
        ({"day": "1969-12-31", "sent": [0] * 12}, "1970"),
        ({"day": "yesterday", "sent": [0] * 12}, "day"),
        ({"day": "2026-11-01", "sent": [-1] * 12}, "sent"),
    ],
)
def test_a_count_that_cannot_be_is_not_drafted(web: Web, wish: Any, named: str) -> None:
    """What does not fit the hub is refused by name before anybody signs it."""
    answer = web.ask(Role.OPERATOR, "POST", "/v1/day-reports/draft", json=wish)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]


def test_a_clean_up_over_http_and_how_it_stands(web: Web) -> None:
    """A file becomes drafts and the drafts cases; the list says pending, and cleared once both platforms answered."""
    number = mobile_numbers(3, SOUTH)[2]
    web.clean_up("south", (number, "2023-04-01T00:00:00+08:00"))
    (where,) = [where for where, one in web.scene.notices() if one.subject.value == number]

    def row() -> dict[str, Any]:
        web.archiving.caught_up()
        rows = web.get(Role.OPERATOR, "/v1/clean-ups", subject="south")["clean_ups"]
        (found,) = [one for one in rows if one["case"] == str(where)]
        return {name: found[name] for name in ("stage", "status", "unconnected")}

    assert row() == {"stage": "REASSIGNED", "status": "pending", "unconnected": 1}
    through = web.scene.ends(contracts.RELEASES)[where.partition] - 1
    for platform, outcome in (("bank", Outcome.UNBOUND), ("shop", Outcome.NOT_BOUND)):
        ack = web.scene.ack(platform, where.partition, through, {outcome: [where.offset]})
        web.scene.send([web.scene.ack_message(ack)])
    web.scene.flush()
    wait_until("both answered", lambda: row()["status"] == "cleared")
    assert row() == {"stage": "REASSIGNED", "status": "cleared", "unconnected": 1}
    assert number not in web.ask(Role.OPERATOR, "GET", "/v1/clean-ups", "south").text


def test_a_line_that_is_no_clean_up_is_named_and_the_others_are_drafted(web: Web) -> None:
    """A file is taken line by line; one that is no such file, or too long, not at all; nothing is said back."""
    good = f"{mobile_numbers(1, SOUTH)[0]},2023-04-01T00:00:00Z"
    file = f"number,bound_before\n{good}\n12345,2023-04-01T00:00:00Z\n{good.replace('Z', '')}\n"
    answer = web.ask(Role.OPERATOR, "POST", "/v1/clean-ups/draft", "south", content=file.encode())
    drafts = answer.json()["drafts"]
    assert [(one["line"], one["draft"] is not None) for one in drafts] == [(2, True), (3, False), (4, False)]
    assert [one["wrong"] for one in drafts] == [
        None,
        "not a valid number in E.164 form",
        "bound_before is not an ISO 8601 time with a zone",
    ]
    for wrong in (b"a,b\n", b"number,bound_before\n\xff", f"number,bound_before\n{(good + chr(10)) * 1_001}".encode()):
        refused = web.ask(Role.OPERATOR, "POST", "/v1/clean-ups/draft", "south", content=wrong)
        assert refused.status_code == 422
        assert refused.json()["todo"]
        assert good[:14] not in refused.text
    nobody = web.ask(Role.OPERATOR, "POST", "/v1/clean-ups/draft", "west", content=b"number,bound_before\n")
    assert nobody.json()["reason"] == "NO_OPERATOR"


def test_a_clean_up_twice_is_asked_once(web: Web) -> None:
    """Drafted again later it has the same event id: the hub opens one case, whatever became of the second."""
    number = mobile_numbers(5, SOUTH)[4]
    for _ in range(2):
        web.clean_up("south", (number, "2023-04-01T00:00:00+08:00"))
    found: list[Source] = [where for where, one in web.scene.notices() if one.subject.value == number]
    assert len(found) == 1
