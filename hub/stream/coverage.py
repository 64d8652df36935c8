"""This module is the coverage stage: it carries out what `hub.core.shelf` decides for one partition of `acks`.

While nothing happens, only the refresh runs here. A chunk wakes the flush (about a second later) and the publishing (at
once). The roster and people's reports wake the refresh, which otherwise runs every few seconds, because figures also
change with time. Publishing and refreshing rest in proportion to their work, and only one partition refreshes at a
time: a thousand platforms must leave room for acknowledgements.

For example, `bank` acknowledges 500 cases: its coverage is published at once, its tiles are written about a second
later, and only then is the chunk acked.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiokafka import TopicPartition

from hub.core.flush import Change, Flush
from hub.core.intake import rejected
from hub.core.model import Judged, Received, Record, Tile
from hub.core.shelf import Read, Shelf, Taken
from hub.errors import ContractError
from hub.folds.acks import AckFold, log_faults
from hub.kafka.clients import committed_offsets
from hub.kafka.newest import newest_in
from hub.kafka.spans import log_spans
from hub.stream.context import Context
from hub.stream.runner import Chunk
from hub.wire import contracts
from hub.wire.checking import home_of
from hub.wire.contracts import decode, encode

log = logging.getLogger(__name__)

PAUSE_TO_WORK = 3
"""Publishing rests this many times as long as it took: with much to publish it comes late instead of taking all the
time."""

PAUSE_MAX_S = 1.0
"""This pause never delays the coverage of a platform that was heard by more than this."""


async def carry_out(
    plan: Flush, send: Callable[[Flush], Awaitable[None]], change: Callable[[Change], Awaitable[None]]
) -> None:
    """Carry a flush out in its order.

    Args:
        send: returns once everything that the plan writes is durable.
        change: queues a change; one partition of `tiles` keeps the order of changes.
    """
    await send(plan)
    for ack in plan.acks:
        ack()
    for one in plan.changes:
        await change(one)


class CoverageWorker:
    """Serves one partition of `acks`."""

    def __init__(self, context: Context, partition: int) -> None:
        self._context = context
        self._partition = partition
        partitions = context.hub_log.partitions
        self._shelf = Shelf(
            context.store.universe,
            context.store.digests,
            context.roster.roster,
            context.reported.disputes,
            partition=partition,
            epoch=uuid.uuid4().bytes,
            is_home=lambda platform: home_of(platform.encode(), partitions) == partition,
        )
        self._acks = TopicPartition(contracts.ACKS, partition)
        self._fold = AckFold(
            context.settings, context.checker, context.cases, self._shelf, self._place_of, self._shelf.refuse
        )
        self._to_flush, self._to_publish, self._to_refresh = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._flushing, self._publishing = asyncio.Lock(), asyncio.Lock()
        self._figures_ms: int | None = None
        """The time at which figures were last refreshed. Nothing is published before the first refresh."""

    def _place_of(self, _platform: str) -> tuple[TopicPartition, int]:
        return self._acks, self._shelf.held_to

    async def prepare(self) -> None:
        """Read the tiles of every epoch, and fold `releases` to its end."""
        began = time.monotonic()
        context = self._context
        await asyncio.gather(
            context.roster.caught_up(), context.cases.caught_up(), context.reported.caught_up(), self._load()
        )
        # This comes after the tiles: none of the tiles that were read may hold an acknowledgement beyond this end.
        spans = await log_spans(context.settings, [self._acks])
        committed = (await committed_offsets(context.admin)).get(self._acks, 0)
        self._shelf.begin(context.roster.platforms_offset, next_ack=committed, exact_from=spans[self._acks][1])
        taken = time.monotonic() - began
        context.metrics.recovery_seconds.labels(contracts.ACKS, self._partition).set(taken)

    async def _load(self) -> None:
        """Load the newest record of each key: an earlier one may hold what a stolen key had said."""
        tiles = await newest_in(self._context.settings, [TopicPartition(contracts.TILES, self._partition)])
        for key, record in tiles.items():
            self._load_record(key, record)
            await asyncio.sleep(0)

    def _load_record(self, key: bytes, record: Record) -> None:
        try:
            self._shelf.load(key, decode(record.value, Tile, Received, Judged))
        except ContractError as wrong:
            log.error("tiles %d offset %d: %s; ignored", record.partition, record.offset, wrong.message)

    async def handle(self, chunk: Chunk) -> None:
        """Merge a chunk. A later flush acks it."""
        taken = self._shelf.take(await self._fold.judged(chunk.records), chunk.end, chunk.ack)
        log_faults(self._shelf)
        self._count(taken)
        self._wake()

    def _wake(self) -> None:
        """Wake all that must follow when something was merged or a book was settled."""
        for event in (self._to_flush, self._to_publish, self._to_refresh):
            event.set()

    async def _settled(self) -> None:
        self._wake()

    async def background(self) -> None:
        """Flush, publish, refresh and fold again whenever it is due, until the partition is taken away."""
        async with self._hearing():
            await asyncio.gather(
                self._flush_for_ever(),
                self._publish_for_ever(),
                self._refresh_for_ever(),
                self._fold.run(self._settled),
            )

    @asynccontextmanager
    async def _hearing(self) -> AsyncIterator[None]:
        """Have the roster and the reports wake the refresh."""
        follow = (self._context.roster, self._context.reported)
        for one in follow:
            one.listeners.add(self._to_refresh.set)
        try:
            yield
        finally:
            for one in follow:
                one.listeners.discard(self._to_refresh.set)

    # ---- Making durable ----

    async def _flush_for_ever(self) -> None:
        while True:
            await self._to_flush.wait()
            await asyncio.sleep(self._context.settings.flush_interval_ms / 1000)
            self._to_flush.clear()
            await self.flush()

    async def flush(self) -> None:
        """Carry out a flush: make what changed durable, ack the chunks it came from, remove what it replaces."""
        async with self._flushing:
            plan = self._shelf.flush()
            if plan is None:
                return
            at_ms = self._context.roster.now_ms() if plan.at_ms is None else plan.at_ms
            await carry_out(plan, partial(self._send, at_ms=at_ms), partial(self._change, at_ms=at_ms))

    async def _change(self, one: Change, at_ms: int) -> None:
        value = None if one.value is None else encode(one.value)
        producer = self._context.producer
        await producer.send(contracts.TILES, value=value, key=one.key, partition=self._partition, timestamp_ms=at_ms)

    async def _send(self, plan: Flush, at_ms: int) -> None:
        with self._context.metrics.flush_seconds.time():
            await asyncio.gather(*await self._sent(plan, at_ms))

    async def _sent(self, plan: Flush, at_ms: int) -> list[asyncio.Future[Any]]:
        context = self._context
        sent = [
            await context.send(contracts.TILES, value, key=key, partition=self._partition, at_ms=at_ms)
            for key, value in plan.writes
        ]
        for record, platform, reason in plan.refused:
            sender = None if platform is None else platform.id
            sent.append(await context.reject(rejected(record, reason, sender)))
            sent += await context.tell_refusal(platform, record, reason)
        return sent

    # ---- Publishing ----

    async def _publish_for_ever(self) -> None:
        """Publish the platforms that were heard, with the time of the last refresh; the next refresh moves the time."""
        interval_s = self._context.settings.publish_interval_ms / 1000
        while True:
            await self._to_publish.wait()
            self._to_publish.clear()
            began = time.monotonic()
            if self._figures_ms is not None:
                heard, self._shelf.heard = self._shelf.heard, set()
                for platform_id in sorted(heard):
                    await self._publish(platform_id, self._figures_ms, complete=False)
            await asyncio.sleep(max(interval_s, min(PAUSE_TO_WORK * (time.monotonic() - began), PAUSE_MAX_S)))

    async def _refresh_for_ever(self) -> None:
        """Publish the coverage of every platform, and the gaps that changed, as time passes or the roster changes."""
        settings = self._context.settings
        interval_s, shortest_s = settings.refresh_interval_ms / 1000, settings.publish_interval_ms / 1000
        due_at, known = 0.0, (-1, -1)
        while True:
            self._to_refresh.clear()
            now_known = (self._context.roster.version, self._context.reported.disputes.version)
            if self._shelf.exact and (time.monotonic() >= due_at or now_known != known):
                known, began = now_known, time.monotonic()
                due_at = began + max(interval_s, PAUSE_TO_WORK * await self._refresh())
                await asyncio.sleep(shortest_s)
            elif self._shelf.exact:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._to_refresh.wait(), max(0.0, due_at - time.monotonic()))
            else:
                await self._to_refresh.wait()

    async def _refresh(self) -> float:
        """Refresh every platform's figures. Return the seconds of work, without the waiting for others."""
        worked_s = 0.0
        async with self._context.refreshing:
            began = time.monotonic()
            self._figures_ms = now_ms = self._context.roster.now_ms()
            self._shelf.sync_roster(self._context.roster.platforms_offset)
            for platform_id in list(self._shelf.books):
                await self._publish(platform_id, now_ms, complete=True)
            worked_s += time.monotonic() - began
        async with self._context.refreshing:
            began = time.monotonic()
            await self._publish_gaps(now_ms)
            worked_s += time.monotonic() - began
        self._to_publish.set()  # for platforms that were heard before there were figures
        return worked_s

    async def _publish(self, platform_id: str, now_ms: int, *, complete: bool) -> None:
        await asyncio.sleep(0)
        async with self._publishing:
            coverage = self._shelf.publish(platform_id, self._read(now_ms), complete=complete)
            if coverage is None:
                return
            self._context.metrics.show(coverage)
            await self._context.send(
                contracts.COVERAGE, coverage, key=platform_id.encode(), partition=self._partition, at_ms=now_ms
            )

    async def _publish_gaps(self, now_ms: int) -> None:
        for platform_id, key in self._shelf.stale_gaps():
            await self._context.send(
                contracts.GAPS,
                self._shelf.gaps(platform_id, key, self._read(now_ms)),
                key=f"{platform_id}/{key[0]}/{key[1]}".encode(),
                partition=self._partition,
                at_ms=now_ms,
            )
            await asyncio.sleep(0)

    def _read(self, now_ms: int) -> Read:
        return Read(self._context.store.next_offsets(), self._context.reported.offset, now_ms)

    # ---- Metrics ----

    def _count(self, taken: Taken) -> None:
        """Count once for each chunk: finding a metric's label costs as much as merging a message."""
        for platform, count in taken.messages.items():
            self._context.metrics.acks.labels(platform).inc(count)
            self._context.metrics.ack_positions.labels(platform).inc(taken.positions[platform])
