"""This module reads the logs from Kafka, from their start to their present end, without a consumer group or a trace.

For example, `await recount("localhost:9092")` returns an empty list if the hub's coverage is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hub.core.model import Record
from hub.errors import HubError
from hub.kafka.header_names import tolerate_header_names
from hub.recount.check import Difference, Logs, about_hub, compare
from hub.recount.clearance import Recounted, find_lookup, recount_lookup
from hub.wire.contracts import ACKS, COVERAGE, HUB, LOOKUPS, OPERATORS, PLATFORMS, RELEASES, REPORTED

SILENCE_MAX_S = 30.0
"""If no record comes for so long before the end of a log, the cluster is at fault."""

POLL_MS = 500


async def recount(bootstrap_servers: str, *, security: Mapping[str, object] | None = None) -> list[Difference]:
    """Read everything and compare; return what differs, so an empty list is the good answer.

    Args:
        bootstrap_servers: the cluster's addresses.
        security: passed to aiokafka as it is.

    Raises:
        HubError: the cluster cannot be read, or holds no hub.
    """
    return await asyncio.to_thread(compare, await read_logs(bootstrap_servers, security=security))


async def read_logs(bootstrap_servers: str, *, security: Mapping[str, object] | None = None) -> Logs:
    """Return everything that the recount of coverage needs; see `recount`."""
    async with _reader(bootstrap_servers, security) as consumer:
        hub = await _whole(consumer, HUB, 1)
        partitions = about_hub(hub)["partitions"]
        # Coverage is read before the rest, so every place that it names is in the logs read after it.
        coverage = await _whole(consumer, COVERAGE, partitions)
        releases = await _whole(consumer, RELEASES, partitions)
        return Logs(
            hub,
            releases,
            await _whole(consumer, ACKS, partitions),
            await _whole(consumer, PLATFORMS, 1),
            await _whole(consumer, REPORTED, 1),
            coverage,
        )


async def recount_clearance(
    bootstrap_servers: str, lookup_id: bytes, *, security: Mapping[str, object] | None = None
) -> Recounted:
    """Decide on the numbers of one clearance again, from the logs at its positions.

    Raises:
        HubError: the cluster cannot be read, or it has no such clearance or no longer its roster.
    """
    async with _reader(bootstrap_servers, security) as consumer:
        hub = await _whole(consumer, HUB, 1)
        partitions = about_hub(hub)["partitions"]
        lookup = find_lookup(await _whole(consumer, LOOKUPS, partitions), lookup_id)
        logs = Logs(
            hub,
            await _whole(consumer, RELEASES, partitions),
            await _whole(consumer, ACKS, partitions),
            await _whole(consumer, PLATFORMS, 1),
            await _whole(consumer, REPORTED, 1),
            (),
        )
        operators = await _whole(consumer, OPERATORS, 1)
    return await asyncio.to_thread(recount_lookup, logs, operators, lookup)


@asynccontextmanager
async def _reader(bootstrap_servers: str, security: Mapping[str, object] | None) -> AsyncIterator[Any]:
    tolerate_header_names()
    # What lies in a log counts, whatever became of its sender's transaction.
    options: dict[str, Any] = {"isolation_level": "read_uncommitted", **(security or {})}
    options["bootstrap_servers"] = bootstrap_servers
    consumer = AIOKafkaConsumer(**options, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        yield consumer
    except (KafkaError, OSError) as wrong:
        raise HubError(f"the cluster cannot be read ({type(wrong).__name__})", todo="Check its address.") from wrong
    finally:
        await consumer.stop()


async def _whole(consumer: Any, topic: str, partitions: int) -> list[Record]:
    """Return every record of a topic, each partition in order."""
    parts = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(parts)
    await consumer.seek_to_beginning(*parts)
    ends = await consumer.end_offsets(parts)
    found: list[Record] = []
    silent_since = asyncio.get_running_loop().time()
    while any([await consumer.position(part) < ends[part] for part in parts]):
        fetched = await consumer.getmany(timeout_ms=POLL_MS)
        found += [_record(raw) for part in fetched for raw in fetched[part]]
        now = asyncio.get_running_loop().time()
        silent_since = now if fetched else silent_since
        if now - silent_since > SILENCE_MAX_S:
            raise HubError(f"{topic} was silent for {SILENCE_MAX_S:.0f} s", todo="Check the cluster's health.")
    return found


def _record(raw: Any) -> Record:
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))
