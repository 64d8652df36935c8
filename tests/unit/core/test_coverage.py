"""Coverage as sets: merging in any order gives the same books, and every pair is sorted as the rules say."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from hub.core.acks import SKEW_MS, apply, is_beyond_log, refusal_of_received
from hub.core.coverage import Addition, SegmentTile, pack, read_outcomes, unpack
from hub.core.figures import PlatformBook
from hub.core.gaps import TIER_LIMIT_MS, Terms, classify
from hub.core.model import (
    DAY_MS,
    SEGMENT,
    Acknowledgement,
    AsOf,
    BitmapSegment,
    GapClass,
    Names,
    Outcome,
    OutcomeReason,
    OutcomeSet,
    Platform,
    PlatformState,
    ReceivedThrough,
    Refusal,
    Stage,
)
from hub.core.roaring import is_segment
from hub.core.universe import Universe, UniverseSegment
from tests.unit.late_reader import Digests

NOW_MS = 100 * DAY_MS
POSITIONS = 24
AS_OF = AsOf((POSITIONS,), 0, 0, 0, NOW_MS)


class Pair(NamedTuple):
    """One case as one platform sees it; `at_ms` None: the position opens no case."""

    at_ms: int | None
    reissue_ms: int | None
    stage: Stage
    said: frozenset[Outcome]


class Judged(NamedTuple):
    """What is to be shown of a pair, worked out one by one."""

    in_force: bool
    shown: Outcome | None
    gap: GapClass | None
    overdue: bool
    restore_pending: bool
    dispute: bool


def judge(pair: Pair, terms: Terms, received: bool) -> Judged:
    """The rules of `hub.core.gaps` for one pair, said plainly."""
    assert pair.at_ms is not None
    said = pair.said
    undone = pair.stage in {Stage.RESTORED, Stage.WITHDRAWN}
    shown = None
    if undone and Outcome.REINSTATED in said:
        shown = Outcome.REINSTATED
    else:
        for one in (Outcome.UNBOUND, Outcome.FROZEN, Outcome.DECLINED, Outcome.NOT_BOUND, Outcome.FAILED):
            if one in said:
                shown = one
                break
    dispute = Outcome.NOT_BOUND in said and bool(said & {Outcome.UNBOUND, Outcome.FROZEN, Outcome.DECLINED})
    in_force = not undone and terms.state is not PlatformState.EXEMPT
    if terms.left_at is not None and pair.at_ms >= terms.left_at:
        in_force = False
    gap = _gap(shown, dispute, terms, received) if in_force else None
    limit = pair.at_ms + terms.limit_ms
    reissue = None if pair.reissue_ms is None else pair.reissue_ms - 7 * DAY_MS
    deadlines = [limit] if reissue is None else [reissue] if shown is Outcome.FROZEN else [limit, reissue]
    return Judged(
        in_force,
        shown,
        gap,
        gap is not None and min(deadlines) <= NOW_MS,
        undone and bool(said & {Outcome.FROZEN, Outcome.UNBOUND}) and Outcome.REINSTATED not in said,
        dispute,
    )


def _gap(shown: Outcome | None, dispute: bool, terms: Terms, received: bool) -> GapClass | None:
    if shown is None:
        if terms.state is not PlatformState.CONNECTED:
            return GapClass.NOT_CONNECTED
        return GapClass.NO_OUTCOME if received else GapClass.NOT_RECEIVED
    if shown is Outcome.UNBOUND:
        return None
    if dispute:
        return GapClass.DISPUTED
    return None if shown is Outcome.NOT_BOUND else GapClass(shown)


near = st.integers(min_value=NOW_MS - 20 * DAY_MS, max_value=NOW_MS + DAY_MS)
edge = st.sampled_from([NOW_MS, NOW_MS - DAY_MS, NOW_MS - 3 * DAY_MS, NOW_MS - 7 * DAY_MS, NOW_MS - DAY_MS + 1])
reissues = st.one_of(
    st.none(),
    st.sampled_from([NOW_MS + 7 * DAY_MS, NOW_MS + 7 * DAY_MS + 1]),
    st.integers(NOW_MS, NOW_MS + 30 * DAY_MS),
)
pairs_strategy = st.lists(
    st.builds(
        Pair,
        st.one_of(st.none(), near, edge),
        reissues,
        st.sampled_from(list(Stage)),
        st.frozensets(st.sampled_from(list(Outcome)), max_size=3),
    ),
    min_size=1,
    max_size=POSITIONS,
)
terms_strategy = st.builds(
    lambda state, limit, left_at: Terms(state, limit, left_at if state is PlatformState.LEFT else None),
    st.sampled_from(list(PlatformState)),
    st.sampled_from(sorted(TIER_LIMIT_MS.values())),
    near,
)


def scene(pairs: list[Pair]) -> tuple[UniverseSegment, SegmentTile]:
    """The same pairs as a segment and a tile. What is said of positions that open no case is there too."""
    segment, tile = UniverseSegment(), SegmentTile()
    for bit, pair in enumerate(pairs):
        if pair.at_ms is not None:
            opened_as = Stage.REASSIGNED if pair.stage is Stage.REASSIGNED else Stage.COOLING
            segment.open(bit, opened_as, pair.at_ms, pair.reissue_ms)
            segment.move(bit, pair.stage)
        for outcome in pair.said:
            tile.add(outcome, BitMap([bit]))
    return segment, tile


@settings(max_examples=400, deadline=None)
@given(pairs_strategy, terms_strategy, st.integers(min_value=-1, max_value=POSITIONS))
def test_every_pair_is_sorted_as_the_rules_say(pairs: list[Pair], terms: Terms, received: int) -> None:
    """Sets over a segment say of each pair what the rules, applied to it alone, say."""
    segment, tile = scene(pairs)
    found = classify(segment, tile, terms, received, NOW_MS)
    for bit, pair in enumerate(pairs):
        if pair.at_ms is None:
            assert all(bit not in bits for bits in (found.in_force, found.resolved, found.overdue, found.disputes))
            assert all(bit not in bits for bits in [*found.shown.values(), *found.gaps.values()])
            continue
        expected = judge(pair, terms, bit <= received)
        gaps = [gap for gap, bits in found.gaps.items() if bit in bits]
        shown = [outcome for outcome, bits in found.shown.items() if bit in bits]
        assert gaps == ([expected.gap] if expected.gap else [])
        assert shown == ([expected.shown] if expected.shown else [])
        assert (bit in found.in_force, bit in found.overdue) == (expected.in_force, expected.overdue)
        assert (bit in found.restore_pending, bit in found.disputes) == (expected.restore_pending, expected.dispute)
        assert (bit in found.resolved) == (expected.in_force and expected.gap is None)
        assert (bit in found.exposed) == (expected.gap is not None and pair.stage is Stage.RELEASED)
        assert (bit in found.incident) == (expected.gap is not None and pair.stage is Stage.REASSIGNED)


additions_strategy = st.lists(
    st.builds(
        Addition,
        st.integers(0, 2),
        st.integers(0, 1),
        st.sampled_from(list(Outcome)),
        st.frozensets(st.integers(0, POSITIONS), max_size=5).map(BitMap),
        st.sampled_from([None, *OutcomeReason]),
    ),
    max_size=12,
)


def _ack(through: Iterable[tuple[int, int]]) -> Acknowledgement:
    return Acknowledgement("p", bytes(16), 0, tuple(ReceivedThrough(*one, bytes(32)) for one in through), ())


def _book() -> PlatformBook:
    return PlatformBook("p", Platform("p", Names("p", "p"), "x", 1, PlatformState.CONNECTED))


def _state(book: PlatformBook) -> tuple[object, object, object]:
    tiles = {key: {one: list(bits) for one, bits in tile.said.items() if bits} for key, tile in book.tiles.items()}
    in_use = {key: list(tile.in_use) for key, tile in book.tiles.items() if tile.in_use}
    assert all(set(bits) <= set(tiles[key][Outcome.DECLINED]) for key, bits in in_use.items())
    return {key: said for key, said in tiles.items() if said}, in_use, book.received


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(additions_strategy, st.integers(0, 2), st.integers(0, 50)), max_size=8), st.randoms())
def test_any_order_and_any_redelivery_gives_the_same_books(
    acks: list[tuple[list[Addition], int, int]], rnd: random.Random
) -> None:
    """Acknowledgements merged in order, shuffled, or several times over leave the very same books."""
    once = _book()
    for additions, partition, through in acks:
        apply(once, _ack([(partition, through)]), additions)
    again = _book()
    redelivered = acks + [rnd.choice(acks) for _ in acks]
    rnd.shuffle(redelivered)
    for additions, partition, through in redelivered:
        apply(again, _ack([(partition, through)]), additions)
    assert _state(again) == _state(once)


@settings(max_examples=100, deadline=None)
@given(st.lists(additions_strategy, min_size=1, max_size=6), st.integers(0, 6))
def test_tiles_of_two_writers_merge_to_the_whole(acks: list[list[Addition]], split: int) -> None:
    """What two epochs wrote, ORed from their stored tiles, is what one writer would have."""
    whole, first, second = _book(), _book(), _book()
    for index, additions in enumerate(acks):
        apply(whole, _ack([]), additions)
        apply(first if index < split else second, _ack([]), additions)
    merged = _book()
    for book in (second, first):
        for key, tile in book.tiles.items():
            merged.tile(key).merge(tile.packed())
    assert _state(merged)[0] == _state(whole)[0]


def test_figures_follow_whatever_moves() -> None:
    """Kept figures are worked out again when a tile, the universe, what was received, or time moves."""
    universe, book = Universe(), _book()
    segment, _ = universe.at(0, 0)
    segment.open(0, Stage.COOLING, NOW_MS, NOW_MS + 30 * DAY_MS)

    def gaps(now_ms: int = NOW_MS) -> dict[str, int]:
        book.refresh(universe, now_ms)
        coverage = book.coverage(AS_OF._replace(now_ms=now_ms))
        return {**{one.gap: one.pairs for one in coverage.gaps}, "overdue": coverage.overdue}

    assert gaps() == {GapClass.NOT_RECEIVED: 1, "overdue": 0}
    book.receive(0, 0)
    assert gaps() == {GapClass.NO_OUTCOME: 1, "overdue": 0}
    assert gaps(NOW_MS + DAY_MS) == {GapClass.NO_OUTCOME: 1, "overdue": 1}
    apply(book, _ack([]), [Addition(0, 0, Outcome.FROZEN, BitMap([0]))])
    assert gaps(NOW_MS + DAY_MS) == {GapClass.FROZEN: 1, "overdue": 0}
    segment.move(0, Stage.RESTORED)
    assert gaps(NOW_MS + DAY_MS) == {"overdue": 0}
    assert book.coverage(AS_OF).restore_pending == 1


def _outcomes(*sets: OutcomeSet, through: int = SEGMENT * 2) -> Acknowledgement:
    return _ack([(0, through)])._replace(outcomes=sets)


def _set(base: int, bitmap: bytes, partition: int = 0) -> OutcomeSet:
    return OutcomeSet(Outcome.UNBOUND, partition, (BitmapSegment(base, bitmap),))


ONE = pack(BitMap([1]))


@pytest.mark.parametrize(
    ("ack", "reason"),
    [
        (_outcomes(_set(1, ONE)), Refusal.UNDECODABLE),
        (_outcomes(_set(-SEGMENT, ONE)), Refusal.UNDECODABLE),
        (_outcomes(_set(0, b"garbage")), Refusal.UNDECODABLE),
        (_outcomes(_set(0, pack(BitMap([SEGMENT])))), Refusal.UNDECODABLE),
        (_ack([(0, 1), (0, 2)]), Refusal.UNDECODABLE),
        (_ack([(-1, 1)]), Refusal.UNDECODABLE),
        (_outcomes(_set(0, ONE), through=0), Refusal.BEYOND_LOG),
        (_outcomes(_set(0, ONE, partition=1)), Refusal.BEYOND_LOG),
        (_outcomes(OutcomeSet(Outcome.UNBOUND, 0, (BitmapSegment(0, ONE),) * 1_025)), Refusal.TOO_LARGE),
    ],
)
def test_an_acknowledgement_out_of_bounds_is_refused(ack: Acknowledgement, reason: Refusal) -> None:
    """Bits beyond `through`, segments that are none, and too many of them are refused with their reason."""
    assert read_outcomes(ack) is reason


def test_an_acknowledgement_at_its_bounds_counts() -> None:
    """A bit at `through` itself, and 1,024 segments, are within bounds."""
    found = read_outcomes(_outcomes(OutcomeSet(Outcome.UNBOUND, 0, (BitmapSegment(0, ONE),) * 1_024), through=1))
    assert isinstance(found, list)
    assert len(found) == 1_024


def test_nobody_acknowledges_the_future() -> None:
    """A `through` the log does not hold, or has from over a second after the ack, is beyond the log."""
    universe = Universe()
    segment, bit = universe.at(0, 7)
    segment.note(bit, NOW_MS - DAY_MS, NOW_MS)
    assert not is_beyond_log(_ack([(0, 7)]), NOW_MS - SKEW_MS, universe)
    assert is_beyond_log(_ack([(0, 7)]), NOW_MS - SKEW_MS - 1, universe)
    assert is_beyond_log(_ack([(0, 8)]), NOW_MS, universe)
    assert is_beyond_log(_ack([(1, 0)]), NOW_MS, universe)


def test_a_digest_is_that_of_the_notice_it_is_given_for() -> None:
    """An acknowledgement that gives a notice another digest is refused whole; what is not there comes first."""
    universe, digests = Universe(), Digests({(0, 7): b"7" * 32, (0, 8): b"8" * 32, (1, 7): b"9" * 32})
    for partition, offset in digests:
        segment, bit = universe.at(partition, offset)
        segment.note(bit, NOW_MS, NOW_MS)

    def judged(*received: tuple[int, int, bytes]) -> Refusal | None:
        ack = Acknowledgement("p", bytes(16), 0, tuple(ReceivedThrough(*one) for one in received), ())
        return refusal_of_received(ack, NOW_MS, universe, digests)

    assert judged() is None
    assert judged((0, 7, b"7" * 32), (1, 7, b"9" * 32)) is None
    assert judged((0, 8, b"7" * 32)) is Refusal.WRONG_DIGEST
    assert judged((0, 7, b"7" * 32), (1, 7, b"7" * 32)) is Refusal.WRONG_DIGEST
    assert judged((0, 7, b"8" * 32), (1, 8, b"9" * 32)) is Refusal.BEYOND_LOG
    assert judged((0, 7, b"7" * 31 + b"6")) is Refusal.WRONG_DIGEST


@given(st.frozensets(st.integers(0, SEGMENT - 1), max_size=200))
def test_positions_survive_packing(offsets: frozenset[int]) -> None:
    """A segment's positions, packed, are of the form that the hub takes, and come out as they went in."""
    packed = pack(BitMap(offsets))
    assert is_segment(packed)
    assert set(unpack(packed)) == offsets
