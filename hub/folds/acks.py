"""This module folds acknowledgements. Coverage is published from this fold, and clearances are decided on it.

`AckFold` opens acknowledgements by the roster, which is read to its end where this matters, and keeps the books of
`AckBooks` settled (`hub.core.books`). A message is judged at its record time, and the roster may later change what
holds for a time in the past. For example, a key is revoked from a time before its theft was known, or is put on the
roster after the time from which it counts. Then that platform's acknowledgements are read from the log again and merged
into a fresh book. Meanwhile its old book is still served but not settled; in the end the fresh book replaces it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

from aiokafka import TopicPartition

from hub.core.acks import OpenedAck
from hub.core.books import AckBooks
from hub.core.model import Platform, Record, Refusal
from hub.core.roster import NEVER, keys_changed
from hub.folds.cases import CaseFollower
from hub.folds.checker import Checker
from hub.folds.roster import PLATFORMS
from hub.kafka.clients import new_consumer, started
from hub.kafka.spans import read_span
from hub.settings import WorkerSettings
from hub.wire.signing import read_seal

log = logging.getLogger(__name__)


class AckFold:
    """Opens acknowledgements for some books, and keeps these settled.

    Args:
        checker: opens messages on threads.
        cases: the cases that acknowledgements name.
        books: the books into which the caller merges them.
        place_of: returns a platform's partition of `acks`, and the next offset there to be merged.
        refuse: is called with the messages that counted before and no longer count.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        checker: Checker,
        cases: CaseFollower,
        books: AckBooks,
        place_of: Callable[[str], tuple[TopicPartition, int]],
        refuse: Callable[[Sequence[OpenedAck]], None] = lambda _: None,
    ) -> None:
        self._settings, self._checker, self._cases = settings, checker, cases
        self._books, self._place_of, self._refuse = books, place_of, refuse
        self._roster = checker.roster
        self._checked_to = -1
        self._checking = asyncio.Lock()
        self._waiting: set[str] = set()
        self._to_fold = asyncio.Event()

    async def judged(self, records: Sequence[Record]) -> list[OpenedAck]:
        """Open acknowledgements, all by one roster. By that roster every book is settled, or waits to be folded again.

        The caller must merge them before it awaits anything else.
        """
        while True:  # again while the roster moves meanwhile
            read_to = self._roster.platforms_offset
            opened = await self._open(records)
            await self.check()
            if self._roster.platforms_offset == read_to:
                return opened

    async def _open(self, records: Sequence[Record]) -> list[OpenedAck]:
        opened = await self._checker.acks(records)
        await self._cases.folded_for(opened)
        return opened

    async def check(self) -> None:
        """Settle every book that need not be folded again. Nothing may be merged during this call."""
        if self._checked_to == self._roster.platforms_offset:
            return
        async with self._checking:
            read_to = self._roster.platforms_offset
            if self._checked_to == read_to:
                return
            self._books.sync_roster(read_to)
            for platform in self._books.unsettled():
                if platform.id not in self._waiting:
                    await self._check(platform)
            self._checked_to = read_to

    async def _check(self, platform: Platform) -> None:
        tp, end = self._place_of(platform.id)
        changed = keys_changed(self._books.book(platform.id).judged_by, platform.keys)
        if await _any_signed(self._settings, tp, end, platform.id, changed):
            self._waiting.add(platform.id)
            self._to_fold.set()
        else:
            self._books.settle(platform)

    async def run(self, settled: Callable[[], Awaitable[None]]) -> None:
        """Check the books whenever the roster moves, and fold again what must be, until this is cancelled.

        Args:
            settled: is awaited when books may have become settled.
        """
        await asyncio.gather(self._check_for_ever(settled), self._fold_for_ever(settled))

    async def _check_for_ever(self, settled: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self.check()
            await settled()
            await self._roster.reached({PLATFORMS: self._checked_to + 1})

    async def _fold_for_ever(self, settled: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._to_fold.wait()
            self._to_fold.clear()
            while self._waiting:
                for name in sorted(self._waiting):
                    await self._fold_again(self._roster.roster.platforms[name])
                await settled()

    async def _fold_again(self, platform: Platform) -> None:
        log.warning("%s has keys that count otherwise: its acknowledgements are folded again", platform.id)
        fresh, lost = self._books.fresh(), list[OpenedAck]()
        changed = keys_changed(self._books.book(platform.id).judged_by, platform.keys)
        tp, end = self._place_of(platform.id)
        at = 0
        while at < end:
            async with aclosing(_acks_of(self._settings, tp, at, end, platform.id)) as batches:
                async for records in batches:
                    for one in await self._open(records):
                        refusal = fresh.merge(one)
                        if refusal is Refusal.BAD_SIGNATURE and _counted_before(one.record, changed):
                            lost.append(one)
            at, (_, end) = end, self._place_of(platform.id)  # read on: more was merged meanwhile
        log_faults(fresh)
        if self._roster.roster.platforms[platform.id].keys == platform.keys:  # otherwise again, by its newest keys
            self._waiting.discard(platform.id)
            self._books.replace(platform, fresh)
            self._refuse(lost)


def log_faults(books: AckBooks) -> None:
    """Log what raised an error while it was merged. These messages are refused as HUB_FAULT."""
    faults, books.faults = books.faults, []
    for source, kind in faults:
        log.error("acks %s: %s while it was merged", source, kind)


def _counted_before(record: Record, changed: Mapping[str, int]) -> bool:
    """Return whether a message that does not count may have counted before."""
    seal = read_seal(record.headers)
    return seal is not None and record.record_time >= changed.get(seal.key_id, NEVER)


async def _any_signed(
    settings: WorkerSettings, tp: TopicPartition, end: int, platform: str, changed: Mapping[str, int]
) -> bool:
    """Return whether any acknowledgement before an offset may now count differently.

    Args:
        tp: the platform's partition of `acks`.
        end: the first offset that was not judged yet.
        changed: ids of keys that now count differently, each with the record time from which they do (`keys_changed`).
    """
    if not changed or not end:
        return False
    async with started(new_consumer(settings)) as consumer:
        consumer.assign([tp])
        found = (await consumer.offsets_for_times({tp: max(0, min(changed.values()))}))[tp]
    if found is None:
        return False
    async with aclosing(_acks_of(settings, tp, found.offset, end, platform)) as batches:
        async for records in batches:
            seals = [read_seal(one.headers) for one in records]
            if any(seal is not None and seal.key_id in changed for seal in seals):
                return True
    return False


async def _acks_of(
    settings: WorkerSettings, tp: TopicPartition, first: int, end: int, platform: str
) -> AsyncGenerator[list[Record], None]:
    """Yield a platform's acknowledgements from a first offset up to, but without, an end."""
    async with aclosing(read_span(settings, {tp: (first, end)})) as batches:
        async for batch in batches:
            yield [one for one in batch if one.key == platform.encode()]
