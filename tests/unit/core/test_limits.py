"""Limits: what an operator may do before a person looks, and what never waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core import limits
from hub.core.limits import DEFAULTS, FEW, Published, burst, capacity, in_force, lifted, trips, with_limit
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Decision,
    EventType,
    HeldWhy,
    Limit,
    LimitSet,
    Names,
    Operator,
)
from hub.errors import HubError
from tests.unit.intake_driver import HOME, NOW, A, C, R, RuledHub, S, W, numbers_at_home

LAKE = Operator("lake", Names("湖", "Lake"), ("+86155",))
SMALL = {Limit.NOTICES: 8, Limit.PORTED: 4, Limit.HANDOVERS: 4, Limit.UNDOINGS: 4}
OURS, THEIRS = numbers_at_home("+86155", 1_300), numbers_at_home("+86135", 10)
NOON = NOW // DAY_MS * DAY_MS + 12 * HOUR_MS
IN_COOLING = (C,)
TO_RELEASED = (C, S, R)
TO_REASSIGNED = (C, S, R, A)


def limited(**most: int | None) -> Operator:
    """An operator with small limits, but for some."""
    given_ = SMALL | {Limit(name): one for name, one in most.items()}
    return LAKE._replace(limits=tuple(LimitSet(limit, one, "Li", "a test", 0) for limit, one in given_.items()))


class Hub(RuledHub):
    """A hub with one operator, at noon."""

    def __init__(self, operator: Operator, *, authority: bool = True) -> None:
        super().__init__(operator, authority=authority, now=NOON)

    def take(self, number: str, path: tuple[EventType, ...], at: int) -> bytes:
        """Bring a number to a stage, on a quiet day; return the opener's id."""
        opener = (self.nth + 1).to_bytes(16)
        for place, kind in enumerate(path):
            assert self.send("lake", number, kind, at + place) is Decision.ACCEPTED
        return opener


def test_one_hour_brings_a_quarter_of_the_day() -> None:
    """With 8 notices a day two go out in an hour, and two more in the next; the ninth of a day waits for the day."""
    hub = Hub(limited())
    told = [hub.send("lake", OURS[place], C, NOON + place // 3 * HOUR_MS) for place in range(13)]
    an_hour = [Decision.ACCEPTED, Decision.ACCEPTED, HeldWhy.BURST]
    assert told == [*an_hour * 3, *an_hour[:2], HeldWhy.DAILY_LIMIT, HeldWhy.DAILY_LIMIT]


def test_each_limit_counts_its_own() -> None:
    """Numbers outside the ranges and openings at REASSIGNED have limits of their own, beside that of all notices."""
    hub = Hub(limited(NOTICES=None))
    assert [hub.send("lake", THEIRS[0], C), hub.send("lake", THEIRS[1], C)] == [Decision.ACCEPTED, HeldWhy.BURST]
    assert [hub.hand_over("lake", OURS[0]), hub.hand_over("lake", OURS[1])] == [Decision.ACCEPTED, HeldWhy.BURST]
    later = [hub.hand_over("lake", OURS[place], NOON + place * HOUR_MS) for place in range(2, 6)]
    assert later == [*[Decision.ACCEPTED] * 3, HeldWhy.HANDOVER_LIMIT]
    assert hub.send("lake", THEIRS[2], C, NOON + HOUR_MS) is Decision.ACCEPTED


def test_what_lifts_a_freeze_never_waits() -> None:
    """RESTORED, and WITHDRAWN of a case in cooling or scheduled, pass when nothing else does, also in quarantine."""
    hub = Hub(limited(UNDOINGS=0))
    opened = [
        (number, hub.take(number, path, NOON - DAY_MS + place * HOUR_MS))
        for place, (number, path) in enumerate(((OURS[0], (C,)), (OURS[1], (C,)), (OURS[2], (C, S))))
    ]
    assert [hub.send("lake", OURS[9 + place], C) for place in range(3)][-1] is HeldWhy.BURST
    assert hub.send("lake", OURS[0], EventType.RESTORED) is Decision.ACCEPTED
    assert [hub.send("lake", number, W, supersedes=opener) for number, opener in opened[1:]] == [Decision.ACCEPTED] * 2


@pytest.mark.parametrize("path", [TO_RELEASED, TO_REASSIGNED])
def test_an_undoing_of_what_was_released_has_a_limit(path: tuple[EventType, ...]) -> None:
    """Withdrawing cases that were RELEASED or REASSIGNED is limited: a stranger may hold the number by now."""
    hub = Hub(limited(NOTICES=None))
    opened = [(OURS[one], hub.take(OURS[one], path, NOON - DAY_MS)) for one in range(2)]
    told = [hub.send("lake", number, W, supersedes=opener) for number, opener in opened]
    assert told == [Decision.ACCEPTED, HeldWhy.BURST]


def test_a_late_undoing_always_waits() -> None:
    """A case that was REASSIGNED more than 30 days ago is undone by a person only, however far the limits are."""
    days = limits.LATE_UNDOING_MS
    hub = Hub(limited(NOTICES=None, UNDOINGS=None))
    at = hub.take(OURS[0], TO_REASSIGNED, NOON - days - 3), hub.take(OURS[1], TO_REASSIGNED, NOON - days - 4)
    assert hub.send("lake", OURS[0], W, supersedes=at[0]) is Decision.ACCEPTED
    assert hub.send("lake", OURS[1], W, supersedes=at[1]) is HeldWhy.LATE_UNDOING


def test_an_operator_far_beyond_its_usual_day_is_stopped_whole() -> None:
    """After 500 notices where there were none before, all waits: its ranges' numbers too, also the day after."""
    hub = Hub(limited(NOTICES=None, PORTED=None, HANDOVERS=None))
    assert {hub.send("lake", number, C, NOON + place) for place, number in enumerate(OURS[: FEW + 1])} == {
        Decision.ACCEPTED
    }
    assert hub.send("lake", OURS[FEW + 1], C, NOON + HOUR_MS) is HeldWhy.QUARANTINE
    assert hub.send("lake", OURS[FEW + 2], C, NOON + DAY_MS) is HeldWhy.QUARANTINE
    assert hub.send("lake", OURS[0], EventType.RESTORED, NOON + DAY_MS) is Decision.ACCEPTED


def test_a_person_ends_a_quarantine() -> None:
    """Once somebody looked, the operator goes on, also on the day that stopped it; another day may stop it anew."""
    stopped = limited(NOTICES=None)
    hub = Hub(stopped)
    for place, number in enumerate(OURS[: FEW + 1]):
        hub.send("lake", number, C, NOON + place)
    free = lifted(stopped, by="Li", reason="announced", at=NOON + HOUR_MS)
    hub.rehearsal.know(free)
    assert hub.send("lake", OURS[FEW + 1], C, NOON + 2 * HOUR_MS) is Decision.ACCEPTED
    assert limits.is_quarantined(NOON + FEW, stopped)
    assert not limits.is_quarantined(NOON + FEW, free)
    assert limits.is_quarantined(NOON + 2 * HOUR_MS, free)


def test_what_is_usual_is_the_median_of_four_weeks() -> None:
    """Who has 1,000 notices a day goes on up to 5,000; who sent nothing, up to 500; small ranges, less."""
    wide = LAKE
    assert [trips(count, wide, lambda: [1_000] * 28) for count in (5_000, 5_001, 5_002)] == [False, True, False]
    assert [trips(count, wide, lambda: [0] * 28) for count in (500, 501, 502)] == [False, True, False]
    assert [trips(count, wide, lambda: [0] * 13 + [200] * 15) for count in (501, 1_000, 1_001)] == [False, False, True]
    narrow = LAKE._replace(ranges=("+8615500",))
    assert capacity(narrow.ranges) == 10**6
    assert trips(10_001, narrow, lambda: [9_000] * 28)


@pytest.mark.parametrize(
    ("ranges", "numbers"),
    [
        (("+86155",), 10**8),
        (("+86155", "+861551"), 10**8),
        (("+86155", "+86156"), 2 * 10**8),
        (("+1212",), 10**7),
        (("+4915",), 10**9),
        ((), 0),
    ],
)
def test_how_many_numbers_an_operator_has(ranges: tuple[str, ...], numbers: int) -> None:
    """It is counted by the country's longest mobile number; a range within another adds nothing."""
    assert capacity(ranges) == numbers


def test_nobody_set_is_the_default_and_unnamed_only_lowers() -> None:
    """A new operator has every default; a limit of an older record, which names nobody, counts only below it."""
    assert in_force(LAKE, authority=True) == dict(DEFAULTS)
    older = LAKE._replace(limit_daily=200_000, limit_ported_daily=7)
    assert in_force(older, authority=True) == {**DEFAULTS, Limit.PORTED: 7}
    assert in_force(older, authority=False)[Limit.NOTICES] == 200_000
    assert in_force(LAKE, authority=False) == dict.fromkeys(Limit)


def test_whoever_raises_a_limit_says_who_and_why() -> None:
    """A limit is lowered by anybody; it is raised, or taken away, by name and with a reason alone."""
    lower = with_limit(LAKE, Limit.NOTICES, 10, by="", reason="", at=1)
    assert in_force(lower, authority=True)[Limit.NOTICES] == 10
    for by, reason in (("", "growth"), ("Li", ""), (" ", "\t")):
        for most in (11, None):
            with pytest.raises(HubError, match="nobody answers"):
                with_limit(lower, Limit.NOTICES, most, by=by, reason=reason, at=2)
    raised = with_limit(lower, Limit.NOTICES, None, by="Li", reason="growth", at=2)
    assert in_force(raised, authority=True)[Limit.NOTICES] is None
    assert len(raised.limits) == 1
    with pytest.raises(HubError, match="a person"):
        lifted(LAKE, by="", reason="x", at=1)


def test_without_authority_only_what_was_set_holds() -> None:
    """In a hub of before nothing is held by default, by the hour, or when it undoes."""
    hub = Hub(LAKE, authority=False)
    assert {hub.send("lake", number, C, NOON + place) for place, number in enumerate(OURS)} == {Decision.ACCEPTED}
    held = Hub(limited(), authority=False)
    told = [held.send("lake", OURS[place], C) for place in range(9)]
    assert told == [*[Decision.ACCEPTED] * 8, HeldWhy.DAILY_LIMIT]


@given(st.lists(st.tuples(st.sampled_from([C, A, W]), st.integers(0, 9), st.integers(0, 3 * 24)), max_size=60))
def test_no_day_or_hour_goes_beyond_its_limit(wishes: list[tuple[EventType, int, int]]) -> None:
    """Whatever an operator sends, in any hour, no day has more than its limit, and no hour more than a quarter."""
    hub = Hub(limited())
    for kind, place, hour in sorted(wishes, key=lambda one: one[2]):
        number = (OURS + THEIRS)[-10 - place]
        if kind is A:
            hub.hand_over("lake", number, NOON + hour * HOUR_MS)
        elif kind is W:
            last = hub.rehearsal.known.case_of(number)
            hub.send("lake", number, W, NOON + hour * HOUR_MS, supersedes=last.event_ids[0] if last else bytes(16))
        else:
            hub.send("lake", number, C, NOON + hour * HOUR_MS)
    known = hub.rehearsal.known
    for limit, most in SMALL.items():
        counted = limit in (Limit.HANDOVERS, Limit.UNDOINGS)  # of the others, some are free
        for hour in range(3 * 24 + 1):
            at = NOON + hour * HOUR_MS
            in_hour: Published = known.days.published_in_hour("lake", limits.hour_of(at))
            assert not counted or in_hour.of(limit) <= burst(most)
            assert not counted or known.days.published("lake", at // DAY_MS).of(limit) <= most
            assert in_hour.every - in_hour.undoings <= burst(SMALL[Limit.NOTICES]) + _free(wishes, hour)


def _free(wishes: list[tuple[EventType, int, int]], hour: int) -> int:
    return sum(kind is W and at == hour for kind, _, at in wishes)


assert HOME == 3
