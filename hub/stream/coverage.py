"""The coverage stage: one partition of `acks`, and the platforms whose acknowledgements come there.

Chunks are merged at once and acked when every tile they changed is on the brokers, about once a second.
Coverage is published from memory in between (`hub.stream.shelf`).

A tile's key ends in an epoch, random per acquisition, so each key has one writer: a new owner reads every epoch,
ORs them, and when it has written a tile of its own and that is durable, removes the others'. A zombie can write a
stale tile under its own epoch, and so never unset a bit.

Only where a platform's keys come to count otherwise (`hub.stream.refolding`) is a book replaced by a fresh one, all of
whose tiles are written anew. A stale tile of a zombie's is then met at the next start, where it is folded again.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from hub.core.acks import apply, is_beyond_log
from hub.core.figures import PlatformBook, SegmentKey
from hub.core.intake import rejected
from hub.core.model import Platform, Received, Record, Refusal, Tile
from hub.errors import ContractError
from hub.kafka.clients import committed_offsets
from hub.kafka.spans import log_spans, read_span
from hub.stream.context import Context
from hub.stream.metrics import Metrics
from hub.stream.refolding import Refolding
from hub.stream.runner import Chunk
from hub.stream.shelf import Shelf
from hub.wire import contracts
from hub.wire.checking import OpenedAck
from hub.wire.contracts import decode, received_key

log = logging.getLogger(__name__)


def tile_key(platform: str, key: SegmentKey, epoch: bytes) -> bytes:
    """The key of a tile's record."""
    return f"{platform}/{key[0]}/{key[1]}/{epoch.hex()}".encode()


class _Counted(NamedTuple):
    """What of a chunk counted, by platform: finding a metric's label costs as much as merging a message."""

    messages: Counter[str]
    positions: Counter[str]

    def show(self, metrics: Metrics) -> None:
        """Add it to the metrics."""
        for platform, count in self.messages.items():
            metrics.acks.labels(platform).inc(count)
            metrics.ack_positions.labels(platform).inc(self.positions[platform])


class CoverageWorker:
    """Serves one partition of `acks`."""

    def __init__(self, context: Context, partition: int) -> None:
        self._context = context
        self._partition = partition
        self._epoch = uuid.uuid4().bytes
        self._shelf = Shelf(context, partition)
        self._dirty_tiles: set[tuple[str, SegmentKey]] = set()
        self._dirty_received: set[tuple[str, int]] = set()
        self._gone: set[bytes] = set()
        """Keys of records of ours that fresh books hold no more."""

        self._refolding = Refolding(context, self._shelf, partition, self._judge, self._merge_again, self._put)
        self._foreign: dict[bytes, set[bytes]] = defaultdict(set)
        self._unflushed: list[tuple[Callable[[], None], int]] = []
        """How to ack each chunk that waits for a flush, and its last record time; not its records."""

        self._refused: list[tuple[Record, Platform | None, Refusal]] = []
        self._flushing = asyncio.Lock()

    async def prepare(self) -> None:
        """Read the tiles of every epoch, and fold `releases` to its end."""
        began = time.monotonic()
        context = self._context
        await asyncio.gather(
            context.roster.caught_up(), context.cases.caught_up(), context.reported.caught_up(), self._load()
        )
        await self._find_place()  # after the tiles: none of those read may hold an ack beyond it
        self._refolding.begin()
        taken = time.monotonic() - began
        context.metrics.recovery_seconds.labels(contracts.ACKS, self._partition).set(taken)

    async def _find_place(self) -> None:
        """Tiles may hold acks that were not committed: figures are exact from the end of `acks` seen now."""
        tp = TopicPartition(contracts.ACKS, self._partition)
        spans = await log_spans(self._context.settings, [tp])
        self._shelf.exact_from = spans[tp][1]
        self._shelf.next_ack = (await committed_offsets(self._context.admin)).get(tp, 0)

    async def _load(self) -> None:
        tp = TopicPartition(contracts.TILES, self._partition)
        async for batch in read_span(self._context.settings, await log_spans(self._context.settings, [tp])):
            for record in batch:
                self._load_record(record)
            await asyncio.sleep(0)

    def _load_record(self, record: Record) -> None:
        assert record.key is not None, "tiles are keyed"
        thing = record.key.rpartition(b"/")[0]
        if record.value is None:
            self._foreign[thing].discard(record.key)
            return
        try:
            stored: Tile | Received = decode(record.value, Tile, Received)
        except ContractError as wrong:
            log.error("tiles %d offset %d: %s; ignored", record.partition, record.offset, wrong.message)
            return
        self._foreign[thing].add(record.key)
        book = self._shelf.book(stored.platform)
        if isinstance(stored, Tile):
            key = (stored.partition, stored.segment)
            book.tile(key).merge(stored.said)
            book.touch(key)
        else:
            book.receive(stored.partition, stored.through)

    async def handle(self, chunk: Chunk) -> None:
        """Merge a chunk; it is acked by a later flush."""
        context = self._context
        opened = await self._judge_settled(chunk.records)
        counted = _Counted(Counter(), Counter())
        for one in opened:
            self._merge_or_set_aside(one, counted)
        self._shelf.next_ack = max(self._shelf.next_ack, chunk.end)  # a chunk may come once more
        self._unflushed.append((chunk.ack, chunk.records[-1].record_time))
        counted.show(context.metrics)

    async def _judge(self, records: Sequence[Record]) -> list[OpenedAck]:
        """Open acknowledgements, and fold what they name."""
        context = self._context
        opened = await context.open(records, context.opener.acks, lambda one: one.refusal is Refusal.BAD_SIGNATURE)
        await context.cases.folded_for(opened)
        return opened

    async def _judge_settled(self, records: Sequence[Record]) -> list[OpenedAck]:
        """The same, all by one roster, by which the books were looked at too."""
        while True:
            read_to = self._context.roster.platforms_offset
            opened = await self._judge(records)
            await self._refolding.check()
            if self._context.roster.platforms_offset == read_to:
                return opened

    def _merge_or_set_aside(self, one: OpenedAck, counted: _Counted) -> None:
        try:
            self._merge(one, counted)
        except Exception as error:  # noqa: BLE001  (one message must not stop the rest)
            log.error("acks %d-%d: %s", one.record.partition, one.record.offset, type(error).__name__)
            self._refused.append((one.record, None, Refusal.HUB_FAULT))

    def _merge(self, one: OpenedAck, counted: _Counted) -> None:
        record, _, _, ack, additions = one
        refusal = self._refusal(one)
        if ack is None or refusal is not None:
            self._refused.append((record, one.platform, refusal or Refusal.HUB_FAULT))
            return
        platform = ack.platform
        tiles, received = apply(self._shelf.book(platform), ack, additions)
        for key in tiles:
            self._dirty_tiles.add((platform, key))
        for partition in received:
            self._dirty_received.add((platform, partition))
        self._shelf.heard.add(platform)
        counted.messages[platform] += 1
        for addition in additions:
            counted.positions[platform] += len(addition.bits)

    def _refusal(self, one: OpenedAck) -> Refusal | None:
        if one.ack is not None and is_beyond_log(one.ack, one.record.record_time, self._context.store.universe):
            return Refusal.BEYOND_LOG
        return one.refusal

    def _merge_again(self, book: PlatformBook, one: OpenedAck) -> None:
        if one.ack is not None and self._refusal(one) is None:
            apply(book, one.ack, one.additions)

    def _put(self, fresh: PlatformBook, lost: list[OpenedAck]) -> None:
        """Put a fresh book in place of the old one, and write all of it; refuse what no longer counts."""
        self._refused += [(one.record, one.platform, Refusal.BAD_SIGNATURE) for one in lost]
        name, old = fresh.platform_id, self._shelf.books[fresh.platform_id]
        self._shelf.books[name] = fresh
        self._shelf.heard.add(name)
        self._dirty_tiles = {one for one in self._dirty_tiles if one[0] != name} | {(name, one) for one in fresh.tiles}
        self._dirty_received = {one for one in self._dirty_received if one[0] != name}
        self._dirty_received |= {(name, one) for one in fresh.received}
        gone = {tile_key(name, one, self._epoch) for one in old.tiles.keys() - fresh.tiles.keys()}
        gone |= {received_key(name, one, self._epoch) for one in old.received.keys() - fresh.received.keys()}
        self._gone |= gone

    async def background(self) -> None:
        """Flush, publish and refresh, each at its interval, until the partition is gone."""
        shelf = self._shelf
        works = (self._flush_for_ever(), shelf.publish_for_ever(), shelf.refresh_for_ever(), self._refolding.run())
        await asyncio.gather(*works)

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._context.settings.flush_interval_ms / 1000)
            await self.flush()

    async def flush(self) -> None:
        """Make what changed durable, then ack the chunks it came from, then remove what it replaces."""
        async with self._flushing:
            chunks, self._unflushed = self._unflushed, []
            tiles, self._dirty_tiles = self._dirty_tiles, set()
            received, self._dirty_received = self._dirty_received, set()
            refused, self._refused = self._refused, []
            gone, self._gone = self._gone, set()
            if not (chunks or tiles or received or refused or gone):
                return
            with self._context.metrics.flush_seconds.time():
                at_ms = chunks[-1][1] if chunks else self._context.roster.now_ms()
                sent = [await self._write_tile(*one, at_ms) for one in tiles]
                sent += [await self._write_received(*one, at_ms) for one in received if self._has_received(*one)]
                for record, platform, reason in refused:
                    sender = None if platform is None else platform.id
                    sent.append(await self._context.reject(rejected(record, reason, sender)))
                    sent += await self._context.tell_refusal(platform, record, reason)
                await asyncio.gather(*sent)
            for ack, _ in chunks:
                ack()
            await self._remove_replaced(tiles, received, gone, at_ms)

    async def _write_tile(self, platform: str, key: SegmentKey, at_ms: int) -> asyncio.Future[Any]:
        tile = Tile(platform, *key, self._epoch, self._shelf.book(platform).tile(key).packed())
        return await self._write(tile_key(platform, key, self._epoch), tile, at_ms)

    def _has_received(self, platform: str, partition: int) -> bool:
        """A book may have been replaced while others' tiles were written."""
        return partition in self._shelf.book(platform).received

    async def _write_received(self, platform: str, partition: int, at_ms: int) -> asyncio.Future[Any]:
        value = Received(platform, partition, self._epoch, self._shelf.book(platform).received[partition])
        return await self._write(received_key(platform, partition, self._epoch), value, at_ms)

    async def _write(self, key: bytes, value: Tile | Received, at_ms: int) -> asyncio.Future[Any]:
        return await self._context.send(contracts.TILES, value, key=key, partition=self._partition, at_ms=at_ms)

    async def _remove_replaced(
        self, tiles: set[tuple[str, SegmentKey]], received: set[tuple[str, int]], gone: set[bytes], at_ms: int
    ) -> None:
        """What is gone, and other epochs' records of what was just written: their bits are in ours, durably."""
        ours = {tile_key(*one, self._epoch) for one in tiles}
        ours |= {received_key(*one, self._epoch) for one in received}
        removed = gone - ours
        for key in ours | gone:
            removed |= self._foreign.pop(key.rpartition(b"/")[0], set())
        for key in removed:
            await self._context.producer.send(
                contracts.TILES, value=None, key=key, partition=self._partition, timestamp_ms=at_ms
            )
