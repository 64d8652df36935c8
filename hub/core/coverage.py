"""Coverage: what platforms said, as sets that only grow.

For each (platform, partition, segment of 65,536 positions) one Roaring bitmap per outcome ever said, and per
(platform, partition) how far it received, merged by maximum. Merging is OR: idempotent, commutative,
associative; so redelivery, replay, reordering and restarts cannot change the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pyroaring import BitMap

from hub.core.model import SEGMENT, Acknowledgement, Outcome, Refusal, Said
from hub.core.roaring import is_segment

SEGMENTS_MAX = 1_024
"""Segments an acknowledgement may hold: 64 M positions, and a bound on the work one message can ask for."""


class Addition(NamedTuple):
    """Positions to add to one tile: offsets within the segment."""

    partition: int
    segment: int
    outcome: Outcome
    bits: BitMap


class SegmentTile:
    """Everything one platform ever said of one segment."""

    __slots__ = ("said",)

    def __init__(self) -> None:
        self.said: dict[Outcome, BitMap] = {}

    def add(self, outcome: Outcome, bits: BitMap) -> bool:
        """Add positions; whether that changed anything."""
        known = self.said.get(outcome)
        if known is None:
            if not bits:
                return False
            self.said[outcome] = BitMap(bits)
            return True
        before = len(known)
        known |= bits
        return len(known) != before

    def of(self, outcome: Outcome) -> BitMap:
        """Positions for which this outcome was ever said."""
        return self.said.get(outcome, EMPTY)

    def packed(self) -> tuple[Said, ...]:
        """The tile as its record holds it, outcomes in order."""
        return tuple(Said(outcome, pack(self.said[outcome])) for outcome in Outcome if self.said.get(outcome))

    def merge(self, said: Iterable[Said]) -> None:
        """OR a stored tile into this one."""
        for one in said:
            self.add(one.outcome, unpack(one.bitmap))


EMPTY = BitMap()


def pack(bits: BitMap) -> bytes:
    """The portable Roaring form (github.com/RoaringBitmap/RoaringFormatSpec), runs where they are smaller."""
    copy = BitMap(bits)
    copy.run_optimize()
    return bytes(copy.serialize())


def unpack(data: bytes) -> BitMap:
    """A bitmap of our own making.

    Raises:
        ValueError: it is none.
    """
    return BitMap.deserialize(data)


def read_outcomes(ack: Acknowledgement) -> list[Addition] | Refusal:
    """The positions an acknowledgement names, checked against its own `through`."""
    # Plain loops: this runs once a message, and most messages name one segment.
    through: dict[int, int] = {}
    for partition, last, _ in ack.received:
        if partition < 0 or partition in through:
            return Refusal.UNDECODABLE
        through[partition] = last
    segments = 0
    for one in ack.outcomes:
        segments += len(one.cases)
    if segments > SEGMENTS_MAX:
        return Refusal.TOO_LARGE
    found: list[Addition] = []
    for outcome, partition, cases, _ in ack.outcomes:
        limit = through.get(partition, -1)
        for base, bitmap in cases:
            if base < 0 or base % SEGMENT or not is_segment(bitmap):
                return Refusal.UNDECODABLE
            bits = BitMap.deserialize(bitmap)
            if not bits:
                continue
            if base + bits.max() > limit:
                return Refusal.BEYOND_LOG
            found.append(Addition(partition, base // SEGMENT, outcome, bits))
    return found
