"""This module reads an adapter's backlog once before it is acted on (`hub.sdk.adapter.ahead`).

For example, an adapter that starts 10 M notices behind first reads these, which takes about as long as Kafka needs to
bring them and as decoding them takes, and then begins at its place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from hub.clock import Silence
from hub.core.model import Record, Source
from hub.errors import HubError
from hub.sdk.adapter.ahead import Ahead
from hub.sdk.adapter.wire import read_notice

POLL_MS = 250


class Reading(Protocol):
    """This is the part of `hub.sdk.adapter.wire.Wire` that looking ahead needs."""

    def seek(self, places: Mapping[int, int]) -> Awaitable[None]:
        """Read these partitions of `releases` from these offsets on."""
        ...

    def fetch(self, wait_ms: int, records_max: int) -> Awaitable[list[Record]]:
        """Return the records that came in time, perhaps none, in the order of each partition's offsets."""
        ...

    def positions(self, partitions: Iterable[int]) -> Awaitable[dict[int, int]]:
        """Return the next offset to be read, by partition."""
        ...


async def look_ahead(
    wire: Reading,
    ahead: Ahead,
    places: Mapping[int, int],
    ends: Mapping[int, int],
    silence: Silence,
    records_max: int,
    enough: Callable[[], bool],
) -> None:
    """Look at every notice between where the adapter is and the ends, and set the connection back to its place.

    Args:
        places: the next offset to be heard, by partition.
        ends: the offset after the last to look at, by partition.
        enough: says that the adapter is to stop.

    Raises:
        HubError: nothing more comes before the ends, for longer than `silence` allows.
    """
    start = {one: max(place, ahead.until.get(one, 0)) for one, place in places.items()}
    left = {one: ends[one] for one, place in start.items() if place < ends.get(one, 0)}
    if not left:
        return
    await wire.seek({one: start[one] for one in left})
    silence.end()
    while left and not enough():
        records = await wire.fetch(POLL_MS, records_max)
        for record in records:
            notice = read_notice(record)
            if notice is not None:
                ahead.look(Source(record.partition, record.offset), notice)
        if records:
            silence.end()
        reached = await wire.positions(left)
        left = {one: end for one, end in left.items() if reached[one] < end}
        if left and silence.is_too_long:
            raise HubError("the brokers bring nothing more", todo="Look whether they run; nothing is lost.")
    for one, end in ends.items():
        if one in start and one not in left:
            ahead.until[one] = max(ahead.until.get(one, 0), end)
    await wire.seek(places)
