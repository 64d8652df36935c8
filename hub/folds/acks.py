"""The fold of acknowledgements: the one that coverage publishes from, and clearance is decided on.

`AckFold` opens acknowledgements by the roster, read to its end where it matters, and keeps the books of `AckBooks`
settled (`hub.core.books`). Validity is judged at a message's record time, and the roster may come to say otherwise of
a time that has passed: a key is revoked from before it was known to be stolen, or is put on the roster later than it
began to count. That platform's acknowledgements are then read from the log and merged again beside its book. The
book goes on being served meanwhile, is not settled, and is replaced by the fresh one in the end.
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
        books: what they are merged into, by whoever runs this.
        place_of: a platform's partition of `acks`, and the next offset there to be merged.
        refuse: is called with what counted before and does so no more.
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
        """Open acknowledgements, all by one roster, by which every book is settled or waits to be folded again.

        They have to be merged before anything else is awaited.
        """
        while True:  # as often as the roster moves meanwhile
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
        """Settle every book of which nothing has to be folded again. Nothing may be merged meanwhile."""
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
        """Check as the roster moves and fold again what has to be, until it is cancelled.

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
            at, (_, end) = end, self._place_of(platform.id)  # what was merged meanwhile
        log_faults(fresh)
        if self._roster.roster.platforms[platform.id].keys == platform.keys:  # else once more, by its newest keys
            self._waiting.discard(platform.id)
            self._books.replace(platform, fresh)
            self._refuse(lost)


def log_faults(books: AckBooks) -> None:
    """Write to the log what raised an error while it was merged. The messages are refused as HUB_FAULT."""
    faults, books.faults = books.faults, []
    for source, kind in faults:
        log.error("acks %s: %s while it was merged", source, kind)


def _counted_before(record: Record, changed: Mapping[str, int]) -> bool:
    """Whether a message that does not count may be one that did."""
    seal = read_seal(record.headers)
    return seal is not None and record.record_time >= changed.get(seal.key_id, NEVER)


async def _any_signed(
    settings: WorkerSettings, tp: TopicPartition, end: int, platform: str, changed: Mapping[str, int]
) -> bool:
    """Whether any acknowledgement before an offset may count otherwise.

    Args:
        tp: the platform's partition of `acks`.
        end: the first offset that was not judged yet.
        changed: ids of keys that count otherwise, each with the record time from which on (`keys_changed`).
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
    """A platform's acknowledgements from an offset up to, but without, another."""
    async with aclosing(read_span(settings, {tp: (first, end)})) as batches:
        async for batch in batches:
            yield [one for one in batch if one.key == platform.encode()]
