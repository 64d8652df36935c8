"""What an acknowledgement does to a platform's book, and whether the log already holds what it names."""

from __future__ import annotations

from collections.abc import Iterable

from hub.core.coverage import Addition
from hub.core.figures import PlatformBook, SegmentKey
from hub.core.model import MINUTE_MS, Acknowledgement
from hub.core.universe import Universe

FUTURE_MS = 5 * MINUTE_MS
"""How much younger than the acknowledgement the notice at `through` may be, by record time: clock skew."""


def is_beyond_log(ack: Acknowledgement, record_time: int, universe: Universe) -> bool:
    """Whether it names a `through` that the log does not hold, or holds from a time after the ack.

    `universe` must have folded everything that the log holds now.
    """
    for partition, through, _ in ack.received:
        published_at = universe.published_at(partition, through)
        if published_at is None or published_at > record_time + FUTURE_MS:
            return True
    return False


def apply(book: PlatformBook, ack: Acknowledgement, additions: Iterable[Addition]) -> tuple[set[SegmentKey], set[int]]:
    """Merge an acknowledgement; which segments and which partitions' `received` changed."""
    tiles = set()
    for partition, segment, outcome, bits in additions:
        key = (partition, segment)
        if book.tile(key).add(outcome, bits):
            book.touch(key)
            tiles.add(key)
    received = set()
    for partition, through, _ in ack.received:
        if book.receive(partition, through):
            received.add(partition)
    return tiles, received
