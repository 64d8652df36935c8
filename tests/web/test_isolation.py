"""What an operator or a platform sees of what happened: its own, and nothing of anybody else's, whatever the id."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.model import EventType, Outcome, PlatformState, Role
from hub.wire import contracts
from tests.broker.scene import event, mobile_numbers, wait_until
from tests.web.running import NORTH, SOUTH, Web

pytestmark = pytest.mark.broker

OWN = ("/v1/refusals", "/v1/receipts", "/v1/clean-ups")


def rows(web: Web, role: Role, path: str, subject: str) -> list[Any]:
    return next(value for value in web.get(role, path, subject=subject).values() if isinstance(value, list))


@pytest.fixture(scope="module")
def lived(web: Web) -> Web:
    """Either operator had an event refused and cleaned a number up; a platform bears the id of an operator."""
    scene = web.scene
    scene.put_platforms(scene.platform("north", state=PlatformState.EXEMPT, keys=(scene.key("north-app-1"),)))
    for operator, prefix in (("north", NORTH), ("south", SOUTH)):
        taken, cleaned = mobile_numbers(80, prefix)[78:]
        scene.send([scene.event_message(event(taken, EventType.RELEASED, operator))])
        web.clean_up(operator, (cleaned, "2023-04-01T00:00:00Z"))
    beyond = scene.ack("north", 0, 10**6, {Outcome.NOT_BOUND: [10**6]})
    scene.send([scene.ack_message(beyond, scene.signer("north-app-1"))])
    scene.flush()
    wait_until("the ack is refused", lambda: any(topic == contracts.ACKS for topic, _ in scene.rejected()))
    web.archiving.caught_up()
    return web


@pytest.mark.parametrize("path", OWN)
def test_an_operator_sees_its_own_rows_and_no_other(lived: Web, path: str) -> None:
    """Refusals, receipts and clean-ups: each has some, and none is in both lists."""
    north, south = (rows(lived, Role.OPERATOR, path, one) for one in ("north", "south"))
    assert north
    assert south
    if path == "/v1/receipts":
        texts = [
            {str(one["content"]["source"]) for one in found if "source" in one["content"]} for found in (north, south)
        ]
    else:
        texts = [{one.get("source") or one.get("case") for one in found} for found in (north, south)]
    assert texts[0].isdisjoint(texts[1])


def test_a_case_elsewhere_is_told_by_nothing(lived: Web) -> None:
    """An event for another operator's live case is refused as one for no case: in receipt, list and count."""
    web = lived
    before = rows(web, Role.OPERATOR, "/v1/refusals", "south")
    (never,) = mobile_numbers(90, SOUTH)[89:]
    for number in (web.numbers[0], never):
        web.scene.send([web.scene.event_message(event(number, EventType.REASSIGNED, "south", ported=True))])
    web.scene.flush()
    web.scene.settle(contracts.EVENTS)
    web.archiving.caught_up()
    fresh = [one for one in rows(web, Role.OPERATOR, "/v1/refusals", "south") if one not in before]
    assert [one["reason"] for one in fresh] == ["OUT_OF_ORDER"] * 2
    assert fresh[0]["todo"] == fresh[1]["todo"]
    reasons = {one["source"]: one["reason"] for one in rows(web, Role.AUDITOR, "/v1/refusals", "ana")}
    assert sorted(reasons[one["source"]] for one in fresh) == ["NOT_YOUR_CASE", "OUT_OF_ORDER"]

    def counted() -> bool:
        (row,) = (one for one in rows(web, Role.AUDITOR, "/v1/operators", "ana") if one["id"] == "south")
        return "NOT_YOUR_CASE" in row["rejected"]

    wait_until("the board has the dead letter", counted)
    (own,) = rows(web, Role.OPERATOR, "/v1/operators", "south")
    assert "NOT_YOUR_CASE" not in own["rejected"]


def test_the_range_holder_sees_a_ported_number_s_case_by_number_and_by_id(lived: Web) -> None:
    """A case of another operator about a number of one's own range is shown either way; to others neither way."""
    (ported,) = mobile_numbers(91, NORTH)[90:]
    lived.scene.send([lived.scene.event_message(event(ported, EventType.COOLING, "south", ported=True))])
    lived.scene.settle(contracts.EVENTS)
    lived.archiving.caught_up()
    for asker in ("north", "south"):
        (case,) = lived.post(Role.OPERATOR, "/v1/cases/lookup", {"number": ported}, subject=asker)["cases"]
        (again,) = lived.get(Role.OPERATOR, f"/v1/cases/{case['id']}", subject=asker)["cases"]
        assert again == case
    other = lived.ask(Role.OPERATOR, "GET", f"/v1/cases/{case['id']}", "west")
    assert other.status_code == 404


def test_breaches_are_ones_own(lived: Web) -> None:
    """North has broken duties; south is told of no such operator, in the words of one that is not there."""
    assert rows(lived, Role.OPERATOR, "/v1/operators/north/breaches", "north")
    other = lived.ask(Role.OPERATOR, "GET", "/v1/operators/north/breaches", "south")
    never = lived.ask(Role.OPERATOR, "GET", "/v1/operators/west/breaches", "south")
    assert (other.status_code, other.json()) == (404, never.json())
    assert [one["id"] for one in rows(lived, Role.OPERATOR, "/v1/operators", "south")] == ["south"]


def test_an_operator_and_a_platform_of_one_id_do_not_share_refusals(lived: Web) -> None:
    """Each sees what it wrote itself, though both are called north."""
    operator, platform = (rows(lived, role, "/v1/refusals", "north") for role in (Role.OPERATOR, Role.PLATFORM))
    assert {one["topic"] for one in operator} == {contracts.EVENTS}
    assert {one["topic"] for one in platform} == {contracts.ACKS}
    assert {one["reason"] for one in platform} == {"BEYOND_LOG"}
    assert rows(lived, Role.PLATFORM, "/v1/refusals", "bank") == []
