"""Clients of Kafka as every program of the hub makes them, and how far the group of its workers is."""

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
"""How long a broker may hold a fetch that names all of a consumer's partitions (`hub.kafka.fetching`): what a hub at
rest asks is in proportion to one over this. It must stay far below a request's timeout, 40 s."""
FETCHER_LOOK_MS = 1_000
"""How often aiokafka's fetcher looks around although nothing woke it: a bound, not a pace."""
POLL_RECORDS_MAX = 5_000
FETCH_BYTES = 4 * 1024 * 1024
REQUEST_BYTES_MAX = 2 * 1024 * 1024
LINGER_MS = 5
BATCH_BYTES = 512 * 1024
GROUP = "unbind-hub"
"""The consumer group of the hub's workers."""
COMMIT_POLL_S = 0.05
"""How often the group is asked while its workers are waited for. Kafka tells nobody of a commit."""


def new_consumer(settings: WorkerSettings) -> AIOKafkaConsumer:
    """A consumer without a group; its places are its owner's."""
    tolerate_header_names()
    fetch_patiently()
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        consumer_timeout_ms=FETCHER_LOOK_MS,
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
        await stop_client(client)


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


async def stop_client(client: Any) -> None:
    """Stop a client, also one whose broker is away.

    aiokafka's consumer lets out the cancellation of a fetch of its own that waits for its broker to come back, and
    leaves the rest undone. That cancellation is none of ours, and would hide why the client is stopped.
    """
    try:
        await client.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling() or not isinstance(client, AIOKafkaConsumer):
            raise
        await client._client.close()


def to_record(raw: Any) -> Record:
    """An aiokafka record as a value."""
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))


def reader_settings(servers: str, security: dict[str, object] | None = None) -> WorkerSettings:
    """Settings of one who only reads logs."""
    return WorkerSettings(servers, Path(), "reader", security=security or {})
