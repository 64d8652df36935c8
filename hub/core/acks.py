"""This module merges an acknowledgement into a platform's book, and tells whether it names notices later than itself.

An acknowledgement is judged by record times and by the notices' bytes, so everyone who reads the logs finds the same at
any time. It is beyond the log if a notice it names is not there, or was recorded more than `SKEW_MS` after it. A reader
that meets it before such a notice waits until any notice recorded from then on is too late for it (`JUDGED_AFTER_MS`).
It has a wrong digest if the digest that it gives for a notice is not the SHA-256 of that notice's value: its sender did
not see that notice.

For example, `bank` acknowledges partition 7 through 120033 at 10:00:00. If that notice was recorded at 10:00:05, the
acknowledgement is refused. It is also refused if `bank` gives the digest of 7-120032.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from hub.core.coverage import Addition
from hub.core.figures import PlatformBook, SegmentKey
from hub.core.model import Acknowledgement, Platform, Record, Refusal
from hub.core.universe import Universe

SKEW_MS = 1_000
"""How much later than the acknowledgement the notice at `through` may be recorded: the clocks of brokers differ."""

JUDGED_AFTER_MS = 2 * SKEW_MS
"""How old an acknowledgement must be before it is refused because a notice is not there: twice the skew."""


class Digests(Protocol):
    """Knows the digests of notices. There are too many to keep them in memory, so they may be on disk."""

    def digest_of(self, partition: int, offset: int) -> bytes:
        """Return the SHA-256 of the value of the notice at a position of `releases`.

        Raises:
            KeyError: no notice is known there.
        """


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


def refusal_of_received(ack: Acknowledgement, record_time: int, universe: Universe, digests: Digests) -> Refusal | None:
    """Return why an acknowledgement that names these notices is refused; None if it may count.

    All record times are looked at before any digest: they are in memory.
    """
    if is_beyond_log(ack, record_time, universe):
        return Refusal.BEYOND_LOG
    for partition, through, digest in ack.received:
        if digests.digest_of(partition, through) != digest:
            return Refusal.WRONG_DIGEST
    return None


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
