"""One valid key used to the full: on a real hub with its defaults it does no lasting harm, and locks nobody out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from hub.core.limits import DEFAULTS, burst
from hub.core.model import (
    DAY_MS,
    Decision,
    EventType,
    HeldDecided,
    HeldEvent,
    HeldRelease,
    HeldWhy,
    Limit,
    NumberEvent,
    PortedNotice,
    Receipt,
    Refusal,
    ReleaseReason,
    Stage,
)
from hub.wire import contracts
from hub.wire.contracts import decode, receipts_topic
from tests.broker import scene as scenes
from tests.broker.scene import Scene, event, mobile_numbers, now_ms
from tests.broker.test_held import send

pytestmark = pytest.mark.broker

ROGUE = "rogue"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A hub as `up` makes it, with an operator whose numbers are claimed and one whose key does so."""
    with scenes.running(tmp_path_factory.mktemp("hub"), authority=True) as one:
        one.put_operator("north", "+86135")
        one.put_operator(ROGUE, "+86159")
        yield one


def why_held(scene: Scene) -> Counter[HeldWhy]:
    """Why the rogue's events wait."""
    found = [decode(one.value, HeldEvent, HeldRelease, HeldDecided) for one in scene.read(contracts.HELD)]
    return Counter(one.why for one in found if isinstance(one, HeldEvent) and one.operator == ROGUE)


def claim(number: str, kind: EventType, **fields: object) -> NumberEvent:
    """An event by the rogue about a number that is not its own."""
    return event(number, kind, ROGUE, ported=True, **fields)


def told(scene: Scene) -> dict[str, PortedNotice]:
    """What `north` was told of others' cases of its numbers, by number."""
    found = [decode(one.value, Receipt, PortedNotice) for one in scene.read(receipts_topic("north"))]
    return {one.number: one for one in found if isinstance(one, PortedNotice)}


def test_transfers_of_anothers_numbers_unbind_nobody(scene: Scene) -> None:
    """600 TRANSFERs of living numbers of `north`: none is published, each waits, and `north` hears of each."""
    numbers = mobile_numbers(600, "+8613501")
    at = now_ms()
    handed = [
        claim(one, EventType.REASSIGNED, reason=ReleaseReason.TRANSFER, bound_before=at, occurred_at=at)
        for one in numbers
    ]
    assert Counter(one.decision for one in send(scene, *handed)) == {Decision.HELD: 600}
    assert why_held(scene) == {HeldWhy.UNCONFIRMED: 600}
    assert not [one for _, one in scene.notices() if one.operator == ROGUE]
    assert told(scene).keys() >= set(numbers)


def test_a_claimed_number_is_its_operators_at_once(scene: Scene) -> None:
    """The rogue's COOLINGs freeze a burst at most; `north` undoes each by what it was told, which locks the number."""
    numbers = mobile_numbers(60, "+8613502")
    opened = send(scene, *(claim(one, EventType.COOLING) for one in numbers))
    frozen = [one for one in opened if one.decision is Decision.ACCEPTED]
    assert 0 < len(frozen) <= 2 * burst(DEFAULTS[Limit.PORTED])  # an hour may end in between
    notices = {one.subject.value: one for _, one in scene.notices() if one.operator == ROGUE}
    heard = told(scene)
    objections = [
        event(number, EventType.WITHDRAWN, supersedes=heard[number].event_id)
        if place % 2
        else event(number, EventType.RESTORED)
        for place, number in enumerate(sorted(notices))
    ]
    assert {one.decision for one in send(scene, *objections)} == {Decision.ACCEPTED}
    stages = {one.subject.value: one.stage for _, one in scene.notices() if one.subject.value in notices}
    assert set(stages.values()) == {Stage.WITHDRAWN, Stage.RESTORED}
    again = send(scene, *(claim(one, EventType.COOLING) for one in sorted(notices)[:5]))
    assert {one.decision for one in again} == {Decision.HELD}
    assert why_held(scene)[HeldWhy.LOCKED] == 5
    assert {one.decision for one in send(scene, *(event(one, EventType.COOLING) for one in sorted(notices)[:5]))} == {
        Decision.ACCEPTED
    }


def test_undoing_what_is_finished_has_a_limit(scene: Scene) -> None:
    """Of its own finished cases a key undoes a burst at most; the strangers who hold the others keep their numbers."""
    numbers = mobile_numbers(40, "+8615903")
    ended = now_ms() - 80 * DAY_MS
    life = (EventType.COOLING, EventType.RELEASED, EventType.REASSIGNED)
    openers: dict[str, NumberEvent] = {}
    for place, kind in enumerate(life):
        times = {"cooling_until": ended + DAY_MS, "reissue_not_before": ended + DAY_MS} if place == 0 else {}
        made = [event(one, kind, ROGUE, occurred_at=ended + place * 2 * DAY_MS, **times) for one in numbers]
        assert {one.decision for one in send(scene, *made)} == {Decision.ACCEPTED}
        openers |= {one.number: one for one in made} if place == 0 else {}
    undone = [event(one, EventType.WITHDRAWN, ROGUE, supersedes=openers[one].event_id) for one in numbers]
    decided = Counter(one.decision for one in send(scene, *undone))
    assert decided == {Decision.HELD: 40}, "all were reassigned more than 30 days ago"
    assert why_held(scene)[HeldWhy.LATE_UNDOING] == 40


def test_a_case_that_names_bindings_of_1970_is_refused(scene: Scene) -> None:
    """With `bound_before` in 1970 no platform would unbind anybody, and the number would be cleared."""
    (number,) = mobile_numbers(1, "+8615904")
    (said,) = send(scene, event(number, EventType.COOLING, ROGUE, bound_before=0))
    assert (said.decision, said.reason) == (Decision.REFUSED, Refusal.BAD_TIME)
