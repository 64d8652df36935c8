"""What an acknowledgement does to a platform's book, and whether it names what came later than itself.

An acknowledgement is judged by record times alone, so that whoever reads the logs, and whenever, finds the same: it is
beyond the log if a notice it names is not there, or was recorded over `SKEW_MS` after it. Whoever reads it before such
a notice waits until what is recorded from then on is too late for it (`JUDGED_AFTER_MS`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hub.core.coverage import Addition
from hub.core.figures import PlatformBook, SegmentKey
from hub.core.model import Acknowledgement, Platform, Record, Refusal
from hub.core.universe import Universe

SKEW_MS = 1_000
"""How much younger than the acknowledgement the notice at `through` may be: brokers' clocks differ."""

JUDGED_AFTER_MS = 2 * SKEW_MS
"""How old an acknowledgement is before it is refused for what is not there: the same skew, once more."""


class OpenedAck(NamedTuple):
    """A message of `acks`, opened. `refusal` is None if it may count; `ack` and `additions` are set then.

    `platform`: whose signature holds; for BAD_SIGNATURE the one its key id names, if any.
    """

    record: Record
    platform: Platform | None
    refusal: Refusal | None
    ack: Acknowledgement | None
    additions: tuple[Addition, ...]


def is_beyond_log(ack: Acknowledgement, record_time: int, universe: Universe) -> bool:
    """Whether it names a `through` that the log does not hold, or holds from a time after the ack.

    `universe` must have folded everything that was recorded up to `SKEW_MS` after the ack.
    """
    for partition, through, _ in ack.received:
        recorded_at = universe.recorded_at(partition, through)
        if recorded_at is None or recorded_at > record_time + SKEW_MS:
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
