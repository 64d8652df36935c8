"""This module merges an acknowledgement into a platform's book, and tells whether it names notices later than itself.

An acknowledgement is judged by record times alone, so everyone who reads the logs finds the same at any time. It is
beyond the log if a notice it names is not there, or was recorded more than `SKEW_MS` after it. A reader that meets it
before such a notice waits until any notice recorded from then on is too late for it (`JUDGED_AFTER_MS`).

For example, `bank` acknowledges partition 7 through 120033 at 10:00:00. If that notice was recorded at 10:00:05, the
acknowledgement is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hub.core.coverage import Addition
from hub.core.figures import PlatformBook, SegmentKey
from hub.core.model import Acknowledgement, Platform, Record, Refusal
from hub.core.universe import Universe

SKEW_MS = 1_000
"""How much later than the acknowledgement the notice at `through` may be recorded: the clocks of brokers differ."""

JUDGED_AFTER_MS = 2 * SKEW_MS
"""How old an acknowledgement must be before it is refused because a notice is not there: twice the skew."""


class OpenedAck(NamedTuple):
    """A message of `acks` that was opened. `refusal` is None if it may count; then `ack` and `additions` are set.

    `platform` is the one whose signature holds; for BAD_SIGNATURE it is the one that the key id names, if any.
    """

    record: Record
    platform: Platform | None
    refusal: Refusal | None
    ack: Acknowledgement | None
    additions: tuple[Addition, ...]


def is_beyond_log(ack: Acknowledgement, record_time: int, universe: Universe) -> bool:
    """Return whether an acknowledgement names a `through` that the log does not hold, or that came too late.

    `universe` must have folded everything that was recorded up to `SKEW_MS` after the ack.
    """
    for partition, through, _ in ack.received:
        recorded_at = universe.recorded_at(partition, through)
        if recorded_at is None or recorded_at > record_time + SKEW_MS:
            return True
    return False


def apply(book: PlatformBook, ack: Acknowledgement, additions: Iterable[Addition]) -> tuple[set[SegmentKey], set[int]]:
    """Merge an acknowledgement. Return the segments that changed, and the partitions whose `received` changed."""
    tiles = set()
    for partition, segment, outcome, bits, reason in additions:
        key = (partition, segment)
        if book.tile(key).add(outcome, bits, reason):
            book.touch(key)
            tiles.add(key)
    received = set()
    for partition, through, _ in ack.received:
        if book.receive(partition, through):
            received.add(partition)
    return tiles, received
