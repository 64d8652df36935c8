"""One pair at a time is what a segment at once is; and cohorts counted piece by piece are what counting anew gives."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from hub.core.cohorts import BUCKETS, EDGES_HOURS, Cohorts, quantile_hours
from hub.core.coverage import Addition
from hub.core.figures import PlatformBook
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    SEGMENT,
    AcceptedReport,
    GapClass,
    Names,
    Outcome,
    Platform,
    PlatformState,
    ReportKind,
    Source,
    Stage,
)
from hub.core.outcomes import EFFECTS
from hub.core.pairs import CaseNow, case_at, open_pairs, pair_of
from hub.core.universe import Universe

NOW_MS = 20_400 * DAY_MS
CASES = 16
NO_CASE = CASES
"""The position after the last case holds a notice that opens none."""

cases = st.lists(
    st.tuples(
        st.sampled_from(Stage),
        st.integers(0, 12),
        st.none() | st.integers(-10, 10),
        st.frozensets(st.sampled_from(Outcome)),
        st.booleans(),
    ),
    min_size=1,
    max_size=CASES,
)
platforms = st.builds(
    lambda state, tier, left: Platform(
        *("bank", Names("b", "b"), "bank", tier, state), left_at=NOW_MS - left * DAY_MS if state == "LEFT" else None
    ),
    st.sampled_from(PlatformState),
    st.integers(1, 3),
    st.integers(0, 12),
)


def scene(
    drawn: list[tuple[Stage, int, int | None, frozenset[Outcome], bool]], platform: Platform, received: int
) -> tuple[PlatformBook, Universe]:
    """A book and a universe of one segment in partition 2."""
    universe, book = Universe(), PlatformBook("bank", platform)
    for offset, (stage, days, reissue, said, reported) in enumerate(drawn):
        segment, bit = universe.at(2, SEGMENT + offset)
        reissue_ms = None if reissue is None else NOW_MS + reissue * DAY_MS
        segment.note(bit, NOW_MS - days * DAY_MS, NOW_MS)
        segment.open(bit, Stage.COOLING, NOW_MS - days * DAY_MS, reissue_ms)
        segment.move(bit, stage)
        for outcome in said:
            book.tile((2, 1)).add(outcome, BitMap([offset]))
        if reported:
            case = Source(2, SEGMENT + offset)
            times = (NOW_MS, NOW_MS, None)
            report = (bytes([offset]) * 16, "north", "+8613400000001", "bank", "bank", ReportKind.STILL_BOUND)
            book.disputes.add(AcceptedReport(Source(0, offset), *report, case, *times))
    segment, bit = universe.at(2, SEGMENT + NO_CASE)
    segment.note(bit, NOW_MS, NOW_MS)
    book.receive(2, SEGMENT + received)
    return book, universe


@given(cases, platforms, st.integers(0, CASES))
@settings(max_examples=400, deadline=None)
def test_a_pair_alone_is_the_pair_of_its_segment(
    drawn: list[tuple[Stage, int, int | None, frozenset[Outcome], bool]], platform: Platform, received: int
) -> None:
    """Asked about one case, a platform stands as the sets over the whole segment say."""
    book, universe = scene(drawn, platform, received)
    pairs = book.pairs(universe, (2, 1), NOW_MS)
    every: list[CaseNow] = []
    for bit in range(len(drawn)):
        case = case_at(universe, Source(2, SEGMENT + bit))
        assert case is not None
        every.append(case)
        one = pair_of(book, case, NOW_MS)
        assert one.in_force is (bit in pairs.in_force)
        assert one.shown is next((shown for shown, bits in pairs.shown.items() if bit in bits), None)
        assert one.gap is next((gap for gap, bits in pairs.gaps.items() if bit in bits), None)
        assert one.overdue is (bit in pairs.overdue)
        assert one.disputed is (bit in pairs.disputes)
        assert one.restore_pending is (bit in pairs.restore_pending)
    found = {position.offset - SEGMENT: pair.gap for position, pair in open_pairs([book], every, NOW_MS)}
    assert found == {bit: gap for gap in GapClass for bit in pairs.gaps.get(gap, ())}
    assert case_at(universe, Source(2, SEGMENT + NO_CASE)) is None
    assert case_at(universe, Source(3, 0)) is None


@given(cases, platforms, st.data())
@settings(max_examples=150, deadline=None)
def test_cohorts_kept_are_cohorts_counted_anew(
    drawn: list[tuple[Stage, int, int | None, frozenset[Outcome], bool]], platform: Platform, data: st.DataObject
) -> None:
    """Figures kept while acks, reports and stages move are those that a fresh count gives, and add up to coverage."""
    book, universe = scene(drawn, platform, CASES)
    kept, days = Cohorts(), [NOW_MS // DAY_MS - day for day in range(13)]
    for _ in range(3):
        kept.cells(book, universe, days, NOW_MS)
        bit = data.draw(st.integers(0, len(drawn) - 1))
        if data.draw(st.booleans()):
            book.tile((2, 1)).add(data.draw(st.sampled_from(Outcome)), BitMap([bit]))
            book.touch((2, 1))
        else:
            universe.segments[2, 1].move(bit, data.draw(st.sampled_from(Stage)))
    found = kept.cells(book, universe, days, NOW_MS)
    assert found == Cohorts().cells(book, universe, days, NOW_MS)
    pairs = book.pairs(universe, (2, 1), NOW_MS)
    assert sum(one.in_force for one in found) == len(pairs.in_force)
    assert sum(one.resolved for one in found) == len(pairs.resolved)
    frozen = pairs.gaps.get(GapClass.FROZEN, ())
    assert sum(one.takeover_safe for one in found) == len(pairs.resolved) + len(frozen), "as the overview adds it"
    assert sum((one.outcomes for one in found), Counter()) == {
        one: len(bits) for one, bits in pairs.shown.items() if bits
    }


def test_the_first_effect_counts_once() -> None:
    """Hours from notice to first effect: counted at the first ack that says what became of the binding, then never."""
    book, universe = scene(
        [(Stage.COOLING, 1, None, frozenset(), False)] * 4,
        Platform("bank", Names("b", "b"), "bank", 1, PlatformState.CONNECTED),
        4,
    )
    cohorts, day = Cohorts(), NOW_MS // DAY_MS - 1
    at_ms = NOW_MS - DAY_MS

    def say(outcome: Outcome, hours: float, *bits: int) -> None:
        added = [Addition(2, 1, outcome, BitMap(bits))] * 2
        cohorts.first_effects(book, added, universe, at_ms + int(hours * HOUR_MS))
        book.tile((2, 1)).add(outcome, BitMap(bits))

    say(Outcome.FAILED, 1.5, 0, 1)
    assert cohorts.hours == {}
    say(Outcome.FROZEN, 5, 0, NO_CASE)
    say(Outcome.UNBOUND, 100, 0)
    say(Outcome.NOT_BOUND, 5, 1, 2)
    say(Outcome.DECLINED, 30, 3)
    expected = np.zeros(BUCKETS, dtype=np.uint32)
    expected[EDGES_HOURS.index(4)], expected[EDGES_HOURS.index(24)] = 3, 1
    assert {key: list(one) for key, one in cohorts.hours.items()} == {("bank", day): list(expected)}
    assert quantile_hours(cohorts.hours_of("bank", [day]), 0.5) == 4 + 4 * 2 / 3
    assert quantile_hours(cohorts.hours_of("bank", [day + 1]), 0.5) is None
    assert set(EFFECTS) == set(Outcome) - {Outcome.FAILED, Outcome.REINSTATED}
