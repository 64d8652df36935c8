"""The follower of `acks`: opened and merged with the code of the coverage stage, judged by the roster as it is known.

A platform whose keys the roster has otherwise than they were when its acknowledgements were judged is not settled. If
that changes what counts, its acknowledgements are folded again beside its book, which they then replace; if this
process ends before, its keys as stored say so, and it happens at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

from aiokafka import TopicPartition

from hub.clearance.pair_state import PairState, PairStore
from hub.core.model import Platform, Record, Refusal
from hub.core.roster import keys_changed
from hub.folds.cases import CaseFollower
from hub.folds.judging import acks_of, any_signed
from hub.folds.roster import RosterFollower
from hub.kafka.clients import to_record
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.checking import OpenedAck, Opener
from hub.wire.contracts import partition_of

log = logging.getLogger(__name__)

SAVE_S = 1.0
"""How often what was merged is written to disk: what a kill makes it merge again."""

OPEN_SLICE = 250
"""Acknowledgements opened by one thread at a time, and merged before anybody else may look."""


class AckFollower(Follower):
    """Merges `acks` into a state."""

    def __init__(
        self,
        settings: WorkerSettings,
        opener: Opener,
        state: PairState,
        store: PairStore,
        cases: CaseFollower,
        roster: RosterFollower,
    ) -> None:
        super().__init__(settings, [TopicPartition(contracts.ACKS, one) for one in range(opener.partitions)])
        self._opener, self._state, self._store, self._cases, self._roster = opener, state, store, cases, roster
        self._pool = ThreadPoolExecutor(settings.signature_threads, "clearance-open")
        self._saved: dict[TopicPartition, int] = {}
        self._saved_at = 0.0
        places = store.places(opener.partitions)
        for tp in self.tps:
            self.places[tp] = self._saved[tp] = places[tp.partition]

    async def stop(self) -> None:
        """Disconnect, and write what is left."""
        await super().stop()
        self._pool.shutdown()
        self.save()

    async def take(self, batch: list[Any]) -> None:
        """Merge records of one partition, in order; the place moves with each slice."""
        for start in range(0, len(batch), OPEN_SLICE):
            records = [to_record(raw) for raw in batch[start : start + OPEN_SLICE]]
            for one in await self._judge(records):
                self._merge(self._state, one)
            tp = TopicPartition(contracts.ACKS, records[0].partition)
            self.places[tp] = records[-1].offset + 1

    async def _judge(self, records: Sequence[Record]) -> list[OpenedAck]:
        """Open acknowledgements, all by one roster, by which everything merged before them is settled as well."""
        while True:
            read_to = self._roster.platforms_offset
            opened = await self._open(records)
            await self._cases.folded_for(opened)
            await self._settle()
            if self._roster.platforms_offset == read_to:
                return opened

    async def _settle(self) -> None:
        """Fold platforms again whose keys say otherwise of what was merged already."""
        for platform in self._state.unsettled():
            tp = TopicPartition(contracts.ACKS, partition_of(platform.id.encode(), self._opener.partitions))
            place = self.places[tp]
            changed = keys_changed(self._state.book(platform.id).judged_by, platform.keys)
            if await any_signed(self._settings, tp, place, platform.id, changed):
                await self._fold_again(platform, tp, place)
            else:
                self._state.settle(platform)
        await self.told()

    async def _fold_again(self, platform: Platform, tp: TopicPartition, end: int) -> None:
        log.warning("%s has keys that count otherwise: its acknowledgements are folded again", platform.id)
        state = self._state
        fresh = PairState(state.universe, state.roster, state.disputes)
        async with aclosing(acks_of(self._settings, tp, 0, end, platform.id)) as batches:
            async for records in batches:
                opened = await self._open(records)
                await self._cases.folded_for(opened)
                for one in opened:
                    self._merge(fresh, one)
        if state.roster.platforms[platform.id].keys == platform.keys:  # else once more, by the keys it has now
            state.replace(platform, fresh)

    async def _open(self, records: Sequence[Record]) -> list[OpenedAck]:
        opened = await self._open_once(records)
        again = [index for index, one in enumerate(opened) if one.refusal is Refusal.BAD_SIGNATURE]
        if again:
            await self._roster.caught_up()
            fresh = await self._open_once([records[index] for index in again])
            for index, one in zip(again, fresh, strict=True):
                opened[index] = one
        return opened

    async def _open_once(self, records: Sequence[Record]) -> list[OpenedAck]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._opener.acks, records, self._roster.roster)

    @staticmethod
    def _merge(state: PairState, opened: OpenedAck) -> None:
        try:
            state.merge(opened)
        except Exception as error:  # noqa: BLE001  (one message must not stop the rest; coverage refuses it as well)
            log.error("acks %d-%d: %s", opened.record.partition, opened.record.offset, type(error).__name__)

    async def settled(self) -> None:
        """Wait until every platform's acknowledgements are judged by the roster as it was read."""
        async with self._moved:
            await self._moved.wait_for(lambda: not self._state.unsettled())

    @property
    def saved(self) -> tuple[int, ...]:
        """The next offset of each partition as it is written: what a kill leaves."""
        return tuple(self._saved[tp] for tp in self.tps)

    async def between(self) -> None:
        """Settle what a newer roster says, and write what was merged, every second."""
        await self._settle()
        if time.monotonic() - self._saved_at > SAVE_S:
            self.save()

    def save(self) -> None:
        """Write what was merged and how far it goes."""
        moved = [(tp, place) for tp, place in self.places.items() if self._saved[tp] != place]
        if moved or self._state.dirty_keys:
            self._store.save(self._state, [(tp.partition, place) for tp, place in moved])
            self._saved.update(moved)
        self._saved_at = time.monotonic()
