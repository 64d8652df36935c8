"""This module computes one pair at a time: what is shown for a case at a platform, and its gap. The rules are those of
`hub.core.gaps`.

`classify` there sorts a whole segment of 65,536 cases at once; here a few cases are looked up at many platforms. A
property test checks that both give the same. For example, `bank` said NOT_BOUND of 7-120033, and a report about this
pair is not answered: NOT_BOUND is shown, and the gap is DISPUTED.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyroaring import BitMap

from hub.core.coverage import SegmentTile
from hub.core.figures import NOTHING_SAID, PlatformBook, SegmentKey
from hub.core.gaps import Terms, deadline
from hub.core.lifecycle import UNDONE
from hub.core.model import SEGMENT, GapClass, Outcome, Platform, PlatformState, Source, Stage
from hub.core.outcomes import AGAINST_NOT_BOUND, GAP_OF, RESOLVES, SHOWN_FIRST, TOUCHED
from hub.core.universe import NO_TIME, Universe

GAPS_AGAINST_NOT_BOUND = AGAINST_NOT_BOUND - RESOLVES
"""What makes a gap of an undisputed NOT_BOUND."""


class CaseNow(NamedTuple):
    """What the pairs of a case depend on: its stage, when it was published, and when the number may be reissued."""

    position: Source
    stage: Stage
    published_at: int
    reissue_not_before: int | None

    @property
    def undone(self) -> bool:
        """Return whether the case no longer counts."""
        return self.stage in UNDONE


class PairNow(NamedTuple):
    """One case at one platform. `gap` is None if the pair is resolved or not in force."""

    platform: Platform
    in_force: bool
    shown: Outcome | None
    gap: GapClass | None
    overdue: bool
    disputed: bool
    restore_pending: bool
    received: bool
    deadline_at: int


def case_at(universe: Universe, position: Source) -> CaseNow | None:
    """Return the case that opened at a position; None if no case opened there."""
    segment = universe.segments.get((position.partition, position.offset // SEGMENT))
    bit = position.offset % SEGMENT
    if segment is None or bit not in segment.opened:
        return None
    stage = next(one for one, members in segment.by_stage.items() if bit in members)
    reissue = int(segment.reissue_ms[bit])
    return CaseNow(position, stage, int(segment.at_ms[bit]), None if reissue == NO_TIME else reissue)


def pair_of(book: PlatformBook, case: CaseNow, now_ms: int) -> PairNow:
    """Return how a case stands at a platform whose roster record is known."""
    assert book.platform is not None, "pairs need the roster record"
    terms = Terms.of(book.platform)
    partition, offset = case.position
    key, bit = (partition, offset // SEGMENT), offset % SEGMENT
    said = {one for one, bits in book.tiles.get(key, NOTHING_SAID).said.items() if bit in bits}
    received = offset <= book.received.get(partition, -1)
    shown = _shown(said, undone=case.undone)
    spoken = shown is not None and shown is not Outcome.REINSTATED
    against_report = spoken and bit in book.disputes.open_in(book.platform_id, *key)
    contradictory = Outcome.NOT_BOUND in said and bool(said & AGAINST_NOT_BOUND)
    disputed = against_report or (contradictory and shown is not Outcome.UNBOUND)
    in_force = _in_force(terms, case)
    gap = _gap(terms, shown, disputed=disputed, received=received) if in_force else None
    due_at = deadline(terms, case.published_at, case.reissue_not_before, frozen=shown is Outcome.FROZEN)
    return PairNow(
        platform=book.platform,
        in_force=in_force,
        shown=shown,
        gap=gap,
        overdue=gap is not None and now_ms >= due_at,
        disputed=against_report or contradictory,
        restore_pending=case.undone and bool(said & TOUCHED) and Outcome.REINSTATED not in said,
        received=received,
        deadline_at=due_at,
    )


def open_pairs(
    books: Iterable[PlatformBook], cases: Iterable[CaseNow], now_ms: int
) -> Iterator[tuple[Source, PairNow]]:
    """Yield every gap of some cases at some platforms. What is clearly resolved is skipped a segment at a time."""
    by_segment: dict[SegmentKey, dict[int, CaseNow]] = {}
    for case in cases:
        if not case.undone:
            key = (case.position.partition, case.position.offset // SEGMENT)
            by_segment.setdefault(key, {})[case.position.offset % SEGMENT] = case
    asked = [(key, found, BitMap(found)) for key, found in by_segment.items()]
    for book in books:
        for key, found, bits in asked:
            tile = book.tiles.get(key)
            reported = book.disputes.open_in(book.platform_id, *key)
            if tile is not None and not reported and _all_not_bound(tile, bits):
                continue  # this is so at nearly every platform of nearly every number
            left = bits if tile is None else bits - _plainly_resolved(tile, bits, reported)
            for bit in left:
                pair = pair_of(book, found[bit], now_ms)
                if pair.gap is not None:
                    yield found[bit].position, pair


def _all_not_bound(tile: SegmentTile, bits: BitMap) -> bool:
    """Return whether all of these are NOT_BOUND and nothing else speaks against it; no set is built for it."""
    said = tile.said
    not_bound = said.get(Outcome.NOT_BOUND)
    if not_bound is None or not bits.issubset(not_bound):
        return False
    return not any(one in said and bits.intersect(said[one]) for one in GAPS_AGAINST_NOT_BOUND)


def _plainly_resolved(tile: SegmentTile, bits: BitMap, reported: BitMap) -> BitMap:
    not_bound = bits & tile.of(Outcome.NOT_BOUND)
    if not_bound:
        not_bound = not_bound.difference(*(tile.of(one) for one in GAPS_AGAINST_NOT_BOUND))
    resolved = not_bound | (bits & tile.of(Outcome.UNBOUND))
    return resolved - reported if reported else resolved


def _shown(said: set[Outcome], *, undone: bool) -> Outcome | None:
    if undone and Outcome.REINSTATED in said:
        return Outcome.REINSTATED
    return next((one for one in SHOWN_FIRST if one in said), None)


def _in_force(terms: Terms, case: CaseNow) -> bool:
    if case.undone or terms.state is PlatformState.EXEMPT:
        return False
    return terms.left_at is None or case.published_at < terms.left_at


def _gap(terms: Terms, shown: Outcome | None, *, disputed: bool, received: bool) -> GapClass | None:
    if disputed:
        return GapClass.DISPUTED
    if shown in RESOLVES:
        return None
    if shown is not None:
        return GAP_OF[shown]
    if terms.state is not PlatformState.CONNECTED:
        return GapClass.NOT_CONNECTED
    return GapClass.NO_OUTCOME if received else GapClass.NOT_RECEIVED
