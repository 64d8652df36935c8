"""This module is the interface of a channel: how notices get to one receiver, and what counts as their receipt.

For example, a webhook's parcel has notices 7-120033 to 7-120040 of lane 7, and an answer 2xx is their receipt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from hub.delivery.health import Answer
from hub.delivery.journal import Place
from hub.delivery.settings import Patience

INBOX = -1
"""This is the lane of a platform's inbox, beside those of partitions: it has its own place, and writes no receipts."""


class Span(NamedTuple):
    """These are positions of one partition or the inbox, both ends included, and the SHA-256 of the last value."""

    partition: int
    first: int
    last: int
    digest: bytes


class Parcel(NamedTuple):
    """This is what is handed over at once. The same `id` always has the same content."""

    id: str
    spans: tuple[Span, ...]
    body: bytes


class Channel(Protocol):
    """This is one receiver's channel."""

    lanes: Sequence[int]
    """Parcels of different lanes may be on their way at the same time; each lane keeps its own order."""

    patience: Patience
    """This says when its receiver is tried again, and when it becomes degraded or suspended."""

    comes_by_itself: bool
    """This says whether its receiver asks; then a first try costs nothing, and is not delayed at the start."""

    has_inbox: bool
    """This says whether what the hub asks or tells this platform alone goes this way as well."""

    slow: bool
    """This says whether its receiver answers slowly; then it gets one lane at a time, because other receivers wait for
    what it holds."""

    async def next_parcel(self, lane: int, places: Mapping[int, Place]) -> Parcel | None:
        """Return what comes next in a lane, beginning where the places say, or None if there is nothing yet.

        An open attempt (`Place.attempt_last`) is repeated as it was.
        """

    async def hand_over(self, parcel: Parcel) -> Answer:
        """Hand a parcel over. This is bounded in time, and never raises because of what a receiver does."""

    async def close(self) -> None:
        """Close the connections."""
