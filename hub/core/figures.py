"""This module counts a platform's figures over its segments, and keeps them until something they depend on changes.

For example, an ack changes the tile (7, 1) of `bank`: only that segment is counted again, and all segments are summed.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from hub.core.coverage import SegmentTile, pack
from hub.core.gaps import Pairs, Terms, classify
from hub.core.model import (
    SEGMENT,
    AsOf,
    Coverage,
    GapBitmap,
    GapClass,
    GapCount,
    Gaps,
    Key,
    Outcome,
    OutcomeCount,
    PartitionThrough,
    Platform,
)
from hub.core.reports import Disputes
from hub.core.universe import Universe

SegmentKey = tuple[int, int]
NOTHING_SAID = SegmentTile()


class _Counts(NamedTuple):
    in_force: int
    resolved: int
    overdue: int
    exposed: int
    incident: int
    restore_pending: int
    disputes: int


class _Kept(NamedTuple):
    mark: tuple[object, ...]
    counts: _Counts
    outcomes: Counter[Outcome]
    gaps: Counter[GapClass]


class PlatformBook:
    """What one platform said, how far it received, and the figures that follow from it."""

    def __init__(self, platform_id: str, platform: Platform | None, disputes: Disputes | None = None) -> None:
        self.platform_id = platform_id
        self.disputes = disputes or Disputes()
        self.platform = platform
        """Its roster record; None while it is not known. There are no figures then."""
        self.judged_by: tuple[Key, ...] = ()
        """The keys that decide which acknowledgements count in this book."""
        self.tiles: dict[SegmentKey, SegmentTile] = {}
        self.received: dict[int, int] = {}
        self._tile_versions: dict[SegmentKey, int] = {}
        self._kept: dict[SegmentKey, _Kept] = {}

    def tile(self, key: SegmentKey) -> SegmentTile:
        """Return the tile of a segment. It is made if there is none."""
        tile = self.tiles.get(key)
        if tile is None:
            tile = self.tiles[key] = SegmentTile()
        return tile

    def touch(self, key: SegmentKey) -> None:
        """Note that a tile changed."""
        self._tile_versions[key] = self._tile_versions.get(key, 0) + 1

    def version_of(self, key: SegmentKey) -> int:
        """Return how often a tile changed. Equal versions mean equal tiles."""
        return self._tile_versions.get(key, 0)

    def receive(self, partition: int, through: int) -> bool:
        """Merge how far a partition was received. Return whether that changed anything."""
        if self.received.get(partition, -1) >= through:
            return False
        self.received[partition] = through
        return True

    def _terms(self) -> Terms:
        assert self.platform is not None, "figures need the roster record"
        return Terms.of(self.platform)

    def pairs(self, universe: Universe, key: SegmentKey, now_ms: int) -> Pairs:
        """Return the pairs of one segment, as sets."""
        received = self.received.get(key[0], -1) - key[1] * SEGMENT
        return classify(
            universe.segments[key],
            self.tiles.get(key, NOTHING_SAID),
            self._terms(),
            max(-1, min(received, SEGMENT - 1)),
            now_ms,
            self.disputes.open_in(self.platform_id, *key),
        )

    def refresh(self, universe: Universe, now_ms: int) -> list[SegmentKey]:
        """Compute again the segments whose figures may have changed, and return these segments."""
        terms = self._terms()
        moved = []
        for key, segment in universe.segments.items():
            received = max(-1, min(self.received.get(key[0], -1) - key[1] * SEGMENT, SEGMENT - 1))
            reported = self.disputes.open_in(self.platform_id, *key)
            mark = (
                segment.mark(terms.limit_ms, now_ms),
                self._tile_versions.get(key, 0),
                received,
                terms,
                reported.copy() if reported else None,
            )
            kept = self._kept.get(key)
            if kept is None or kept.mark != mark:
                self._kept[key] = _count(mark, self.pairs(universe, key, now_ms))
                moved.append(key)
        return moved

    def coverage(self, as_of: AsOf) -> Coverage:
        """Return the coverage record of the figures that were last refreshed."""
        counts = [sum(column) for column in zip(*(kept.counts for kept in self._kept.values()), strict=True)]
        total = _Counts(*counts) if counts else _Counts(0, 0, 0, 0, 0, 0, 0)
        outcomes: Counter[Outcome] = Counter()
        gaps: Counter[GapClass] = Counter()
        for kept in self._kept.values():
            outcomes.update(kept.outcomes)
            gaps.update(kept.gaps)
        return Coverage(
            platform=self.platform_id,
            state=self._terms().state,
            outcomes=tuple(OutcomeCount(one, outcomes[one]) for one in Outcome if outcomes[one]),
            gaps=tuple(GapCount(one, gaps[one]) for one in GapClass if gaps[one]),
            received=tuple(PartitionThrough(*one) for one in sorted(self.received.items())),
            as_of=as_of,
            **total._asdict(),
        )

    def gaps(self, universe: Universe, key: SegmentKey, as_of: AsOf) -> Gaps:
        """Return the record that holds the gaps of one segment."""
        pairs = self.pairs(universe, key, as_of.now_ms)
        return Gaps(
            platform=self.platform_id,
            partition=key[0],
            segment=key[1],
            classes=tuple(GapBitmap(one, pack(pairs.gaps[one])) for one in GapClass if pairs.gaps.get(one)),
            overdue=pack(pairs.overdue),
            exposed=pack(pairs.exposed),
            incident=pack(pairs.incident),
            restore_pending=pack(pairs.restore_pending),
            as_of=as_of,
        )


def _count(mark: tuple[object, ...], pairs: Pairs) -> _Kept:
    return _Kept(
        mark,
        _Counts(
            in_force=len(pairs.in_force),
            resolved=len(pairs.resolved),
            overdue=len(pairs.overdue),
            exposed=len(pairs.exposed),
            incident=len(pairs.incident),
            restore_pending=len(pairs.restore_pending),
            disputes=len(pairs.disputes),
        ),
        Counter({outcome: len(bits) for outcome, bits in pairs.shown.items() if bits}),
        Counter({gap: len(bits) for gap, bits in pairs.gaps.items() if bits}),
    )
