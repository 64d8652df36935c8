"""This module counts cohorts: how the cases that opened on one UTC day stand at one platform, and how long the first
effect took.

Counts are computed a segment at a time and kept until something they depend on changes. Hours from a case's notice to
the first ack of an effect are counted once, when that ack is merged, in buckets; quantiles are read from the buckets. A
case stays in the cohort of the day on which it opened. For example, `bank` says FROZEN 5 hours after a notice: it falls
into the bucket from 4 to 8 hours, and a later UNBOUND is not counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from hub.core.coverage import EMPTY, Addition, SegmentTile
from hub.core.figures import PlatformBook, SegmentKey
from hub.core.gaps import Terms
from hub.core.model import DAY_MS, HOUR_MS, GapClass, Outcome
from hub.core.outcomes import EFFECTS
from hub.core.universe import Universe, UniverseSegment

EDGES_HOURS = (0.0, 0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 18, 24, 36, 48, 72, 96, 120, 168, 336, 720, 2_160)
"""The lower edges of the buckets. The last bucket has no upper edge and is read as its lower edge."""

_EDGES_MS = np.array([int(edge * HOUR_MS) for edge in EDGES_HOURS], dtype=np.int64)
BUCKETS = len(EDGES_HOURS)

EFFECTS_TOLD_MIN = 100
"""How many first effects a median needs before it is told to outsiders: one more or less then does not move it."""

Hours = npt.NDArray[np.uint32]
"""Counts how many first effects fell into each bucket."""


class Took(NamedTuple):
    """How long first effects took: how many there are, and the hours by which half of them had happened."""

    effects: int
    median_hours: float

    @property
    def told_hours(self) -> float | None:
        """Return what an outsider is told: the upper edge of the median's bucket; None if there are too few effects."""
        if self.effects < EFFECTS_TOLD_MIN:
            return None
        return EDGES_HOURS[min(bisect_left(EDGES_HOURS, self.median_hours), BUCKETS - 1)]


@dataclass
class CellCounts:
    """How the pairs of one platform and one day stand now."""

    in_force: int = 0
    resolved: int = 0
    takeover_safe: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)

    def add(self, other: CellCounts) -> None:
        """Add the counts of another segment."""
        self.in_force += other.in_force
        self.resolved += other.resolved
        self.takeover_safe += other.takeover_safe
        self.outcomes.update(other.outcomes)


class _KeptCells(NamedTuple):
    mark: tuple[object, ...]
    days: dict[int, CellCounts]


def quantile_hours(hours: Hours | None, share: float) -> float | None:
    """Return the hours by which a share of first effects had happened; None if there are none.

    Effects are taken to be spread evenly within a bucket.
    """
    total = 0 if hours is None else int(hours.sum())
    if hours is None or not total:
        return None
    wanted = share * total
    below = 0
    for bucket, count in enumerate(hours):
        if below + count >= wanted and count:
            if bucket + 1 == BUCKETS:
                return EDGES_HOURS[bucket]
            low, high = EDGES_HOURS[bucket], EDGES_HOURS[bucket + 1]
            return low + (high - low) * (wanted - below) / int(count)
        below += int(count)
    return EDGES_HOURS[-1]


def took(hours: Hours | None) -> Took | None:
    """Return how long first effects took, by their buckets; None if there are none."""
    median_hours = quantile_hours(hours, 0.5)
    return None if hours is None or median_hours is None else Took(int(hours.sum()), median_hours)


class Cohorts:
    """The cohorts of all platforms."""

    def __init__(self) -> None:
        self.hours: dict[tuple[str, int], Hours] = {}
        self._days: dict[SegmentKey, tuple[int, dict[int, BitMap]]] = {}
        self._kept: dict[str, dict[SegmentKey, _KeptCells]] = {}

    def first_effects(
        self, book: PlatformBook, additions: Iterable[Addition], universe: Universe, record_time: int
    ) -> set[tuple[str, int]]:
        """Count the first effects of an ack, and return the cohorts that changed. Call this before merging the ack."""
        seen: dict[SegmentKey, BitMap] = {}
        changed: set[tuple[str, int]] = set()
        for partition, number, outcome, bits, _ in additions:
            key = (partition, number)
            segment = universe.segments.get(key)
            if outcome not in EFFECTS or segment is None:
                continue
            fresh = _fresh(bits & segment.opened, book.tiles.get(key)) - seen.get(key, EMPTY)
            if fresh:
                seen[key] = seen.get(key, EMPTY) | fresh
                changed |= self._count(book.platform_id, segment, fresh, record_time)
        return changed

    def _count(self, platform: str, segment: UniverseSegment, fresh: BitMap, record_time: int) -> set[tuple[str, int]]:
        at_ms = segment.at_ms[np.asarray(fresh.to_array(), dtype=np.int64)]
        buckets = np.searchsorted(_EDGES_MS, np.maximum(record_time - at_ms, 0), side="right") - 1
        days = at_ms // DAY_MS
        changed = set()
        for day in np.unique(days):
            cohort = (platform, int(day))
            counts = np.bincount(buckets[days == day], minlength=BUCKETS).astype(np.uint32)
            before = self.hours.get(cohort)
            self.hours[cohort] = counts if before is None else before + counts
            changed.add(cohort)
        return changed

    def forget(self, platform: str) -> None:
        """Forget everything about a platform, so that it can be counted again."""
        for cohort in [one for one in self.hours if one[0] == platform]:
            del self.hours[cohort]
        self._kept.pop(platform, None)

    def hours_of(self, platform: str, days: Sequence[int]) -> Hours | None:
        """Return the first effects at a platform over some days."""
        found = [self.hours[platform, day] for day in days if (platform, day) in self.hours]
        return np.sum(found, axis=0, dtype=np.uint32) if found else None

    def cells(self, book: PlatformBook, universe: Universe, days: Sequence[int], now_ms: int) -> list[CellCounts]:
        """Return one cell for each day. Only segments in which something changed are counted again."""
        found = {day: CellCounts() for day in days}
        for key, segment in universe.segments.items():
            by_day = self._days_of(key, segment)
            if found.keys().isdisjoint(by_day):
                continue
            for day, counts in self._segment(book, universe, key, by_day, now_ms).items():
                if day in found:
                    found[day].add(counts)
        return [found[day] for day in days]

    def _days_of(self, key: SegmentKey, segment: UniverseSegment) -> dict[int, BitMap]:
        kept = self._days.get(key)
        if kept is None or kept[0] != segment.version:
            bits = np.asarray(segment.opened.to_array(), dtype=np.uint32)
            days = segment.at_ms[bits] // DAY_MS
            by_day = {int(day): BitMap(bits[days == day]) for day in np.unique(days)}
            kept = self._days[key] = (segment.version, by_day)
        return kept[1]

    def _segment(
        self, book: PlatformBook, universe: Universe, key: SegmentKey, by_day: dict[int, BitMap], now_ms: int
    ) -> dict[int, CellCounts]:
        assert book.platform is not None, "cells need the roster record"
        reported = book.disputes.open_in(book.platform_id, *key)
        terms = Terms.of(book.platform)
        mark = (universe.segments[key].version, book.version_of(key), terms, reported.copy() if reported else None)
        kept = self._kept.setdefault(book.platform_id, {})
        if key not in kept or kept[key].mark != mark:
            pairs = book.pairs(universe, key, now_ms)
            safe = pairs.resolved | pairs.gaps[GapClass.FROZEN]  # as in the overview: disputed pairs are not safe
            kept[key] = _KeptCells(
                mark,
                {
                    day: CellCounts(
                        len(pairs.in_force & bits),
                        len(pairs.resolved & bits),
                        len(safe & bits),
                        Counter({one: n for one, shown in pairs.shown.items() if (n := len(shown & bits))}),
                    )
                    for day, bits in by_day.items()
                },
            )
        return kept[key].days


def _fresh(bits: BitMap, tile: SegmentTile | None) -> BitMap:
    if tile is not None:
        for outcome in EFFECTS:
            if bits:
                bits = bits - tile.of(outcome)
    return bits
