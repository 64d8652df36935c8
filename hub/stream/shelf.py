"""The books of the platforms whose acknowledgements come in one partition, and what is published of them.

Whoever was heard is published at once, every platform and the gaps that moved at the refresh. Both rest in
proportion to their work, and one partition refreshes at a time: a thousand platforms must leave room for acks.
"""

from __future__ import annotations

import asyncio
import time

from hub.core.figures import PlatformBook, SegmentKey
from hub.core.model import AsOf, Coverage, GapClass
from hub.stream.context import Context
from hub.wire import contracts
from hub.wire.contracts import partition_of

PAUSE_TO_WORK = 3
"""Publishing rests this many times as long as it took: with much to publish it is late rather than all there is."""

PAUSE_MAX_S = 1.0
"""But the coverage of who was heard is never later than this for it."""


def _says_nothing_new(coverage: Coverage, before: Coverage, *, complete: bool) -> bool:
    return coverage == before if complete else coverage._replace(as_of=before.as_of) == before


class Shelf:
    """The books of one partition of `acks`."""

    def __init__(self, context: Context, partition: int) -> None:
        self.books: dict[str, PlatformBook] = {}
        self.next_ack = 0
        """The next offset of `acks` to be merged."""

        self.exact_from = 0
        """Nothing is published before this offset of `acks` is reached: the books may be ahead of what is merged."""

        self.heard: set[str] = set()
        """Platforms that said something since they were last published."""

        self._context = context
        self._partition = partition
        self._roster_place = 0
        self._published: dict[str, Coverage] = {}
        self._stale_gaps: set[tuple[str, SegmentKey]] = set()
        self._now_ms: int | None = None
        self._publishing = asyncio.Lock()

    def book(self, platform_id: str) -> PlatformBook:
        """The book of a platform; made if new."""
        book = self.books.get(platform_id)
        if book is None:
            # Its roster record comes with the next `sync_roster`, and so with the place it was read at.
            book = self.books[platform_id] = PlatformBook(platform_id, None, self._context.reported.disputes)
        return book

    def sync_roster(self) -> None:
        """A book for every platform whose home is this partition; newest records in all of them."""
        self._roster_place = self._context.roster.platforms_offset
        for platform in self._context.roster.roster.platforms.values():
            if partition_of(platform.id.encode(), self._context.hub_log.partitions) == self._partition:
                self.book(platform.id).platform = platform

    async def publish_for_ever(self) -> None:
        """Publish whoever was heard, at figures' time: what only time moved waits for the refresh."""
        pause_s = interval_s = self._context.settings.publish_interval_ms / 1000
        while True:
            await asyncio.sleep(pause_s)
            began = time.monotonic()
            if self._now_ms is not None:
                heard, self.heard = self.heard, set()
                for platform_id in sorted(heard):
                    await self._publish(platform_id, complete=False)
            pause_s = max(interval_s, min(PAUSE_TO_WORK * (time.monotonic() - began), PAUSE_MAX_S))

    async def refresh_for_ever(self) -> None:
        """Publish coverage of every platform, and gaps that moved, as time passes or the roster changes."""
        settings, lock = self._context.settings, self._context.refreshing
        due_at, known = 0.0, (-1, -1)
        while True:
            await asyncio.sleep(settings.publish_interval_ms / 1000)
            if self.next_ack < self.exact_from:
                continue
            now_known = (self._context.roster.version, self._context.reported.disputes.version)
            if time.monotonic() < due_at and now_known == known:
                continue
            began = time.monotonic()
            async with lock:
                work_began = time.monotonic()
                self._now_ms, known = self._context.roster.now_ms(), now_known
                self.sync_roster()
                for platform_id in list(self.books):
                    await self._publish(platform_id, complete=True)
                worked_s = time.monotonic() - work_began
            async with lock:
                work_began = time.monotonic()
                await self._publish_gaps(self._now_ms)
                worked_s += time.monotonic() - work_began
            due_at = began + max(settings.refresh_interval_ms / 1000, PAUSE_TO_WORK * worked_s)

    async def _publish(self, platform_id: str, *, complete: bool) -> None:
        """Publish coverage of a platform; `complete`: also where only the place in the logs moved."""
        book = self.books[platform_id]
        await asyncio.sleep(0)
        if book.platform is None or self._now_ms is None:
            return
        if book.judged_by != book.platform.keys:
            self.heard.add(platform_id)  # once it is settled
            return
        async with self._publishing:
            as_of = self._as_of(self._now_ms)
            moved = book.refresh(self._context.store.universe, self._now_ms)
            self._stale_gaps.update((platform_id, key) for key in moved)
            coverage = book.coverage(as_of)
            before = self._published.get(platform_id)
            if before is not None and _says_nothing_new(coverage, before, complete=complete):
                return
            self._published[platform_id] = coverage
            self._show(coverage)
            await self._context.send(
                contracts.COVERAGE, coverage, key=platform_id.encode(), partition=self._partition, at_ms=as_of.now_ms
            )

    def _as_of(self, now_ms: int) -> AsOf:
        context = self._context
        releases, reported = context.store.next_offsets(), context.reported.offset
        return AsOf(releases, self._partition, self.next_ack, self._roster_place, now_ms, reported)

    async def _publish_gaps(self, now_ms: int) -> None:
        stale, self._stale_gaps = self._stale_gaps, set()
        for platform_id, key in sorted(stale):
            record = self.books[platform_id].gaps(self._context.store.universe, key, self._as_of(now_ms))
            await self._context.send(
                contracts.GAPS,
                record,
                key=f"{platform_id}/{key[0]}/{key[1]}".encode(),
                partition=self._partition,
                at_ms=now_ms,
            )
            await asyncio.sleep(0)

    def _show(self, coverage: Coverage) -> None:
        metrics, gaps = self._context.metrics, dict(coverage.gaps)
        metrics.in_force.labels(coverage.platform).set(coverage.in_force)
        metrics.resolved.labels(coverage.platform).set(coverage.resolved)
        metrics.overdue.labels(coverage.platform).set(coverage.overdue)
        metrics.exposed.labels(coverage.platform).set(coverage.exposed)
        metrics.incident.labels(coverage.platform).set(coverage.incident)
        metrics.restore_pending.labels(coverage.platform).set(coverage.restore_pending)
        for gap in GapClass:
            metrics.gaps.labels(coverage.platform, gap.lower()).set(gaps.get(gap, 0))
