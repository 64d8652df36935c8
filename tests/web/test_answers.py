"""What the API answers over a real run, and what it keeps from whom."""

from __future__ import annotations

import csv
import io
import json
import time
import uuid
from typing import Any

import pytest

from hub.core.model import (
    DAY_MS,
    ClearanceAnswer,
    EventType,
    GapClass,
    LookedUp,
    Lookup,
    LookupKind,
    Outcome,
    ReleaseReason,
    Role,
)
from hub.wire import contracts
from hub.wire.contracts import decode
from tests import plain_http
from tests.broker.asking import recounted
from tests.broker.scene import event, mobile_numbers, now_ms, wait_until
from tests.web.running import NORTH, SOUTH, SUBJECTS, Web

pytestmark = pytest.mark.broker

STAFF = (Role.REGISTRAR, Role.AUDITOR)
TOLD_S = 60.0
CLEAN, FROZEN, DECLINED = 0, 22, 27
"""Places of numbers that are clear everywhere, frozen at the bank, declined by the bank."""


def lookups(web: Web) -> list[Lookup]:
    return [decode(one.value, Lookup) for one in web.scene.read(contracts.LOOKUPS)]


def test_the_staff_sees_every_platforms_effect(web: Web) -> None:
    """Registrar and auditor see what each platform did, when it was due, and everything that happened."""
    for role in STAFF:
        (case,) = web.post(role, "/v1/cases/lookup", {"number": web.numbers[FROZEN]})["cases"]
        by_platform = {one["platform"]: one for one in case["effects"]}
        assert (by_platform["bank"]["shown"], by_platform["bank"]["gap"]) == (Outcome.FROZEN, GapClass.FROZEN)
        assert by_platform["shop"]["status"] == "cleared"
        assert by_platform["gym"]["gap"] == GapClass.NOT_CONNECTED
        assert by_platform["bank"]["first_said_at"] >= case["opened_at"]
        assert (case["cleared"], case["pending"], case["refused"], case["unconnected"]) == (1, 1, 0, ["gym"])
        kinds = [(one["kind"], one["what"]) for one in case["moments"]]
        assert ("event", "COOLING") in kinds
        assert ("notice", "RELEASED") in kinds
        assert ("effect", "FROZEN") in kinds


@pytest.mark.parametrize(("place", "status"), [(CLEAN, "cleared"), (FROZEN, "pending"), (DECLINED, "refused")])
def test_an_operator_sees_one_word_and_the_unconnected(web: Web, place: int, status: str) -> None:
    """An operator learns whether the number is done with, never which platform the old owner used."""
    answer = web.post(Role.OPERATOR, "/v1/cases/lookup", {"number": web.numbers[place]})
    (case,) = answer["cases"]
    assert case["status"] == status
    assert case["unconnected"] == ["gym"]
    assert [case[name] for name in ("effects", "cleared", "pending", "refused")] == [None] * 4
    assert {one["kind"] for one in case["moments"]} <= {"event", "notice", "receipt", "report", "dispute", "breach"}
    text = json.dumps({**case, "unconnected": []})
    assert "bank" not in text
    assert "shop" not in text


def test_a_number_that_is_not_theirs_looks_like_one_nobody_gave_up(web: Web) -> None:
    """Another operator learns nothing of a number, whether it was ever given up or not."""
    theirs = {**web.post(Role.OPERATOR, "/v1/cases/lookup", {"number": web.numbers[0]}, subject="south")}
    never = {**web.post(Role.OPERATOR, "/v1/cases/lookup", {"number": mobile_numbers(1, SOUTH)[0]}, subject="south")}
    assert theirs["cases"] == never["cases"] == []
    assert theirs.keys() == never.keys()
    case = web.cases[web.numbers[0]]
    assert web.ask(Role.OPERATOR, "GET", f"/v1/cases/{case}", "south").status_code == 404
    assert web.ask(Role.OPERATOR, "GET", "/v1/cases/11-999999", "south").status_code == 404


def test_every_question_about_a_number_is_on_record_before_the_answer(web: Web) -> None:
    """Who asked, what, when, and the answer: in topic `lookups`, and for the auditor in the archive."""
    before = len(lookups(web))
    number = web.numbers[3]
    asked = [
        web.post(Role.OPERATOR, "/v1/cases/lookup", {"number": number})["lookup_id"],
        web.post(Role.OPERATOR, "/v1/clearance", {"numbers": [number]})["lookup_id"],
        web.post(Role.REGISTRAR, "/v1/notices/new-owner", {"number": number})["lookup_id"],
        web.post(Role.OPERATOR, "/v1/notices/after-cancelling", {"number": number})["lookup_id"],
    ]
    found = {one.lookup_id.hex(): one for one in lookups(web)}
    assert len(found) == before + 4
    kinds = [LookupKind.CASE, LookupKind.CLEARANCE, LookupKind.NEW_OWNER, LookupKind.LEFTOVERS]
    assert [found[one].kind for one in asked] == kinds
    assert {found[one].asked_by for one in asked} == {"north", "registrar"}
    told = (LookedUp(number, web.cases[number], ClearanceAnswer.CLEAR),)
    assert all(found[one].numbers == told for one in asked)
    web.archiving.caught_up()
    page = web.get(Role.AUDITOR, "/v1/lookups?limit=4")
    assert {one["lookup_id"] for one in page["lookups"]} == set(asked)
    assert [one["answers"] for one in page["lookups"]] == [{"CLEAR": 1}] * 4
    assert number not in json.dumps(page)


@pytest.mark.parametrize(
    ("place", "subject", "answer"),
    [(FROZEN, "north", "BLOCKED"), (DECLINED, "north", "BLOCKED"), (FROZEN, "south", "UNKNOWN")],
)
def test_the_record_of_a_question_has_its_answer(web: Web, place: int, subject: str, answer: str) -> None:
    """What was told of a case is in the record, by number and by id; of a case that is not the asker's, nothing."""
    number = web.numbers[place]
    case = web.cases[number]
    before = {one.lookup_id for one in lookups(web)}
    by_number = web.post(Role.OPERATOR, "/v1/cases/lookup", {"number": number}, subject=subject)
    by_id = web.ask(Role.OPERATOR, "GET", f"/v1/cases/{case}", subject)
    assert (by_id.status_code == 200) == (answer != "UNKNOWN") == bool(by_number["cases"])
    new = [one for one in lookups(web) if one.lookup_id not in before]
    told = LookedUp(number, case if by_number["cases"] else None, ClearanceAnswer(answer))
    assert [(one.kind, one.asked_by, one.role, one.numbers) for one in new] == [
        (LookupKind.CASE, subject, Role.OPERATOR, (told,))
    ] * 2


def test_the_auditor_learns_who_asked_about_a_number(web: Web) -> None:
    """By number, asked by number or by the case's id, newest first; and that question is recorded as well."""
    number = web.numbers[9]
    asked = [
        web.get(Role.AUDITOR, f"/v1/cases/{web.cases[number]}", subject="ana")["lookup_id"],
        web.post(Role.OPERATOR, "/v1/clearance", {"numbers": [web.numbers[8], number]})["lookup_id"],
    ]
    other = web.post(Role.OPERATOR, "/v1/cases/lookup", {"number": web.numbers[8]})["lookup_id"]
    web.archiving.caught_up()
    page = web.post(Role.AUDITOR, "/v1/lookups/search", {"number": number})
    found = {one["lookup_id"]: one for one in page["lookups"]}
    assert [one for one in found if one in asked] == asked[::-1]
    assert other not in found
    assert [(found[one]["kind"], found[one]["asked_by"], found[one]["answers"]) for one in asked] == [
        ("CASE", "ana", {"CLEAR": 1}),
        ("CLEARANCE", "north", {"CLEAR": 2}),
    ]
    assert number not in json.dumps(page)
    last = max(lookups(web), key=lambda one: one.asked_at)
    assert (last.asked_by, last.numbers) == ("auditor", (LookedUp(number, None, None),))


def test_clearance_over_http_is_what_the_recount_says(web: Web) -> None:
    """A thousand questions' worth of policy and positions: the answers are counted again with other code."""
    answer = web.post(Role.OPERATOR, "/v1/clearance", {"numbers": [*web.numbers, *mobile_numbers(2, SOUTH)]})
    words = [one["answer"] for one in answer["answers"]]
    assert words == ["CLEAR"] * 25 + ["BLOCKED"] * 5 + ["UNKNOWN"] * 2
    assert [one["platform"] for one in answer["unconnected"]] == ["gym"]
    assert all(one["platform"] is None for each in answer["answers"] for one in each["blockers"])
    from hub.web import shapes

    assert recounted(web.scene, shapes.Clearance(**answer)).differences == []


def test_notices_follow_a_number_that_was_taken_back(web: Web) -> None:
    """Who gives a recycled number up and restores it is told so; that it had another owner before stays told."""
    number, never = mobile_numbers(60, NORTH)[57:59]
    recycled = {"reason": ReleaseReason.BACKFILL, "bound_before": now_ms() - 400 * DAY_MS}
    moves: list[tuple[EventType, dict[str, Any]]] = [(EventType.REASSIGNED, recycled)]
    for kind, fields in (*moves, (EventType.COOLING, {}), (EventType.RESTORED, {})):
        web.scene.send([web.scene.event_message(event(number, kind, **fields))])
        web.scene.flush()
        web.scene.settle(contracts.EVENTS)
    web.archiving.caught_up()
    for asked, old, new in (
        (number, "You have your number back.", "This number was used by somebody else before."),
        (never, "We have no record we could show that this number was given up.", "We have no record"),
    ):
        told = [
            web.post(Role.OPERATOR, f"/v1/notices/{one}", {"number": asked})
            for one in ("after-cancelling", "new-owner")
        ]
        assert [one["text"]["en"].startswith(text) for one, text in zip(told, (old, new), strict=True)] == [True] * 2
        assert not any(one["as_of"]["stale"] for one in told)


def test_a_case_by_its_id_is_the_case_by_its_number(web: Web) -> None:
    """Both ways lead to the same page."""
    number = web.numbers[FROZEN]
    by_number = web.post(Role.AUDITOR, "/v1/cases/lookup", {"number": number})
    by_id = web.get(Role.AUDITOR, f"/v1/cases/{web.cases[number]}")
    changing = {"moments": None, "days_to_reissue": None}
    assert [{**one, **changing} for one in by_id["cases"]] == [{**one, **changing} for one in by_number["cases"]]
    assert len(by_id["cases"]) == 1
    assert by_id["as_of"]["read_at"] > 0
    assert not by_id["as_of"]["stale"]


def test_a_platform_sees_itself_and_the_public_no_small_cells(web: Web) -> None:
    """Breakdowns under ten are left out for everybody but the staff and the platform itself."""
    whole = {one["id"]: one for one in web.get(Role.AUDITOR, "/v1/platforms")["platforms"]}
    own = {one["id"]: one for one in web.get(Role.PLATFORM, "/v1/platforms")["platforms"]}
    public = {one["id"]: one for one in web.get(Role.VIEWER, "/v1/platforms")["platforms"]}
    assert whole["bank"]["pairs"]["outcomes"] == {"NOT_BOUND": 20, "FROZEN": 5, "DECLINED": 5}
    assert own["bank"]["pairs"] == whole["bank"]["pairs"]
    assert public["bank"]["pairs"]["outcomes"] == {"NOT_BOUND": 20}
    assert public["bank"]["pairs"]["gaps"] == {}
    assert public["bank"]["bound_per_10000"] is None


@pytest.mark.parametrize("path", ["/v1/platforms", "/v1/operators", "/v1/blind-spots", "/v1/refusals"])
def test_a_table_as_csv_has_the_rows_of_the_json(web: Web, path: str) -> None:
    """The same rows and columns, whichever way they are asked for."""
    rows = next(value for value in web.get(Role.AUDITOR, path).values() if isinstance(value, list))
    text = web.ask(Role.AUDITOR, "GET", path + "?format=csv")
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    found = list(csv.DictReader(io.StringIO(text.text)))
    assert len(found) == len(rows)
    assert [one.get("id") for one in found] == [one.get("id") for one in rows]


def test_an_operator_without_kafka(web: Web) -> None:
    """It has an event drafted, signs it, posts it, and reads the receipt; a repeat is a duplicate, as on Kafka."""
    wish = {"number": mobile_numbers(40, NORTH)[35], "type": "SUSPENDED", "occurred_at": "2026-11-01T00:00:00Z"}
    draft = web.post(Role.OPERATOR, "/v1/events/draft", wish)
    first = web.ask(Role.OPERATOR, "POST", "/v1/events", **web.seal(draft))
    assert first.status_code == 202, first.text
    assert first.json()["partition"] == web.scene.home(wish["number"])
    source = {"partition": first.json()["partition"], "offset": first.json()["offset"]}

    def receipt() -> list[Any]:
        page = web.get(Role.OPERATOR, "/v1/receipts?limit=1000")
        return [one["content"] for one in page["receipts"] if one["content"].get("source") == source]

    wait_until("the receipt is there", receipt)
    assert receipt()[0]["decision"] == "NOTED"


def test_a_report_over_http_is_asked_of_the_platform(web: Web) -> None:
    """A person's word, passed on over HTTP, counts like one from Kafka."""
    wish = {
        "number": web.numbers[CLEAN + 5],
        "platform": "shop",
        "kind": "STILL_BOUND",
        "happened_at": "2026-11-01T00:00:00Z",
        "report_id": str(uuid.uuid4()),
    }
    draft = web.post(Role.OPERATOR, "/v1/reports/draft", wish)
    assert web.ask(Role.OPERATOR, "POST", "/v1/reports", **web.seal(draft)).status_code == 202

    def disputed() -> bool:
        (case,) = web.post(Role.AUDITOR, "/v1/cases/lookup", {"number": wish["number"]})["cases"]
        return any(one["platform"] == "shop" and one["gap"] == "DISPUTED" for one in case["effects"])

    wait_until("the pair is disputed", disputed)


def test_a_foreign_or_spoilt_message_is_refused_with_the_hubs_own_reason(web: Web) -> None:
    """What Kafka's side would refuse is refused here, before it is written, with what to do."""
    wish = {"number": web.numbers[0], "type": "SUSPENDED", "occurred_at": "2026-11-01T00:00:00Z"}
    good = web.seal(web.post(Role.OPERATOR, "/v1/events/draft", wish))
    before = web.scene.ends(contracts.EVENTS)
    spoilt = {"headers": good["headers"], "content": good["content"][:-1] + b"\x01"}
    foreign = web.ask(Role.OPERATOR, "POST", "/v1/events", "south", **good)
    unsigned = web.ask(Role.OPERATOR, "POST", "/v1/events", content=good["content"])
    refused = [web.ask(Role.OPERATOR, "POST", "/v1/events", **spoilt), foreign, unsigned]
    assert [one.status_code for one in refused] == [422] * 3
    assert [one.json()["reason"] for one in refused] == ["UNDECODABLE", "WRONG_OPERATOR", "BAD_SIGNATURE"]
    assert all(one.json()["todo"] for one in refused)
    assert web.scene.ends(contracts.EVENTS) == before


def test_the_page_is_told_when_something_moves(web: Web) -> None:
    """A live stream says which pages changed, soon after an event is sent."""
    headers = {"authorization": f"Bearer {web.token(Role.VIEWER, SUBJECTS[Role.VIEWER])}"}
    with plain_http.stream("GET", web.url + "/v1/live", headers=headers, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": beat"
        web.scene.send([web.scene.event_message(event(mobile_numbers(50, NORTH)[45], EventType.COOLING))])
        web.scene.flush()
        said: set[str] = set()
        until = time.monotonic() + TOLD_S
        for line in lines:
            if line.startswith("data:"):
                said |= set(json.loads(line.removeprefix("data:"))["what"])
            if {"overview", "operators"} <= said or time.monotonic() > until:
                break
    assert {"overview", "operators"} <= said


def test_metrics_name_routes_and_no_number(web: Web) -> None:
    """What Prometheus reads counts requests by route as written."""
    web.post(Role.AUDITOR, "/v1/cases/lookup", {"number": web.numbers[0]})
    text = plain_http.get(web.metrics_url, timeout=10).text
    assert 'hub_web_requests_total{route="/v1/cases/lookup",status="200"}' in text
    assert web.numbers[0].removeprefix("+86") not in text
