"""This module keeps which positions of `releases` open a case, in which stage the case is, and when it is due.

It keeps them by segment of 65,536 positions: the sets by stage as Roaring bitmaps, the times as packed arrays.
`version` changes whenever something changes that figures depend on, so that figures are computed again only then. For
example, case 7-120033 is bit 54,497 of segment 1 of partition 7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from hub.core.lifecycle import UNDONE
from hub.core.model import DAY_MS, SEGMENT, Stage

RESOLVE_BEFORE_REISSUE_MS = 7 * DAY_MS
"""How long before reissue a pair must be resolved: unbinding that begins at reissue is already too late."""

NO_TIME = np.iinfo(np.int64).max
"""Stands for a time that is not set; it is later than any time."""

LAG_MAX_MS = np.iinfo(np.int32).max
"""The largest delay between an event and its notice that can be stored: 24 days."""

STAGES: tuple[Stage, ...] = tuple(Stage)


class DueSets(NamedTuple):
    """The positions past their deadline at one time, for any gap under a tier's limit, and for a frozen one."""

    any_gap: BitMap
    frozen: BitMap


class _KeptDue(NamedTuple):
    """Due sets, which hold from the last deadline in them until just before the first deadline that is not in them."""

    since_ms: int
    until_ms: int
    sets: DueSets


class UniverseSegment:
    """One segment: `opened` positions, their sets by stage, and their times (milliseconds, UTC)."""

    def __init__(self) -> None:
        self.version = 0
        self.opened = BitMap()
        self.by_stage: dict[Stage, BitMap] = {stage: BitMap() for stage in Stage}
        self.at_ms: npt.NDArray[np.int64] = np.full(SEGMENT, NO_TIME, dtype=np.int64)
        self.reissue_ms: npt.NDArray[np.int64] = np.full(SEGMENT, NO_TIME, dtype=np.int64)
        self.lag_ms: npt.NDArray[np.int32] = np.zeros(SEGMENT, dtype=np.int32)
        """The time from the record of the event (`at_ms`) to the record of its notice."""
        self._due: dict[int, _KeptDue] = {}

    def note(self, bit: int, at_ms: int, recorded_at: int) -> None:
        """Note when the event of the notice at a position was recorded, and when the notice was, opener or not."""
        self.at_ms[bit] = at_ms
        self.lag_ms[bit] = max(-LAG_MAX_MS, min(recorded_at - at_ms, LAG_MAX_MS))

    def open(self, bit: int, stage: Stage, at_ms: int, reissue_ms: int | None) -> None:
        """Note that a case opens at a position."""
        self.opened.add(bit)
        self.by_stage[stage].add(bit)
        self.at_ms[bit] = at_ms
        self.reissue_ms[bit] = NO_TIME if reissue_ms is None else reissue_ms
        self._due.update({limit: _with_opener(limit, kept, at_ms, reissue_ms) for limit, kept in self._due.items()})
        self.version += 1

    def load(self, stages: npt.NDArray[np.uint8]) -> None:
        """Take in what was stored for every position: 0, or one more than the index of its stage in `STAGES`."""
        self.opened = BitMap(np.flatnonzero(stages).astype(np.uint32))
        for code, stage in enumerate(STAGES, start=1):
            self.by_stage[stage] = BitMap(np.flatnonzero(stages == code).astype(np.uint32))
        self._due.clear()
        self.version += 1

    def move(self, bit: int, stage: Stage) -> None:
        """Note that the case that opened at a position moves to a stage."""
        for members in self.by_stage.values():
            members.discard(bit)
        self.by_stage[stage].add(bit)
        self.version += 1

    @property
    def undone(self) -> BitMap:
        """Return the cases that no longer count."""
        return BitMap.union(*(self.by_stage[stage] for stage in sorted(UNDONE)))

    def opened_before(self, at_ms: int) -> BitMap:
        """Return the cases opened before a time."""
        return BitMap(np.flatnonzero(self.at_ms < at_ms).astype(np.uint32)) & self.opened

    def due(self, limit_ms: int, now_ms: int) -> DueSets:
        """Return the positions past their deadline under a tier's limit, kept until time or a new case passes one."""
        kept = self._due.get(limit_ms)
        if kept is None or not kept.since_ms <= now_ms < kept.until_ms:
            kept = self._due[limit_ms] = self._due_at(limit_ms, now_ms)
        return kept.sets

    def mark(self, limit_ms: int, now_ms: int) -> tuple[int, int, int]:
        """Return what figures of this segment depend on. Equal marks mean equal figures."""
        due = self.due(limit_ms, now_ms)
        return self.version, len(due.any_gap), len(due.frozen)

    def _due_at(self, limit_ms: int, now_ms: int) -> _KeptDue:
        bits = np.asarray(self.opened.to_array(), dtype=np.int64)
        by_limit, reissue = self.at_ms[bits] + limit_ms, self.reissue_ms[bits]
        frozen = np.where(reissue == NO_TIME, by_limit, reissue - RESOLVE_BEFORE_REISSUE_MS)
        any_gap = np.minimum(by_limit, frozen)
        deadlines = np.concatenate((any_gap, frozen))
        past = deadlines <= now_ms
        return _KeptDue(
            since_ms=int(deadlines.max(where=past, initial=-NO_TIME)),
            until_ms=int(deadlines.min(where=~past, initial=NO_TIME)),
            sets=DueSets(
                BitMap(bits[any_gap <= now_ms].astype(np.uint32)), BitMap(bits[frozen <= now_ms].astype(np.uint32))
            ),
        )


def _with_opener(limit_ms: int, kept: _KeptDue, at_ms: int, reissue_ms: int | None) -> _KeptDue:
    """Return the kept due sets after a case opened. If the case's deadline has already passed, they no longer hold."""
    by_limit = at_ms + limit_ms
    deadline = by_limit if reissue_ms is None else min(by_limit, reissue_ms - RESOLVE_BEFORE_REISSUE_MS)
    return kept._replace(until_ms=min(kept.until_ms, deadline))


class Universe:
    """Keeps all segments of all partitions."""

    def __init__(self) -> None:
        self.segments: dict[tuple[int, int], UniverseSegment] = {}

    def at(self, partition: int, offset: int) -> tuple[UniverseSegment, int]:
        """Return the segment of a position, and the bit in it. The segment is made if there is none."""
        key = (partition, offset // SEGMENT)
        segment = self.segments.get(key)
        if segment is None:
            segment = self.segments[key] = UniverseSegment()
        return segment, offset % SEGMENT

    def recorded_at(self, partition: int, offset: int) -> int | None:
        """Return when the notice at a position was recorded; None if no notice is known there."""
        segment = self.segments.get((partition, offset // SEGMENT))
        if segment is None:
            return None
        at_ms = int(segment.at_ms[offset % SEGMENT])
        return None if at_ms == NO_TIME else at_ms + int(segment.lag_ms[offset % SEGMENT])
