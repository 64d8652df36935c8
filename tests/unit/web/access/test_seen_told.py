"""What an operator is told of figures and cases: the same in two worlds that differ by where the old owner was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from hub.archive.answers import CaseHistory, Happened
from hub.core import clearance
from hub.core.cases import Case
from hub.core.cohorts import BUCKETS, EDGES_HOURS, Took, took
from hub.core.coverage import pack
from hub.core.figures import PlatformBook
from hub.core.model import (
    DAY_MS,
    AsOf,
    Coverage,
    GapBitmap,
    GapClass,
    GapCount,
    Gaps,
    Names,
    Outcome,
    OutcomeCount,
    Platform,
    PlatformState,
    Record,
    Refusal,
    Role,
    Source,
    Stage,
)
from hub.core.pairs import PairNow, case_at, pair_of
from hub.core.standing import Standing
from hub.core.universe import Universe
from hub.web import shapes
from hub.web.access import seen
from hub.web.access.auth import Caller
from hub.web.access.who import STAFF
from hub.web.board.blind_spots import blind_spots
from hub.web.board.board import Board
from hub.web.board.platform_pages import overview, platforms
from hub.web.board.snapshot import Gauges, Sight
from hub.web.board.stages import StageBook
from hub.web.routes.case_pages import case_page, facts_of
from hub.web.routes.history import progress_of
from hub.wire import contracts
from hub.wire.contracts import encode

NOW = 20_000 * DAY_MS
AS_OF = AsOf((10,), 0, 5, 2, NOW)
OUTSIDERS = sorted(set(Role) - STAFF)
NORTH, BANK, ANA = Caller("north", Role.OPERATOR, 0), Caller("bank", Role.PLATFORM, 0), Caller("ana", Role.AUDITOR, 0)
USERS = {"bank": 9_000_000, "drive": 4_000_000, "shop": 20_000_000}
NO_BITS = pack(BitMap())


class Hours:
    """How long effects took, as given, at every platform and at all."""

    def __init__(self, found: Took | None = None) -> None:
        self.found = found

    def stages(self) -> dict[Stage, int]:
        """None."""
        return {}

    def hours_to_effect(self, platform: str | None) -> Took | None:  # noqa: ARG002 - a `CohortFigures`
        """As given."""
        return self.found

    def cells(self, platform: str, days: Sequence[str]) -> list[shapes.Cell | None]:  # noqa: ARG002 - a `CohortFigures`
        """None."""
        return [None] * len(days)


def of(name: str, state: PlatformState = PlatformState.CONNECTED, left_at: int | None = None) -> Platform:
    return Platform(name, Names(name, name), "x", 1, state, users_estimate=USERS.get(name, 500_000), left_at=left_at)


def covered(
    name: str, outcomes: Mapping[Outcome, int], gaps: Mapping[GapClass, int] | None = None, *, exposed: int = 0
) -> Coverage:
    state = PlatformState.CONNECTED if name in USERS else PlatformState.SUSPENDED
    said = tuple(OutcomeCount(*one) for one in outcomes.items())
    missing = tuple(GapCount(*one) for one in (gaps or {}).items())
    return Coverage(name, state, 5_000, 0, said, missing, 0, exposed, exposed, 0, 0, (), AS_OF)


def sight_of(found: Sequence[Coverage], effects: Took | None = None, unanswered: int = 0) -> Sight:
    board, values = Board(), []
    for one in found:
        values += [(contracts.PLATFORMS, of(one.platform, one.state)), (contracts.COVERAGE, one)]
    bits = pack(BitMap(range(unanswered)))
    gaps = Gaps("bank", 0, 0, (GapBitmap(GapClass.NO_OUTCOME, bits),), bits, NO_BITS, NO_BITS, NO_BITS, AS_OF)
    for topic, value in [*values, (contracts.GAPS, gaps)]:
        board.take(Record(topic, 0, 0, NOW, b"", encode(value), ()))
    return Sight(board, StageBook(), Hours(effects), Gauges(), shapes.AsOf(now_ms=NOW, read_at=NOW))


# ---- Blind spots ----


@pytest.mark.parametrize("state", [PlatformState.SUSPENDED, PlatformState.LEFT])
@settings(deadline=None)
@given(st.sampled_from(OUTSIDERS), st.lists(st.integers(0, 9), min_size=8, max_size=8))
def test_no_digit_of_a_blind_spot_tells_whose_count_moved(state: PlatformState, role: Role, more: list[int]) -> None:
    """Whatever connected, suspended and departed platforms said within a ten, outsiders see the same page."""

    def world(more: list[int]) -> Sight:
        bank, drive, shop, kept, here, gap, open_, bound = more
        connected = [
            covered(name, {Outcome.UNBOUND: 410 + bound_here, Outcome.NOT_BOUND: 4_500 + here})
            for name, bound_here in (("bank", bank), ("drive", drive), ("shop", shop))
        ]
        said, gaps = {Outcome.FROZEN: 30 + kept}, {GapClass.NOT_CONNECTED: 40 + gap}
        gym = covered("gym", {**said, Outcome.FAILED: bound}, gaps, exposed=20 + open_)._replace(state=state)
        return sight_of([*connected, gym])

    caller = Caller("bank", role, 0)
    made = blind_spots(seen.sight(world(more), caller))
    assert made == blind_spots(seen.sight(world([0] * 8), caller)), "before it is rounded"
    shown = seen.blind_spots(made, caller)
    (gym,) = shown.spots
    assert (gym.would_close, gym.exposed, gym.incident, gym.reported, shown.in_tens) == (40, 20, 20, 0, True)
    assert gym.expected is not None
    if any(more[:3]):
        assert blind_spots(seen.sight(world(more), ANA)) != blind_spots(world([0] * 8))


# ---- How platforms behave ----


@pytest.mark.parametrize(
    ("caller", "unanswered", "told"),
    [
        (NORTH, 9, Standing.HEALTHY),
        (NORTH, 10, Standing.DEGRADED),
        (Caller("drive", Role.PLATFORM, 0), 9, Standing.HEALTHY),
        (Caller("bank", Role.OPERATOR, 0), 9, Standing.HEALTHY),
        (BANK, 1, Standing.DEGRADED),
        (BANK, 0, Standing.HEALTHY),
        (ANA, 1, Standing.DEGRADED),
    ],
)
def test_one_unanswered_case_degrades_nobody_in_an_outsiders_eyes(
    caller: Caller, unanswered: int, told: Standing
) -> None:
    """From ten unanswered cases on a platform is degraded to everybody, from the first to itself and the staff."""
    sight = seen.sight(sight_of([covered("bank", {})], unanswered=unanswered), caller)
    (row,) = seen.platforms(platforms(sight), caller).platforms
    assert row.standing is told
    assert seen.overview(overview(sight), caller).degraded == (told is Standing.DEGRADED)


@pytest.mark.parametrize(
    ("effects", "told", "own"),
    [(Took(99, 5.25), None, 5.25), (Took(100, 5.25), 8, 5.25), (Took(100, 5.5), 8, 5.5), (None, None, None)],
)
def test_how_long_effects_take_is_told_by_buckets(effects: Took | None, told: float | None, own: float | None) -> None:
    """An account takes longer than none: outsiders see a bucket's edge of a hundred effects or more, or nothing."""
    for caller, of_row, of_all in ((NORTH, told, told), (BANK, own, told), (ANA, own, own)):
        sight = seen.sight(sight_of([covered("bank", {})], effects), caller)
        (row,) = seen.platforms(platforms(sight), caller).platforms
        assert row.hours_to_effect_median == of_row
        assert seen.overview(overview(sight), caller).hours_to_effect_median == of_all


@pytest.mark.parametrize(("said", "told"), [(99, None), (100, 8)])
def test_a_cells_hours_are_told_by_buckets(said: int, told: float | None) -> None:
    """A day on which few cases opened tells by its median what became of one: FAILED is no effect."""
    outcomes = {Outcome.NOT_BOUND: said - 20, Outcome.UNBOUND: 20, Outcome.FAILED: 50}
    cell = shapes.Cell(in_force=200, resolved=90, takeover_safe=90, outcomes=outcomes, hours_to_effect_median=5.25)
    row = shapes.HeatmapRow(id="bank", name=shapes.Name(zh="", en=""), tier=1, state="CONNECTED", cells=[cell])  # type: ignore[arg-type]
    found = shapes.Heatmap(as_of=shapes.AsOf(now_ms=NOW, read_at=NOW), days=["2024-10-04"], rows=[row])
    for caller, hours in ((NORTH, told), (BANK, 5.25), (ANA, 5.25)):
        (shown,) = seen.heatmap(found, caller).rows[0].cells
        assert shown is not None
        assert shown.hours_to_effect_median == hours


@settings(deadline=None)
@given(st.lists(st.integers(0, 200), min_size=BUCKETS, max_size=BUCKETS))
def test_hours_told_are_an_edge_that_the_median_does_not_pass(counts: list[int]) -> None:
    """Of a hundred effects or more half had happened by the hours that are told; beyond the last edge nothing is."""
    found = took(np.array(counts, dtype=np.uint32))
    assert (found is None) == (sum(counts) == 0)
    if found is None:
        return
    assert found.effects == sum(counts)
    assert (found.told_hours is None) == (found.effects < 100)
    if found.told_hours is not None:
        below = max((edge for edge in EDGES_HOURS if edge < found.told_hours), default=0.0)
        assert below <= found.median_hours <= found.told_hours


# ---- A case ----

AT = Source(0, 0)
PUBLISHED = NOW - 70 * DAY_MS
CASE = Case(AT, "north", Stage.COOLING, Stage.RELEASED, PUBLISHED, PUBLISHED, None, None, 2, None, NOW, ())
SAID = st.sampled_from([None, *Outcome])
ROSTER = [
    of("bank"),
    of("drive"),
    of("was_bank", PlatformState.SUSPENDED),
    of("was_shop", PlatformState.LEFT, NOW - DAY_MS),
    of("left_before", PlatformState.LEFT, PUBLISHED - 1),
    of("gym", PlatformState.KNOWN_UNCONNECTED),
    of("new", PlatformState.ONBOARDING),
    of("free", PlatformState.EXEMPT),
]


def pairs_of(said: Sequence[Outcome | None]) -> list[PairNow]:
    universe = Universe()
    segment, bit = universe.at(*AT)
    segment.note(bit, PUBLISHED, PUBLISHED)
    segment.open(bit, Stage.RELEASED, PUBLISHED, None)
    case = case_at(universe, AT)
    assert case is not None
    found = []
    for platform, outcome in zip(ROSTER, said, strict=True):
        book = PlatformBook(platform.id, platform)
        if outcome is not None:
            book.tile((0, 0)).add(outcome, BitMap([bit]))
        found.append(pair_of(book, case, NOW))
    return found


@settings(deadline=None)
@given(st.lists(SAID, min_size=6, max_size=6))
def test_a_case_does_not_tell_what_a_platform_said_before_it_went(said: list[Outcome | None]) -> None:
    """Whatever suspended, departed and exempt platforms said, an operator's case and clean-up stay the same."""
    silent = [Outcome.NOT_BOUND, Outcome.UNBOUND]
    spoke, mute = pairs_of([*silent, *said]), pairs_of([*silent, *[None] * 6])
    history = CaseHistory(facts_of(CASE), (), ())
    pages = [seen.case(case_page(history, pairs, Stage.RELEASED, NOW), NORTH) for pairs in (spoke, mute)]
    assert pages[0] == pages[1]
    assert pages[0].status == "cleared"
    assert progress_of(spoke) == progress_of(mute) == {"status": "cleared", "unconnected": 4}
    assert pages[0].unconnected == [one.id for one in clearance.unconnected(ROSTER, [CASE])]
    assert pages[0].unconnected == ["was_bank", "was_shop", "gym", "new"]


def test_a_reports_words_are_the_staffs() -> None:
    """An operator sees that a report came in its case, and of what kind; which platform it names, only the staff."""
    happened = (
        Happened(NOW - 2, "event", "COOLING", "north", (), "0-1"),
        Happened(NOW - 1, "report", "DEBT_CALLS", "penniloan, my aunt's", (), "0-2"),
    )
    whole = case_page(CaseHistory(facts_of(CASE), happened, ()), [], Stage.RELEASED, NOW)
    shown = seen.case(whole, NORTH).moments
    assert [(one.kind, one.what, one.who) for one in shown] == [
        ("event", "COOLING", "north"),
        ("report", "DEBT_CALLS", None),
    ]
    assert seen.case(whole, ANA).moments[1].who == "penniloan, my aunt's"


# ---- Refusals ----


def refused(reason: Refusal) -> shapes.RefusalRow:
    return shapes.RefusalRow(at=1, topic="events", source="7-4", sender="north", reason=reason, todo="Whatever.")


@pytest.mark.parametrize("role", OUTSIDERS)
def test_a_list_of_refusals_says_what_the_receipt_says(role: Role) -> None:
    """That a number is between two owners at another operator is in no row, nor in what to do about it."""
    as_of = shapes.AsOf(now_ms=NOW, read_at=NOW)
    theirs, unordered = (
        shapes.RefusalPage(as_of=as_of, refusals=[refused(one), refused(Refusal.BAD_TIME)], next="1-2-3")
        for one in (Refusal.NOT_YOUR_CASE, Refusal.OUT_OF_ORDER)
    )
    shown = seen.refusals(theirs, Caller("north", role, 0))
    assert shown == seen.refusals(unordered, Caller("north", role, 0))
    assert [one.reason for one in shown.refusals] == [Refusal.OUT_OF_ORDER, Refusal.BAD_TIME]
    assert seen.refusals(theirs, ANA) == theirs


@pytest.mark.parametrize(("caller", "floor"), [(NORTH, 1), (Caller("v", Role.VIEWER, 0), 10)])
def test_an_operators_row_counts_refusals_as_receipted(caller: Caller, floor: int) -> None:
    """Two worlds in which the same events were refused for either reason have the same row."""

    def rows(theirs: int, unordered: int) -> list[shapes.OperatorRow]:
        rejected = {Refusal.NOT_YOUR_CASE: theirs, Refusal.OUT_OF_ORDER: unordered}
        row = shapes.OperatorRow(
            id="north",
            name=shapes.Name(zh="", en=""),
            clearance_required=False,
            raised=[],
            **dict.fromkeys(("accepted", "noted", "duplicate", "held"), 0),
            rejected={reason: count for reason, count in rejected.items() if count},
            breaches={},
            last_event_at=None,
            last_report_day=None,
            silent=False,
        )
        found = shapes.Operators(as_of=shapes.AsOf(now_ms=NOW, read_at=NOW), operators=[row])
        assert seen.operators(found, ANA) == found
        return seen.operators(found, caller).operators

    for total in (1, 9, 10, 15):
        told = {Refusal.OUT_OF_ORDER: total} if total >= floor else {}
        assert [rows(theirs, total - theirs)[0].rejected for theirs in range(total + 1)] == [told] * (total + 1)
