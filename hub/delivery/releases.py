"""This module reads `releases` for many readers: the newest notices are in memory, older ones are read by blocks.

A block is read once for all readers that lag. For example, 7-120033 is in block 120 of partition 7, which begins at
120000.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.core.model import ReleaseNotice
from hub.errors import ContractError, HubError
from hub.kafka.clients import POLL_MS, new_consumer
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode

RING_NOTICES = 2_000
"""So many of the newest notices are kept for each partition."""

BLOCK_NOTICES = 1_000
BLOCKS_KEPT = 48
FETCH_S_MAX = 30.0
READERS = 2
"""So many consumers fetch blocks; receivers that lag wait for one another rather than open a connection each."""


class Told(NamedTuple):
    """This is one position of `releases`. If its bytes are no notice, `notice` is None and `as_json` is empty.

    `digest` is the SHA-256 of the value. `as_json` is the notice as an element of `notices`, in UTF-8.
    """

    partition: int
    offset: int
    record_time: int
    digest: bytes
    notice: ReleaseNotice | None
    as_json: bytes


class Block(NamedTuple):
    """The positions of a block that were there when it was read, in order, and the offset after all that was read."""

    notices: list[Told]
    end: int


class Releases(Protocol):
    """This is what couriers and the web need of `releases`."""

    def end(self, partition: int) -> int:
        """Return the offset after the newest notice."""

    async def read(self, partition: int, first: int, count: int) -> Sequence[Told]:
        """Return notices from an offset on, in order: at least one if there is any, at most `count`."""

    async def first_at(self, at_ms: int) -> list[int]:
        """Return, by partition, the first offset recorded at or after a time, or the log's end if there is none."""

    def listen(self, wake: asyncio.Event) -> None:
        """Set this event whenever there is something new, until `leave`."""

    def leave(self, wake: asyncio.Event) -> None:
        """Stop setting this event."""


def json_of(value: Any) -> Any:
    """Return a value of `hub.core.model` as the JSON of `schemas/README.md`."""
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "_asdict"):
        return {name: json_of(one) for name, one in value._asdict().items()}
    return [json_of(one) for one in value] if isinstance(value, tuple) else value


def base64_of(data: bytes) -> str:
    """Return bytes in base64, the form in JSON for bytes that a machine reads again."""
    return base64.b64encode(data).decode()


def tell(partition: int, offset: int, record_time: int, value: bytes | None) -> Told:
    """Read a record of `releases`."""
    digest = sha256(value or b"").digest()
    try:
        notice = decode(value, ReleaseNotice)
    except ContractError:
        return Told(partition, offset, record_time, digest, None, b"")
    case = offset if notice.opened_at is None else notice.opened_at
    element = {
        "position": f"{partition}-{offset}",
        "case": f"{partition}-{case}",
        "digest": digest.hex(),
        "notice": json_of(notice),
    }
    return Told(partition, offset, record_time, digest, notice, json.dumps(element, separators=(",", ":")).encode())


def _told(raw: Any) -> Told:
    return tell(raw.partition, raw.offset, raw.timestamp, raw.value)


class KafkaReleases(Follower):
    """This reads `releases` from Kafka."""

    def __init__(self, settings: WorkerSettings, partitions: int) -> None:
        super().__init__(settings, [TopicPartition(contracts.RELEASES, one) for one in range(partitions)])
        self._rings: list[deque[Told]] = [deque(maxlen=RING_NOTICES) for _ in range(partitions)]
        self._listeners: set[asyncio.Event] = set()
        self._blocks: OrderedDict[tuple[int, int], Block] = OrderedDict()
        self._readers: asyncio.Queue[AIOKafkaConsumer] = asyncio.Queue()

    async def start(self) -> None:
        """Connect, and begin at the end; what lies before is read by blocks on request."""
        await super().start()
        for tp, end in (await self.end_offsets()).items():
            self.places[tp] = end
            if self._consumer is not None:
                self._consumer.seek(tp, end)
        for _ in range(READERS):
            reader = new_consumer(self._settings)
            await reader.start()
            self._readers.put_nowait(reader)

    async def stop(self) -> None:
        """Disconnect."""
        await super().stop()
        while not self._readers.empty():
            await self._readers.get_nowait().stop()

    def handle(self, raw: Any) -> None:
        """Keep a notice that came."""
        self._rings[raw.partition].append(_told(raw))

    async def told(self) -> None:
        """Wake those who wait."""
        await super().told()
        for wake in self._listeners:
            wake.set()

    def listen(self, wake: asyncio.Event) -> None:
        """Set this event whenever there is something new, until `leave`."""
        self._listeners.add(wake)

    def leave(self, wake: asyncio.Event) -> None:
        """Stop setting this event."""
        self._listeners.discard(wake)

    def end(self, partition: int) -> int:
        """Return the offset after the newest notice."""
        return self.places[TopicPartition(contracts.RELEASES, partition)]

    async def read(self, partition: int, first: int, count: int) -> Sequence[Told]:
        """Return notices from an offset on, in order: at least one if there is any, at most `count`."""
        end = self.end(partition)
        if first < 0 or first >= end:
            return []
        ring = self._rings[partition]
        if ring and ring[0].offset <= first:
            return _from(ring, first, end, count)
        while first < end:
            block = await self._block(partition, first, end)
            if found := _from(block.notices, first, end, count):
                return found
            first = block.end  # no notice is there
        return []

    async def _block(self, partition: int, wanted: int, end: int) -> Block:
        """Return the notices of an offset's block: those there were when it was read, at least up to that offset."""
        number = wanted // BLOCK_NOTICES
        if (known := self._kept(partition, number, wanted)) is not None:
            return known
        first, last = number * BLOCK_NOTICES, min((number + 1) * BLOCK_NOTICES, end)
        reader = await self._readers.get()
        try:
            if (known := self._kept(partition, number, wanted)) is not None:  # another reader that waited here read it
                return known
            block = Block([_told(raw) for raw in await _fetch(reader, partition, first, last)], last)
        finally:
            self._readers.put_nowait(reader)
        self._blocks[partition, number] = block
        self._blocks.move_to_end((partition, number))
        if len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return block

    def _kept(self, partition: int, number: int, wanted: int) -> Block | None:
        """Return a block if it is in memory and reaches to an offset, else None."""
        known = self._blocks.get((partition, number))
        if known is None or known.end <= wanted:
            return None
        self._blocks.move_to_end((partition, number))
        return known

    async def first_at(self, at_ms: int) -> list[int]:
        """Return, by partition, the first offset recorded at or after a time, or the log's end if there is none."""
        assert self._consumer is not None, "start() comes first"
        ends = await self.end_offsets()  # this is asked first: what comes after it was recorded later than `at_ms`
        found = await self._consumer.offsets_for_times(dict.fromkeys(self.tps, at_ms))
        return [ends[tp] if found.get(tp) is None else found[tp].offset for tp in self.tps]


def _from(told: Sequence[Told], first: int, end: int, count: int) -> list[Told]:
    """Return at most `count` positions from a first offset on and before an end; some offsets may hold no message."""
    begin, until = (bisect_left(told, offset, key=lambda one: one.offset) for offset in (first, end))
    return [told[index] for index in range(begin, min(begin + count, until))]


async def _fetch(reader: AIOKafkaConsumer, partition: int, first: int, last: int) -> list[Any]:
    tp = TopicPartition(contracts.RELEASES, partition)
    reader.assign([tp])
    reader.seek(tp, first)
    found: list[Any] = []
    deadline_s = time.monotonic() + FETCH_S_MAX
    while await reader.position(tp) < last:
        if time.monotonic() > deadline_s:
            raise HubError("releases cannot be read", todo="Check the brokers; delivery goes on when they answer.")
        fetched = await reader.getmany(tp, timeout_ms=POLL_MS, max_records=BLOCK_NOTICES)
        found += [raw for raw in fetched.get(tp, ()) if raw.offset < last]
    return found
