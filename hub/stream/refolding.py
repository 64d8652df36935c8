"""The books of one partition of `acks`, kept to what the roster's keys say (`hub.folds.judging`).

A platform is settled if its book was judged by the keys its roster record has; it is published only then. If other keys
change what counts, its acknowledgements are folded again into a fresh book, while the partition goes on being served.
Tiles do not say by which keys they were judged: at the start a revoked key is one that may have counted there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from aiokafka import TopicPartition

from hub.core.figures import PlatformBook
from hub.core.model import Key, Platform, Record, Refusal
from hub.core.roster import NEVER, keys_changed
from hub.folds.judging import acks_of, any_signed
from hub.stream.context import Context
from hub.stream.shelf import Shelf
from hub.wire import contracts
from hub.wire.checking import OpenedAck
from hub.wire.signing import read_seal

log = logging.getLogger(__name__)


class Refolding:
    """Settles the platforms of one partition.

    `judge` opens acknowledgements; `merge` merges one into a book; `put` takes a fresh book in place of the
    old, and the acknowledgements that no longer count.
    """

    def __init__(
        self,
        context: Context,
        shelf: Shelf,
        partition: int,
        judge: Callable[[Sequence[Record]], Awaitable[list[OpenedAck]]],
        merge: Callable[[PlatformBook, OpenedAck], None],
        put: Callable[[PlatformBook, list[OpenedAck]], None],
    ) -> None:
        self._context, self._shelf, self._judge, self._merge, self._put = context, shelf, judge, merge, put
        self._tp = TopicPartition(contracts.ACKS, partition)
        self._checked_to = -1
        self._waiting: set[str] = set()
        self._checking = asyncio.Lock()

    def begin(self) -> None:
        """Take what was loaded as judged by the keys there are, none of them revoked."""
        self._shelf.sync_roster()
        for book in self._shelf.books.values():
            book.judged_by = () if book.platform is None else tuple(map(_unrevoked, book.platform.keys))

    async def check(self) -> None:
        """Settle every platform of which nothing has to be folded again. Nothing may be merged meanwhile."""
        if self._checked_to == self._context.roster.platforms_offset:
            return
        async with self._checking:
            read_to = self._context.roster.platforms_offset
            if self._checked_to == read_to:
                return
            self._shelf.sync_roster()
            for book in list(self._shelf.books.values()):
                platform = book.platform
                if platform is not None and book.judged_by != platform.keys and platform.id not in self._waiting:
                    await self._check(book, platform)
            self._checked_to = read_to

    async def _check(self, book: PlatformBook, platform: Platform) -> None:
        changed = keys_changed(book.judged_by, platform.keys)
        end = self._shelf.next_ack
        if await any_signed(self._context.settings, self._tp, end, platform.id, changed):
            self._waiting.add(platform.id)
        else:
            book.judged_by = platform.keys

    async def run(self) -> None:
        """Check as the roster moves, and fold again what has to be."""
        while True:
            await asyncio.sleep(self._context.settings.publish_interval_ms / 1000)
            await self.check()
            for name in sorted(self._waiting):
                await self._fold_again(self._context.roster.roster.platforms[name])

    async def _fold_again(self, platform: Platform) -> None:
        log.warning("%s has keys that count otherwise: its acknowledgements are folded again", platform.id)
        fresh = PlatformBook(platform.id, platform, self._context.reported.disputes)
        fresh.judged_by = platform.keys
        changed = keys_changed(self._shelf.book(platform.id).judged_by, platform.keys)
        at, lost = 0, list[OpenedAck]()
        while at < self._shelf.next_ack:
            first, at = at, self._shelf.next_ack
            async with aclosing(acks_of(self._context.settings, self._tp, first, at, platform.id)) as batches:
                async for records in batches:
                    for one in await self._judge(records):
                        self._merge(fresh, one)
                        if one.refusal is Refusal.BAD_SIGNATURE and _is_of(one.record, changed):
                            lost.append(one)
        if self._context.roster.roster.platforms[platform.id].keys == platform.keys:  # else once more
            self._waiting.discard(platform.id)
            self._put(fresh, lost)


def _is_of(record: Record, changed: dict[str, int]) -> bool:
    """Whether it may be one that counted before."""
    seal = read_seal(record.headers)
    return seal is not None and record.record_time >= changed.get(seal.key_id, NEVER)


def _unrevoked(key: Key) -> Key:
    return key._replace(revoked_at=None)
