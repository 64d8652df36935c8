"""The seam: how notices get to one receiver, and what counts as their receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from hub.delivery.health import Answer
from hub.delivery.journal import Place
from hub.delivery.settings import Patience

INBOX = -1
"""The lane of a platform's inbox beside those of partitions: it has a place of its own, and no receipts to write."""


class Span(NamedTuple):
    """Positions of one partition, or of the inbox, both ends included, and the SHA-256 of the last one's value."""

    partition: int
    first: int
    last: int
    digest: bytes


class Parcel(NamedTuple):
    """What is handed over at once. The same `id` is always the same content."""

    id: str
    spans: tuple[Span, ...]
    body: bytes


class Channel(Protocol):
    """One receiver's channel."""

    lanes: Sequence[int]
    """What may be on its way at the same time; each lane keeps its own order."""

    patience: Patience
    """When its receiver is tried again, and from when on it is degraded or suspended."""

    comes_by_itself: bool
    """Whether its receiver asks: then a first try costs nothing, and is not spread over the start."""

    has_inbox: bool
    """Whether what the hub asks or tells its platform alone goes this way as well."""

    slow: bool
    """Whether its receiver answers slowly: then one lane at a time, for others wait for what it holds."""

    async def next_parcel(self, lane: int, places: Mapping[int, Place]) -> Parcel | None:
        """Return what comes next in a lane, beginning where the places say, or None if there is nothing yet.

        An open attempt (`Place.attempt_last`) is made again as it was.
        """

    async def hand_over(self, parcel: Parcel) -> Answer:
        """Hand a parcel over. Bounded in time, and never raises for what a receiver does."""

    async def close(self) -> None:
        """Let go of connections."""
