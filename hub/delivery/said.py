"""This module reads from `tiles` everything that one platform ever said, for a draft of "the rest"; it keeps nothing.

For example, if the platform ever said UNBOUND of 7-120033, bit 54497 is set for partition 7 and segment 1.
"""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition
from pyroaring import BitMap

from hub.core.coverage import unpack
from hub.core.model import Judged, Received, Tile
from hub.errors import ContractError
from hub.kafka.clients import administering, committed_to
from hub.kafka.spans import log_spans, read_span
from hub.problems import Problem
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode, partition_of

PATIENCE_S = 10.0


async def said_before(settings: WorkerSettings, platform: str, partitions: int) -> dict[tuple[int, int], BitMap]:
    """Return, by partition and segment, the offsets of which the platform has said anything until now.

    The hub commits an acknowledgement once `tiles` has it, so this waits until all that is in `acks` is committed.

    Raises:
        Problem: 503, the hub has not counted all acknowledgements in time.
    """
    home = partition_of(platform.encode(), partitions)
    acks, tiles = TopicPartition(contracts.ACKS, home), TopicPartition(contracts.TILES, home)
    end = (await log_spans(settings, [acks]))[acks][1]
    await _counted(settings, acks, end)
    found: dict[tuple[int, int], BitMap] = {}
    prefix = f"{platform}/".encode()
    async for batch in read_span(settings, await log_spans(settings, [tiles])):
        for record in batch:
            if (record.key or b"").startswith(prefix):
                _merge(found, record.value, platform)
    return found


def _merge(found: dict[tuple[int, int], BitMap], value: bytes | None, platform: str) -> None:
    if value is None:
        return
    try:
        tile: Tile | Received | Judged = decode(value, Tile, Received, Judged)
    except ContractError:
        return
    if isinstance(tile, Tile) and tile.platform == platform:
        bits = found.setdefault((tile.partition, tile.segment), BitMap())
        for one in tile.said:
            bits |= unpack(one.bitmap)


async def _counted(settings: WorkerSettings, acks: TopicPartition, end: int) -> None:
    async with administering(settings) as admin:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await committed_to(admin, {acks: end})
        except TimeoutError:
            todo = "Try again soon, or name every case instead of the rest."
            raise Problem(503, "HUB_BEHIND", "the hub has not counted all yet", todo, retry_after_s=30) from None
