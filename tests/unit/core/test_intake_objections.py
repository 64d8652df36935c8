"""Whose number it is, is never the claimant's word alone: openings that wait, objections, and locks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.held import HELD_SOURCE_HEADER
from hub.core.limits import OBJECTION_MS, with_limit
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Decision,
    EventType,
    HeldRelease,
    HeldVerdict,
    HeldWhy,
    Limit,
    NumberEvent,
    Refusal,
    Stage,
)
from hub.sdk.operators.rehearsal import Rehearsal
from tests.unit.intake_driver import FOREIGN, LAKE, NORTH, NOW, RESTORED, A, C, N, RuledHub, Said, W, numbers_at_home

ROGUE = LAKE._replace(limit_daily=None)
"""Its ranges are +86155; NORTH's are +86135, and FOREIGN are numbers of these."""
NUMBER, OTHER = FOREIGN[:2]


class Hub(RuledHub):
    """A hub with both operators."""

    def __init__(self, *, authority: bool = True) -> None:
        super().__init__(ROGUE, NORTH, authority=authority)

    def stage(self, number: str) -> Stage | None:
        """The stage of a number's last case."""
        case = self.rehearsal.known.case_of(number)
        return None if case is None else case.stage


def test_nobody_hands_over_anothers_number_by_its_own_word() -> None:
    """A TRANSFER or BACKFILL of a number of another operator's range waits; one of the sender's own does not."""
    hub = Hub()
    assert hub.hand_over("lake", NUMBER) is HeldWhy.UNCONFIRMED
    assert hub.stage(NUMBER) is None
    assert hub.hand_over("lake", N[0]) is Decision.ACCEPTED
    assert hub.hand_over("north", OTHER) is Decision.ACCEPTED


@pytest.mark.parametrize("kind", [EventType.RELEASE_SCHEDULED, EventType.RELEASED])
def test_a_claimed_number_is_frozen_at_most_while_its_operator_may_object(kind: EventType) -> None:
    """What would have platforms unbind waits for two weeks from the opener; of the sender's own numbers it does not."""
    hub = Hub()
    hub.send("lake", NUMBER, C)
    assert hub.send("lake", NUMBER, kind, NOW + OBJECTION_MS - 1) is HeldWhy.UNCONFIRMED
    later = Hub()
    later.send("lake", NUMBER, C)
    assert later.send("lake", NUMBER, kind, NOW + OBJECTION_MS) is Decision.ACCEPTED
    own = Hub()
    own.send("north", NUMBER, C)
    assert own.send("north", NUMBER, kind, NOW + 1) is Decision.ACCEPTED


def test_a_range_of_nobody_on_the_roster_cannot_be_asked() -> None:
    """Where no operator of the roster has the range, a handover of a ported number passes, within its limits."""
    hub = Hub()
    hub.rehearsal = Rehearsal([ROGUE], authority=True)
    assert hub.hand_over("lake", NUMBER) is Decision.ACCEPTED


def test_a_person_may_let_a_handover_through() -> None:
    """Once a person has released it, it is accepted as any other."""
    hub = Hub()
    assert hub.hand_over("lake", NUMBER) is HeldWhy.UNCONFIRMED
    source = hub.sent.source
    hub.rehearsal.held.judge(HeldRelease("lake", (source,), HeldVerdict.RELEASED, "Li", NOW, "the customer was asked"))
    assert isinstance(hub.sent.content, NumberEvent)
    copy = hub.rehearsal.arrive(hub.sent.content, NOW + DAY_MS)
    record = copy.record._replace(headers=((HELD_SOURCE_HEADER, str(source).encode()),))
    heard = hub.rehearsal.hear([copy._replace(record=record, held=hub.rehearsal.held.copy_of(record))])
    assert [one.decision for one in heard.receipts] == [Decision.ACCEPTED]
    assert hub.stage(NUMBER) is Stage.REASSIGNED


def test_the_ranges_operator_is_never_locked_out() -> None:
    """A stranger's COOLING freezes at once; the range's operator restores its number at once, at any time."""
    hub = Hub()
    assert hub.send("lake", NUMBER, C, occurred_at=NOW + HOUR_MS) is Decision.ACCEPTED
    assert hub.send("north", NUMBER, C) is Refusal.NOT_YOUR_CASE
    assert hub.send("north", NUMBER, RESTORED) is Decision.ACCEPTED
    assert hub.stage(NUMBER) is Stage.RESTORED


def test_an_objection_withdraws_at_once_and_locks() -> None:
    """The range's operator names the other's event; after that nothing the other opens of this number passes."""
    hub = Hub()
    assert hub.send("lake", NUMBER, C) is Decision.ACCEPTED
    assert hub.send("north", NUMBER, W, supersedes=hub.last) is Decision.ACCEPTED
    assert hub.stage(NUMBER) is Stage.WITHDRAWN
    assert hub.send("lake", NUMBER, C, NOW + DAY_MS) is HeldWhy.LOCKED
    assert hub.hand_over("lake", OTHER) is HeldWhy.UNCONFIRMED
    assert hub.send("lake", OTHER, C) is HeldWhy.BEHIND


def test_the_ranges_operator_lifts_its_lock_by_a_case_of_its_own() -> None:
    """Once it has given the number up itself, another operator may open the next case."""
    hub = Hub()
    hub.send("lake", NUMBER, C)
    hub.send("north", NUMBER, RESTORED)
    for kind in (C, RESTORED):
        assert hub.send("north", NUMBER, kind, NOW + DAY_MS) is Decision.ACCEPTED
    assert hub.send("lake", NUMBER, C, NOW + 2 * DAY_MS) is Decision.ACCEPTED


@pytest.mark.parametrize(("late_ms", "said"), [(0, Decision.ACCEPTED), (1, Refusal.NOT_YOUR_CASE)])
def test_an_objection_counts_for_two_weeks(late_ms: int, said: Said) -> None:
    """After 14 days a case is its operator's; its number may be restored by the range's operator all the same."""
    hub = Hub()
    hub.send("lake", NUMBER, C)
    assert hub.send("north", NUMBER, W, NOW + OBJECTION_MS + late_ms, supersedes=hub.last) is said
    if said is not Decision.ACCEPTED:
        assert hub.send("north", NUMBER, RESTORED, NOW + OBJECTION_MS + late_ms) is Decision.ACCEPTED


def test_an_objection_is_of_ones_own_range_and_names_an_event_of_the_case() -> None:
    """Whoever does not have the range, or names what is not of the case, is refused as before."""
    hub = Hub()
    assert hub.send("north", OTHER, C) is Decision.ACCEPTED
    theirs = hub.last
    assert hub.send("lake", OTHER, W, supersedes=theirs) is Refusal.NOT_YOUR_CASE
    assert hub.send("lake", OTHER, RESTORED) is Refusal.NOT_YOUR_CASE
    assert hub.send("lake", NUMBER, C) is Decision.ACCEPTED
    assert hub.send("north", NUMBER, W, supersedes=theirs) is Refusal.NOT_YOUR_CASE
    assert hub.send("north", NUMBER, W) is Refusal.MISSING_FIELD


def test_objections_have_no_limit_and_take_none() -> None:
    """An operator objects to every claim on its numbers at once, whatever its own limit of undoings is."""
    hub = Hub()
    free = with_limit(ROGUE, Limit.PORTED, None, by="Li", reason="a test", at=0)
    hub.rehearsal.know(free)
    hub.rehearsal.know(with_limit(NORTH, Limit.UNDOINGS, 0, by="", reason="", at=0))
    claimed = numbers_at_home("+86135", 100)
    ids = []
    for number in claimed:
        assert hub.send("lake", number, C) is Decision.ACCEPTED
        ids.append(hub.last)
    told = {hub.send("north", number, W, supersedes=one) for number, one in zip(claimed, ids, strict=True)}
    assert told == {Decision.ACCEPTED}
    assert hub.rehearsal.known.days.published("north", NOW // DAY_MS).undoings == 0


def test_without_authority_everything_is_as_before() -> None:
    """In a hub of before a handover of a ported number passes, and the range's operator is locked out."""
    hub = Hub(authority=False)
    assert hub.hand_over("lake", NUMBER) is Decision.ACCEPTED
    hub.send("lake", OTHER, C)
    assert hub.send("north", OTHER, RESTORED) is Refusal.NOT_YOUR_CASE


MOVES = st.tuples(st.sampled_from(["lake", "north"]), st.sampled_from([C, RESTORED, W, A]), st.integers(0, 40))


@given(st.lists(MOVES, max_size=30))
def test_whoever_has_the_range_can_always_end_a_strangers_case(wishes: list[tuple[str, EventType, int]]) -> None:
    """Whatever was sent in any order: the range's operator can at once restore what a stranger has opened."""
    hub = Hub()
    day = 0
    for operator, kind, days in sorted(wishes, key=lambda one: one[2]):
        day = days
        last = hub.rehearsal.known.case_of(NUMBER)
        if kind is A:
            said = hub.hand_over(operator, NUMBER, NOW + days * DAY_MS)
            assert operator == "north" or said is not Decision.ACCEPTED
        else:
            named = last.event_ids[0] if last is not None else bytes(16)
            hub.send(operator, NUMBER, kind, NOW + days * DAY_MS, **({"supersedes": named} if kind is W else {}))
    case = hub.rehearsal.known.case_of(NUMBER)
    if case is not None and case.live and case.operator == "lake":
        assert hub.send("north", NUMBER, RESTORED, NOW + day * DAY_MS) is Decision.ACCEPTED
        assert hub.send("lake", NUMBER, C, NOW + (day + 1) * DAY_MS) in {HeldWhy.LOCKED, HeldWhy.BEHIND}
