"""This module reads from the logs how platforms behave, for `hub.core.standing` to judge.

It reads when a person asks. `coverage` tells how far each platform has received, `releases` when the first notice that
it has not received was recorded, `tiles` when what it has received last moved, and `gaps` what it has not answered. For
example, `bank` has received 7-120033, and 7-120034 was recorded at 10:00: it has been waiting since 10:00.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from aiokafka import TopicPartition
from pyroaring import BitMap

from hub.core.model import Coverage, GapClass, Gaps, HubLog, Platform, Received, Tile
from hub.core.standing import Behaviour, Standing, standing
from hub.kafka.clients import reader_settings
from hub.kafka.newest import hub_time_ms, newest_values
from hub.kafka.spans import log_spans, record_times
from hub.settings import WorkerSettings
from hub.wire import contracts


async def standings(servers: str, hub_log: HubLog, platforms: Mapping[str, Platform]) -> dict[str, Standing | None]:
    """Return how each platform behaves now."""
    seen = await behaviours(servers, hub_log)
    now_ms = await hub_time_ms(reader_settings(servers), hub_log)
    silent = Behaviour(None, None)
    return {one.id: standing(one, seen.get(one.id, silent), now_ms) for one in platforms.values()}


async def behaviours(servers: str, hub_log: HubLog) -> dict[str, Behaviour]:
    """Return what each platform was seen to do. A platform without published coverage was not seen."""
    settings = reader_settings(servers)
    coverage, moved, unanswered = await asyncio.gather(
        newest_values(settings, contracts.COVERAGE, hub_log.partitions, Coverage),
        _moved(settings, hub_log.partitions),
        _unanswered(settings, hub_log.partitions),
    )
    waiting = await _waiting_since(settings, hub_log.partitions, [one for _, one in coverage.values()])
    return {
        one.platform: Behaviour(waiting.get(one.platform), moved.get(one.platform), unanswered.get(one.platform, 0))
        for _, one in coverage.values()
    }


async def _moved(settings: WorkerSettings, partitions: int) -> dict[str, int]:
    """Return when what each platform has received last moved (record time)."""
    moved: dict[str, int] = {}
    for record, one in (await newest_values(settings, contracts.TILES, partitions, Tile, Received)).values():
        if isinstance(one, Received):
            moved[one.platform] = max(record.record_time, moved.get(one.platform, 0))
    return moved


async def _unanswered(settings: WorkerSettings, partitions: int) -> dict[str, int]:
    """Return how many overdue cases each platform has received and never answered."""
    found: dict[str, int] = defaultdict(int)
    for _, one in (await newest_values(settings, contracts.GAPS, partitions, Gaps)).values():
        for gap, bitmap in one.classes:
            if gap is GapClass.NO_OUTCOME:
                found[one.platform] += len(BitMap.deserialize(bitmap) & BitMap.deserialize(one.overdue))
    return found


async def _waiting_since(settings: WorkerSettings, partitions: int, found: list[Coverage]) -> dict[str, int]:
    """Return the record time of the oldest notice that each platform has not received."""
    tps = [TopicPartition(contracts.RELEASES, one) for one in range(partitions)]
    spans = await log_spans(settings, tps)
    places: dict[str, list[tuple[TopicPartition, int]]] = {}
    for one in found:
        received = dict(one.received)
        firsts = [(tp, max(first, received.get(tp.partition, -1) + 1)) for tp, (first, _) in spans.items()]
        places[one.platform] = [(tp, first) for tp, first in firsts if first < spans[tp][1]]
    times = await record_times(settings, (place for behind in places.values() for place in behind))
    return {
        platform: min(times[place] for place in behind if place in times)
        for platform, behind in places.items()
        if any(place in times for place in behind)
    }
