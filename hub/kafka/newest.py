"""This module reads the newest record of each key of a compacted topic, and what the hub says about itself there.

For example, `newest(settings, "platforms", 1)` returns the last roster record of each platform, by its id.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition

from hub.core.model import Clock, HubLog, Record
from hub.errors import ContractError, HubError
from hub.kafka.clients import new_consumer, started
from hub.kafka.spans import log_spans, read_span
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode

HUB_LOG_KEY = b"hub"


async def read_hub_log(settings: WorkerSettings) -> HubLog:
    """Return what the hub's topics were made with (see `HubLog`).

    Raises:
        HubError: no broker answers, or the topics are not there.
    """
    async with started(new_consumer(settings)) as consumer:
        there = contracts.HUB in await consumer.topics()
    newest_of = await newest(settings, contracts.HUB, 1) if there else {}
    if HUB_LOG_KEY not in newest_of:
        raise HubError(f"no hub at {settings.bootstrap_servers}", todo="Make its topics first: unbind-hub up.")
    return decode(newest_of[HUB_LOG_KEY].value, HubLog)


async def newest(settings: WorkerSettings, topic: str, partitions: int) -> dict[bytes, Record]:
    """Return the newest record of each key of a compacted topic, without keys that were removed."""
    return await newest_in(settings, [TopicPartition(topic, one) for one in range(partitions)])


async def newest_in(settings: WorkerSettings, tps: Sequence[TopicPartition]) -> dict[bytes, Record]:
    """Return the newest record of each key of some partitions, without keys that were removed."""
    found: dict[bytes, Record] = {}
    async for batch in read_span(settings, await log_spans(settings, tps)):
        for record in batch:
            if record.value is None:
                found.pop(record.key or b"", None)
            else:
                found[record.key or b""] = record
    return found


async def newest_values(
    settings: WorkerSettings, topic: str, partitions: int, *kinds: type[Any]
) -> dict[bytes, tuple[Record, Any]]:
    """Return the newest record of each key and its value. Records that this version cannot read are skipped."""
    found = {}
    for key, record in (await newest(settings, topic, partitions)).items():
        try:
            found[key] = (record, decode(record.value, *kinds))
        except ContractError:  # it has a later schema
            continue
    return found


async def hub_time_ms(settings: WorkerSettings, hub_log: HubLog) -> int:
    """Return the time now, or the time of a replayed world (UTC milliseconds)."""
    if hub_log.clock != "world":
        return time.time_ns() // 1_000_000
    found = await newest_values(settings, contracts.CLOCK, 1, Clock)
    return max((one.now_ms for _, one in found.values()), default=0)
