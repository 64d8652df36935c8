"""This module keeps what an adapter knows of the log: the stage of every case, and what was said of it. It is pure.

A case's stage is one byte at its position: 0 for none, else 1 + the index of its stage in `Stage`, with the bit
ANSWERED once something was said. The bytes are kept by segments of 65,536 positions, as the hub's bitmaps are. For
example, the stage of case 7-120033 is byte 54497 of segment 1 of partition 7.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyroaring import BitMap

from hub.core.model import SEGMENT, Outcome, OutcomeReason, Source, Stage
from hub.sdk.accounts import SaidKey

STAGES: tuple[Stage, ...] = tuple(Stage)
ANSWERED = 0x40


class Stages:
    """This holds the stages of cases, in the segments that a batch needs."""

    def __init__(self, known: dict[tuple[int, int], bytes]) -> None:
        self._segments = {key: bytearray(value) for key, value in known.items()}
        self._changed: set[tuple[int, int]] = set()

    def _byte(self, case: Source) -> int:
        segment = self._segments.get((case.partition, case.offset // SEGMENT))
        return 0 if segment is None else segment[case.offset % SEGMENT]

    def of(self, case: Source) -> Stage | None:
        """Return the stage of a case, or None if no case opened at that position."""
        code = self._byte(case) & ~ANSWERED
        return STAGES[code - 1] if code else None

    def answered(self, case: Source) -> bool:
        """Return whether anything was said of a case."""
        return bool(self._byte(case) & ANSWERED)

    def put(self, case: Source, stage: Stage, *, answered: bool) -> None:
        """Move a case to a stage."""
        key = (case.partition, case.offset // SEGMENT)
        segment = self._segments.setdefault(key, bytearray(SEGMENT))
        segment[case.offset % SEGMENT] = 1 + STAGES.index(stage) | (ANSWERED if answered else 0)
        self._changed.add(key)

    def changed(self) -> dict[tuple[int, int], bytes]:
        """Return the whole bytes of the segments that changed."""
        return {key: bytes(self._segments[key]) for key in self._changed}


class Sayings:
    """This holds what a batch says: positions by outcome and segment."""

    def __init__(self) -> None:
        self.said: dict[SaidKey, BitMap] = {}
        self.words = 0

    def say(self, case: Source, outcome: Outcome, reason: OutcomeReason | None = None) -> None:
        """Say an outcome of one case."""
        self.words += 1
        self._bits(case, outcome, reason).add(case.offset % SEGMENT)

    def unsay_not_bound(self, opener: Source) -> None:
        """Take an opener out of the range of which NOT_BOUND is said."""
        self._bits(opener, Outcome.NOT_BOUND).discard(opener.offset % SEGMENT)

    def say_not_bound(self, partition: int, first: int, last: int) -> None:
        """Say NOT_BOUND of a whole range, both ends included."""
        for segment, start, stop in _by_segment(first, last):
            bits = self._bits(Source(partition, segment * SEGMENT), Outcome.NOT_BOUND)
            bits.add_range(start, stop)

    def _bits(self, case: Source, outcome: Outcome, reason: OutcomeReason | None = None) -> BitMap:
        return self.said.setdefault(SaidKey(case.partition, case.offset // SEGMENT, outcome, reason), BitMap())


def _by_segment(first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Yield the segments of a range, each with its first bit and the bit after its last."""
    for segment in range(first // SEGMENT, last // SEGMENT + 1):
        base = segment * SEGMENT
        yield segment, max(first - base, 0), min(last + 1 - base, SEGMENT)
