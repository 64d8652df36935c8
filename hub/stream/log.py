"""Reading and writing logs: small helpers over aiokafka that the stages share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from hub import contracts
from hub.contracts import decode
from hub.core.model import Clock, HubLog, Record
from hub.errors import ContractError, HubError
from hub.header_names import tolerate_header_names
from hub.settings import HubAddress, WorkerSettings

POLL_MS = 500
FETCH_WAIT_MS = 25
"""How long a broker may hold a fetch back. aiokafka has one fetch a broker in flight, and what arrives for a
partition it did not ask for waits for that one to end: a long wait here is latency everywhere."""
POLL_RECORDS_MAX = 5_000
FETCH_BYTES = 4 * 1024 * 1024
REQUEST_BYTES_MAX = 2 * 1024 * 1024
LINGER_MS = 5
BATCH_BYTES = 512 * 1024
RECORD_WAIT_MS = 5_000
HUB_LOG_KEY = b"hub"
GROUP = "unbind-hub"
"""The consumer group of the hub's workers."""
COMMIT_POLL_S = 0.05
"""How often the group is asked while its workers are waited for. Kafka tells nobody of a commit."""


def new_consumer(settings: WorkerSettings, fetch_wait_ms: int = FETCH_WAIT_MS) -> AIOKafkaConsumer:
    """A consumer without a group; its places are its owner's."""
    tolerate_header_names()
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=fetch_wait_ms,
        **settings.security,
    )


def new_producer(settings: WorkerSettings | HubAddress, linger_ms: int = LINGER_MS) -> AIOKafkaProducer:
    """A producer whose acknowledged records are on all in-sync replicas, in order, without repeats.

    Args:
        settings: where the brokers are.
        linger_ms: how long a record waits for others; nothing is won by it where each is waited for.
    """
    return AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_batch_size=BATCH_BYTES,
        max_request_size=REQUEST_BYTES_MAX,
        **settings.security,
    )


@asynccontextmanager
async def started(client: Any) -> AsyncIterator[Any]:
    """Start a client, and stop it at the end.

    Raises:
        HubError: no broker answers.
    """
    await _start(client)
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def administering(settings: WorkerSettings | HubAddress) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected client for what the cluster knows of groups and topics.

    Raises:
        HubError: no broker answers.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, **settings.security)
    await _start(admin)
    try:
        yield admin
    finally:
        await admin.close()


async def committed_offsets(admin: AIOKafkaAdminClient) -> dict[TopicPartition, int]:
    """How far the hub's workers are: the next offset of each partition of which they committed something.

    Raises:
        KafkaError: no broker answers.
    """
    known = await admin.list_consumer_group_offsets(GROUP)
    return {tp: max(0, one.offset) for tp, one in known.items()}


async def committed_to(admin: AIOKafkaAdminClient, ends: Mapping[TopicPartition, int]) -> None:
    """Return once the hub's workers have committed all that lies before some offsets. Its caller sets the bound.

    Raises:
        KafkaError: no broker answers.
    """
    waiting = {tp: end for tp, end in ends.items() if end}
    while waiting:
        known = await committed_offsets(admin)
        waiting = {tp: end for tp, end in waiting.items() if known.get(tp, 0) < end}
        if waiting:
            await asyncio.sleep(COMMIT_POLL_S)


async def _start(client: Any) -> None:
    try:
        await client.start()
    except KafkaConnectionError as wrong:
        raise HubError(
            "no Kafka answers there", todo="Check --bootstrap-servers, and that the cluster runs."
        ) from wrong


def to_record(raw: Any) -> Record:
    """An aiokafka record as a value."""
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))


async def read_span(
    settings: WorkerSettings, spans: Mapping[TopicPartition, tuple[int, int]]
) -> AsyncGenerator[Sequence[Record], None]:
    """Read each partition from a first offset up to, but without, a last one."""
    left = {tp: end for tp, (first, end) in spans.items() if first < end}
    if not left:
        return
    async with started(new_consumer(settings)) as consumer:
        consumer.assign(list(left))
        for tp in left:
            consumer.seek(tp, spans[tp][0])
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
            for tp, batch in fetched.items():
                yield [to_record(one) for one in batch if one.offset < left[tp]]
            for tp in list(left):
                if await consumer.position(tp) >= left[tp]:
                    del left[tp]


async def log_spans(settings: WorkerSettings, tps: Iterable[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
    """First and next offset of each partition, as of now."""
    wanted = list(tps)
    async with started(new_consumer(settings)) as consumer:
        consumer.assign(wanted)
        first, end = await asyncio.gather(consumer.beginning_offsets(wanted), consumer.end_offsets(wanted))
    return {tp: (first[tp], end[tp]) for tp in wanted}


def reader_settings(servers: str, security: dict[str, object] | None = None) -> WorkerSettings:
    """Settings of one who only reads logs."""
    return WorkerSettings(servers, Path(), "reader", security=security or {})


async def read_hub_log(settings: WorkerSettings) -> HubLog:
    """What the topics were made as.

    Raises:
        HubError: nobody answers, or the topics are not there.
    """
    async with started(new_consumer(settings)) as consumer:
        there = contracts.HUB in await consumer.topics()
    newest_of = await newest(settings, contracts.HUB, 1) if there else {}
    if HUB_LOG_KEY not in newest_of:
        raise HubError(f"no hub at {settings.bootstrap_servers}", todo="Make its topics first: unbind-hub up.")
    return decode(newest_of[HUB_LOG_KEY].value, HubLog)


async def newest(settings: WorkerSettings, topic: str, partitions: int) -> dict[bytes, Record]:
    """The newest record of each key of a compacted topic, without keys that were removed."""
    found: dict[bytes, Record] = {}
    spans = await log_spans(settings, [TopicPartition(topic, one) for one in range(partitions)])
    async for batch in read_span(settings, spans):
        for record in batch:
            if record.value is None:
                found.pop(record.key or b"", None)
            else:
                found[record.key or b""] = record
    return found


async def newest_values(
    settings: WorkerSettings, topic: str, partitions: int, *kinds: type[Any]
) -> dict[bytes, tuple[Record, Any]]:
    """The newest record of each key and its value; what this version cannot read is passed over."""
    found = {}
    for key, record in (await newest(settings, topic, partitions)).items():
        try:
            found[key] = (record, decode(record.value, *kinds))
        except ContractError:  # of a later schema
            continue
    return found


async def hub_time_ms(settings: WorkerSettings, hub_log: HubLog) -> int:
    """Now, or the time of a replayed world."""
    if hub_log.clock != "world":
        return time.time_ns() // 1_000_000
    found = await newest_values(settings, contracts.CLOCK, 1, Clock)
    return max((one.now_ms for _, one in found.values()), default=0)


async def record_times(
    settings: WorkerSettings, places: Iterable[tuple[TopicPartition, int]]
) -> dict[tuple[TopicPartition, int], int]:
    """When the records at some places were recorded; those that are not there are left out."""
    wanted = set(places)
    if not wanted:
        return {}
    async with started(RecordTimes(settings, sorted({tp for tp, _ in wanted}))) as times:
        found: dict[tuple[TopicPartition, int], int] = await times.at(wanted)
    return found


class RecordTimes:
    """Asks again and again when records at some places were recorded. Start it; stop it at the end."""

    def __init__(self, settings: WorkerSettings, tps: Sequence[TopicPartition]) -> None:
        self._tps = list(tps)
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect."""
        self._consumer = new_consumer(self._settings)
        await self._consumer.start()
        self._consumer.assign(self._tps)  # once: aiokafka fails at the end if it is assigned anew without a group
        self._consumer.pause(*self._tps)

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def at(
        self, places: Iterable[tuple[TopicPartition, int]], wait_ms: int = RECORD_WAIT_MS
    ) -> dict[tuple[TopicPartition, int], int]:
        """When the records at some places were recorded; those that do not come in time are left out."""
        assert self._consumer is not None, "start() comes first"
        times: dict[tuple[TopicPartition, int], int] = {}
        for tp, offset in sorted(places):
            self._consumer.seek(tp, offset)
            self._consumer.resume(tp)
            fetched = await self._consumer.getmany(tp, timeout_ms=wait_ms, max_records=1)
            self._consumer.pause(tp)
            for batch in fetched.values():
                times[tp, offset] = int(batch[0].timestamp)
        return times
