"""The universe of pairs: which positions of `releases` open a case, how it stands, and when it is due.

Kept per segment of 65,536 positions: sets by stage as Roaring bitmaps, times as packed arrays. `version` moves
whenever something that figures depend on changed, so that figures are worked out again only then.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from hub.core.lifecycle import UNDONE
from hub.core.model import DAY_MS, SEGMENT, Stage

RESOLVE_BEFORE_REISSUE_MS = 7 * DAY_MS
"""Unbinding that begins at reissue is already too late: this much earlier a pair must be resolved."""

NO_TIME = np.iinfo(np.int64).max
"""In place of a time that is not set: later than any."""

STAGES: tuple[Stage, ...] = tuple(Stage)


class DueSets(NamedTuple):
    """Positions past their deadline at one time: any gap of a tier's limit, and a frozen one."""

    any_gap: BitMap
    frozen: BitMap


class UniverseSegment:
    """One segment: `opened` positions, their sets by stage, and their times (milliseconds, UTC)."""

    def __init__(self) -> None:
        self.version = 0
        self.opened = BitMap()
        self.by_stage: dict[Stage, BitMap] = {stage: BitMap() for stage in Stage}
        self.at_ms: npt.NDArray[np.int64] = np.full(SEGMENT, NO_TIME, dtype=np.int64)
        self.reissue_ms: npt.NDArray[np.int64] = np.full(SEGMENT, NO_TIME, dtype=np.int64)
        self._due: dict[int, tuple[int, int, DueSets]] = {}
        self._due_version = 0

    def note(self, bit: int, at_ms: int) -> None:
        """Remember when the notice at a position was published, opener or not."""
        self.at_ms[bit] = at_ms

    def open(self, bit: int, stage: Stage, at_ms: int, reissue_ms: int | None) -> None:
        """A case opens at a position."""
        self.opened.add(bit)
        self.by_stage[stage].add(bit)
        self.at_ms[bit] = at_ms
        self.reissue_ms[bit] = NO_TIME if reissue_ms is None else reissue_ms
        self.version += 1

    def move(self, bit: int, stage: Stage) -> None:
        """The case that opened at a position moves to a stage."""
        for members in self.by_stage.values():
            members.discard(bit)
        self.by_stage[stage].add(bit)
        self.version += 1

    @property
    def undone(self) -> BitMap:
        """Cases that no longer count."""
        return BitMap.union(*(self.by_stage[stage] for stage in sorted(UNDONE)))

    def opened_before(self, at_ms: int) -> BitMap:
        """Cases opened before a time."""
        return BitMap(np.flatnonzero(self.at_ms < at_ms).astype(np.uint32)) & self.opened

    def due(self, limit_ms: int, now_ms: int) -> DueSets:
        """Positions past their deadline, for a tier's limit. Kept until time or the segment moves."""
        kept = self._due.get(limit_ms)
        if kept is not None and kept[:2] == (now_ms, self.version):
            return kept[2]
        fresh = self._due_at(limit_ms, now_ms)
        if kept is None or kept[2] != fresh:
            self._due_version += 1
        self._due[limit_ms] = (now_ms, self.version, fresh)
        return fresh

    def mark(self, limit_ms: int, now_ms: int) -> tuple[int, int, int]:
        """What figures of this segment depend on: equal marks, equal figures."""
        due = self.due(limit_ms, now_ms)
        return self.version, len(due.any_gap), len(due.frozen)

    def _due_at(self, limit_ms: int, now_ms: int) -> DueSets:
        bits = np.asarray(self.opened.to_array(), dtype=np.int64)
        if not len(bits):
            return DueSets(BitMap(), BitMap())
        by_limit = self.at_ms[bits] <= now_ms - limit_ms
        reissue = self.reissue_ms[bits]
        by_reissue = (reissue != NO_TIME) & (reissue <= now_ms + RESOLVE_BEFORE_REISSUE_MS)
        frozen = np.where(reissue != NO_TIME, by_reissue, by_limit)
        return DueSets(BitMap(bits[by_limit | by_reissue].astype(np.uint32)), BitMap(bits[frozen].astype(np.uint32)))


class Universe:
    """All segments of all partitions."""

    def __init__(self) -> None:
        self.segments: dict[tuple[int, int], UniverseSegment] = {}

    def at(self, partition: int, offset: int) -> tuple[UniverseSegment, int]:
        """The segment of a position and the bit in it; made if new."""
        key = (partition, offset // SEGMENT)
        segment = self.segments.get(key)
        if segment is None:
            segment = self.segments[key] = UniverseSegment()
        return segment, offset % SEGMENT

    def published_at(self, partition: int, offset: int) -> int | None:
        """When the event behind the notice at a position was recorded; None if no notice is known there."""
        segment = self.segments.get((partition, offset // SEGMENT))
        if segment is None:
            return None
        at_ms = int(segment.at_ms[offset % SEGMENT])
        return None if at_ms == NO_TIME else at_ms

    def cases_by_stage(self) -> dict[Stage, int]:
        """How many cases stand at each stage."""
        return {stage: sum(len(one.by_stage[stage]) for one in self.segments.values()) for stage in Stage}
