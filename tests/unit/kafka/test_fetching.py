"""A reader's position goes past what holds no message, such as the marker that ends somebody's transaction."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from hub.kafka.clients import FETCH_WAIT_MS, ISOLATION
from hub.kafka.fetching import PatientFetcher
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings

TP = TopicPartition("acks", 3)
ENDS_S = 30.0
"""Far longer than it takes: what never ends is found out, and a slow machine is not."""

LONG_S = 10 * ENDS_S
CRC_AT, ATTRIBUTES_AT = 17, 21  # of a record batch of version 2 (Kafka protocol, "Record Batch")
CONTROL = 0x20
ABORT, COMMIT = 0, 1
PRODUCER = 7


def batch(offset: int, *values: bytes, transactional: bool = True) -> bytes:
    """Records from an offset on, as a broker keeps them."""
    made = DefaultRecordBatchBuilder(2, 0, int(transactional), PRODUCER if transactional else -1, 0, 0, 100_000)
    for index, value in enumerate(values):
        made.append(index, 1_700_000_000_000 + index, b"bank", value, [])
    return struct.pack(">q", offset) + bytes(made.build())[8:]


def marker(offset: int, kind: int) -> bytes:
    """The control batch that ends a transaction (Kafka protocol, "Control Batches")."""
    made = DefaultRecordBatchBuilder(2, 0, 1, PRODUCER, 0, -1, 100_000)
    made.append(0, 1_700_000_000_000, struct.pack(">hh", 0, kind), struct.pack(">hi", 0, 0), [])
    changed = bytearray(made.build())
    changed[ATTRIBUTES_AT + 1] |= CONTROL
    struct.pack_into(">I", changed, CRC_AT, calc_crc32c(memoryview(changed)[ATTRIBUTES_AT:]))
    return struct.pack(">q", offset) + bytes(changed)[8:]


class Broker:
    """A broker of one partition, as aiokafka's client is to its fetcher. It holds a fetch until something is there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._metadata_max_age_ms = 300_000
        self._conns: dict[Any, Any] = {}
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 0, broker_metadata=lambda _: self)
        self._batches: list[tuple[int, bytes]] = []
        self._more = asyncio.Event()
        self.end = 0

    def append(self, *batches: bytes) -> None:
        for data in batches:
            (count,) = struct.unpack_from(">i", data, 57)
            self._batches.append((self.end + count, data))
            self.end += count
        self._more.set()

    async def send(self, _node_id: int, request: Any, **_: Any) -> Any:
        ((_, ((partition, offset, _),)),) = request.topics
        while offset >= self.end:
            self._more.clear()
            await self._more.wait()
        data = b"".join(one for end, one in self._batches if end > offset)
        answer = (partition, 0, self.end, self.end, 0, None, -1, data)
        return SimpleNamespace(API_VERSION=11, topics=[(TP.topic, [answer])])


class Reader:
    """The fetcher over that broker."""

    def __init__(self, broker: Broker, fetcher: PatientFetcher, state: Any) -> None:
        self.broker, self._fetcher, self._state = broker, fetcher, state

    async def read(self, timeout_s: float = LONG_S) -> list[bytes] | None:
        """The values that come next; an empty list if the position moved alone, None if nothing did."""
        async with asyncio.timeout(ENDS_S):
            fetched = await self._fetcher.fetched_records((), timeout_s, 100)
        return [one.value for one in fetched[TP]] if fetched else None

    @property
    def position(self) -> int:
        return int(self._state.position)


@asynccontextmanager
async def reading() -> AsyncIterator[Reader]:
    """A reader of an empty log."""
    broker, subscriptions = Broker(), SubscriptionState()
    subscriptions.assign_from_user({TP})
    state = subscriptions.subscription.assignment.state_value(TP)
    state.seek(0)
    options = {"fetch_max_wait_ms": FETCH_WAIT_MS, "isolation_level": ISOLATION}
    fetcher = PatientFetcher(broker, subscriptions, **options)
    try:
        yield Reader(broker, fetcher, state)
    finally:
        await fetcher.close()


async def test_a_marker_alone_moves_the_reader_on_at_once() -> None:
    """A commit marker that comes after its messages were read is told as no message and a later position."""
    async with reading() as one:
        one.broker.append(batch(0, b"a", b"b"))
        assert await one.read() == [b"a", b"b"]
        one.broker.append(marker(2, COMMIT))
        assert await one.read() == []
        assert one.position == one.broker.end == 3


async def test_a_marker_behind_its_messages_is_passed_with_them() -> None:
    """What comes in one answer, messages and the marker behind them, leaves the reader at the end."""
    async with reading() as one:
        one.broker.append(batch(0, b"a"), marker(1, COMMIT))
        assert await one.read() == [b"a"]
        assert one.position == 2


async def test_messages_of_a_transaction_that_was_aborted_or_hangs_are_read() -> None:
    """What lies in the log is read, whatever became of the transaction, and nobody waits for its end."""
    async with reading() as one:
        one.broker.append(batch(0, b"hangs"))
        assert await one.read() == [b"hangs"]
        one.broker.append(batch(1, b"aborted"), marker(2, ABORT), batch(3, b"plain", transactional=False))
        assert await one.read() == [b"aborted", b"plain"]
        assert one.position == one.broker.end == 4


async def test_where_nothing_comes_nothing_is_told() -> None:
    """A silent log gives no answer in time, and a message after that is read as always."""
    async with reading() as one:
        assert await one.read(timeout_s=0.05) is None
        one.broker.append(batch(0, b"a", transactional=False))
        assert await one.read() == [b"a"]


class Log:
    """A consumer of one partition, with what it gives handed to it: messages, and the position after them."""

    def __init__(self, *given: tuple[list[Any], int]) -> None:
        self._given = list(given)
        self._position = 0
        self._end = given[-1][1]

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        if not self._given:
            await asyncio.Event().wait()
        found, self._position = self._given.pop(0)
        return {TP: found}

    async def position(self, _tp: TopicPartition) -> int:
        return self._position

    async def end_offsets(self, _tps: Any) -> dict[TopicPartition, int]:
        return {TP: self._end}


class Counting(Follower):
    """Counts the records it is given."""

    seen = 0

    async def take(self, batch: list[Any]) -> None:
        assert batch, "there is something to take in"
        self.seen += len(batch)


async def test_a_follower_has_caught_up_where_its_position_is_the_end(tmp_path: Any) -> None:
    """Whoever waits for a follower is not kept waiting by a marker at the end of the log, alone or behind messages."""
    for given in ([([1, 2], 2), ([], 3)], [([1, 2], 3)]):
        follower = Counting(WorkerSettings("", tmp_path, "counting"), [TP])
        follower._consumer = Log(*given)
        task = asyncio.create_task(follower.run())
        async with asyncio.timeout(ENDS_S):
            await follower.caught_up()
        assert (follower.seen, follower.places[TP]) == (2, 3)
        task.cancel()
        await asyncio.wait([task])
