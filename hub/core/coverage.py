"""This module keeps what platforms said, as sets that only grow.

For each (platform, partition, segment of 65,536 positions) there is one Roaring bitmap for each outcome ever said. For
each (platform, partition) there is a place up to which it received, merged by maximum. Bitmaps are merged by OR, which
is idempotent, commutative and associative; so redelivery, replay, reordering and restarts cannot change the answer. For
example, `bank` says FROZEN and later UNBOUND of 7-120033: bit 54,497 of segment 1 is then set in both bitmaps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pyroaring import BitMap

from hub.core.model import SEGMENT, Acknowledgement, Outcome, OutcomeReason, Refusal, Said
from hub.core.roaring import is_segment

SEGMENTS_MAX = 1_024
"""How many segments an acknowledgement may hold: 64 M positions. It bounds the work that one message can ask for."""


class Addition(NamedTuple):
    """Positions to add to one tile. `bits` are offsets within the segment."""

    partition: int
    segment: int
    outcome: Outcome
    bits: BitMap
    reason: OutcomeReason | None = None


class SegmentTile:
    """Everything that one platform ever said of one segment."""

    __slots__ = ("in_use", "said")

    def __init__(self) -> None:
        self.said: dict[Outcome, BitMap] = {}
        self.in_use: BitMap | None = None
        """The positions declined because the number is in use. A set that only grows, beside that of DECLINED."""

    def add(self, outcome: Outcome, bits: BitMap, reason: OutcomeReason | None = None) -> bool:
        """Add positions. Return whether that changed anything. A reason of another outcome than its own is ignored."""
        changed = False
        if reason is OutcomeReason.IN_USE and outcome is Outcome.DECLINED and bits:
            if self.in_use is None:
                self.in_use = BitMap()
            changed = _grow(self.in_use, bits)
        known = self.said.get(outcome)
        if known is None:
            if not bits:
                return changed
            self.said[outcome] = BitMap(bits)
            return True
        return _grow(known, bits) or changed

    def of(self, outcome: Outcome) -> BitMap:
        """Return the positions for which this outcome was ever said."""
        return self.said.get(outcome, EMPTY)

    def packed(self) -> tuple[Said, ...]:
        """Return the tile as its record holds it, with outcomes in the order of the enum."""
        said = [Said(outcome, pack(self.said[outcome])) for outcome in Outcome if self.said.get(outcome)]
        if self.in_use:
            said.append(Said(Outcome.DECLINED, pack(self.in_use), OutcomeReason.IN_USE))
        return tuple(said)

    def merge(self, said: Iterable[Said]) -> None:
        """OR a stored tile into this one."""
        for one in said:
            self.add(one.outcome, unpack(one.bitmap), one.reason)


EMPTY = BitMap()


def _grow(known: BitMap, bits: BitMap) -> bool:
    """Add positions to a set in place. Return whether that changed it."""
    before = len(known)
    known |= bits
    return len(known) != before


def pack(bits: BitMap) -> bytes:
    """Return the portable Roaring form (github.com/RoaringBitmap/RoaringFormatSpec), runs where they are smaller."""
    copy = BitMap(bits)
    copy.run_optimize()
    return bytes(copy.serialize())


def unpack(data: bytes) -> BitMap:
    """Return the bitmap in bytes that the hub itself packed.

    Raises:
        ValueError: the bytes are not a bitmap.
    """
    return BitMap.deserialize(data)


def read_outcomes(ack: Acknowledgement) -> list[Addition] | Refusal:
    """Return the positions an acknowledgement names, checked against its own `through`; or why it is refused."""
    # Plain loops are used: this runs once for each message, and most messages name one segment.
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
    for outcome, partition, cases, _, reason in ack.outcomes:
        limit = through.get(partition, -1)
        for base, bitmap in cases:
            if base < 0 or base % SEGMENT or not is_segment(bitmap):
                return Refusal.UNDECODABLE
            bits = BitMap.deserialize(bitmap)
            if not bits:
                continue
            if base + bits.max() > limit:
                return Refusal.BEYOND_LOG
            found.append(Addition(partition, base // SEGMENT, outcome, bits, reason))
    return found
