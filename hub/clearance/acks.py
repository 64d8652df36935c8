"""This module follows `acks`: it merges what `hub.folds.acks` judges into a state, and saves it every second."""

from __future__ import annotations

import time
from typing import Any

from aiokafka import TopicPartition

from hub.clearance.pair_state import PairState, PairStore
from hub.folds.acks import AckFold, log_faults
from hub.folds.cases import CaseFollower
from hub.folds.checker import SLICE, Checker
from hub.kafka.clients import to_record
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import partition_of

SAVE_S = 1.0
"""How often what was merged is written to disk. After a kill this much is merged again."""


class AckFollower(Follower):
    """Merges `acks` into a state. `fold.run` keeps the state settled beside it."""

    def __init__(
        self,
        settings: WorkerSettings,
        checker: Checker,
        cases: CaseFollower,
        state: PairState,
        store: PairStore,
        partitions: int,
    ) -> None:
        super().__init__(settings, [TopicPartition(contracts.ACKS, one) for one in range(partitions)])
        self.fold = AckFold(settings, checker, cases, state, self._place_of)
        self._state, self._store = state, store
        self._saved: dict[TopicPartition, int] = {}
        self._saved_at = 0.0
        places = store.places(partitions)
        for tp in self.tps:
            self.places[tp] = self._saved[tp] = places[tp.partition]

    def _place_of(self, platform: str) -> tuple[TopicPartition, int]:
        tp = self.tps[partition_of(platform.encode(), len(self.tps))]
        return tp, self.places[tp]

    async def stop(self) -> None:
        """Disconnect, and write what is left."""
        await super().stop()
        self.save()

    async def take(self, batch: list[Any]) -> None:
        """Merge records of one partition, in order. The place moves with each slice."""
        for start in range(0, len(batch), SLICE):
            records = [to_record(raw) for raw in batch[start : start + SLICE]]
            for one in await self.fold.judged(records):
                self._state.merge(one)
            log_faults(self._state)
            self.places[TopicPartition(contracts.ACKS, records[0].partition)] = records[-1].offset + 1

    async def settled(self) -> None:
        """Wait until every platform's acknowledgements are judged by the roster as it was read."""
        async with self._moved:
            await self._moved.wait_for(lambda: not self._state.unsettled())

    @property
    def saved(self) -> tuple[int, ...]:
        """Return the next offset of each partition that is written to disk: what is left after a kill."""
        return tuple(self._saved[tp] for tp in self.tps)

    async def between(self) -> None:
        """Write what was merged, every second."""
        if time.monotonic() - self._saved_at > SAVE_S:
            self.save()

    def save(self) -> None:
        """Write what was merged and how far it goes."""
        moved = [(tp, place) for tp, place in self.places.items() if self._saved[tp] != place]
        if moved or self._state.dirty_keys:
            self._store.save(self._state, [(tp.partition, place) for tp, place in moved])
            self._saved.update(moved)
        self._saved_at = time.monotonic()
