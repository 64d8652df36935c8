"""This module makes the Kafka clients of every program of the hub, and tells how far its workers have come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from hub.core.model import Record
from hub.errors import HubError
from hub.kafka.fetching import fetch_patiently
from hub.kafka.header_names import tolerate_header_names
from hub.settings import HubAddress, WorkerSettings

POLL_MS = 500
FETCH_WAIT_MS = 5_000
"""How long a broker may hold a fetch that names all of a consumer's partitions (`hub.kafka.fetching`). A hub at rest
sends a number of requests that is inversely proportional to this. It must stay far below a request's timeout, 40 s."""
FETCHER_LOOK_MS = 1_000
"""How often aiokafka's fetcher looks for work although nothing woke it. This is a bound, not a pace."""
POLL_RECORDS_MAX = 5_000
FETCH_BYTES = 4 * 1024 * 1024
REQUEST_BYTES_MAX = 2 * 1024 * 1024
LINGER_MS = 5
BATCH_BYTES = 512 * 1024
ISOLATION = "read_uncommitted"
"""Every reader of the hub takes what lies in a log, whatever became of its sender's transaction (decision 83). With
`read_committed`, anyone who may write to a topic could hold everybody up with a transaction that never ends."""
GROUP = "unbind-hub"
"""The consumer group of the hub's workers."""
COMMIT_POLL_S = 0.05
"""How often the group's offsets are asked for while we wait for its workers: Kafka does not notify of commits."""


def new_consumer(settings: WorkerSettings) -> AIOKafkaConsumer:
    """Return a consumer without a group. Its owner keeps its places."""
    tolerate_header_names()
    fetch_patiently()
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=ISOLATION,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        consumer_timeout_ms=FETCHER_LOOK_MS,
        **settings.security,
    )


def new_producer(settings: WorkerSettings | HubAddress, linger_ms: int = LINGER_MS) -> AIOKafkaProducer:
    """Return a producer whose acknowledged records are on all in-sync replicas, in order, without repeats.

    Args:
        settings: where the brokers are.
        linger_ms: how long a record waits for others; this gains nothing where the caller waits for each record.
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
        await stop_client(client)


@asynccontextmanager
async def administering(settings: WorkerSettings | HubAddress) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a connected client that asks the cluster about groups and topics.

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
    """Return the next offset of each partition of which the hub's workers have committed something.

    Raises:
        KafkaError: no broker answers.
    """
    known = await admin.list_consumer_group_offsets(GROUP)
    return {tp: max(0, one.offset) for tp, one in known.items()}


async def committed_to(admin: AIOKafkaAdminClient, ends: Mapping[TopicPartition, int]) -> None:
    """Return once the hub's workers have committed everything before some offsets. The caller limits the time.

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


async def stop_client(client: Any) -> None:
    """Stop a client, even if its broker is away.

    If a fetch waits for its broker to come back, aiokafka's consumer cancels it, raises this cancellation to its
    caller, and leaves the rest undone. That cancellation is not ours, and would hide why the client is stopped.
    """
    try:
        await client.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling() or not isinstance(client, AIOKafkaConsumer):
            raise
        await client._client.close()


def to_record(raw: Any) -> Record:
    """Return an aiokafka record as a value."""
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))


def reader_settings(servers: str, security: dict[str, object] | None = None) -> WorkerSettings:
    """Return the settings of a program that only reads logs."""
    return WorkerSettings(servers, Path(), "reader", security=security or {})
