"""This module follows `releases`, folds cases into a `CaseStore`, and lets callers wait until a position is folded.

For example, `folded(7, 120034)` returns once the notice 7-120033 is folded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from typing import Any

from aiokafka import TopicPartition

from hub.clock import system_clock
from hub.core.acks import JUDGED_AFTER_MS, OpenedAck
from hub.core.held import HeldBook
from hub.core.model import Acknowledgement, Operator, ReleaseNotice, Source
from hub.errors import ContractError
from hub.folds.case_store import CaseStore
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode

log = logging.getLogger(__name__)
STORE_FLUSH_S = 0.5
"""How often folded cases are written to disk. After a kill the worker folds this much again."""


class CaseFollower(Follower):
    """Folds `releases` into a store, and wakes the tasks that wait until a position is folded."""

    def __init__(
        self,
        settings: WorkerSettings,
        store: CaseStore,
        partitions: int,
        operator_of: Callable[[str], Awaitable[Operator | None]],
        held: HeldBook,
    ) -> None:
        super().__init__(settings, [TopicPartition(contracts.RELEASES, one) for one in range(partitions)])
        self.store = store
        self._operator_of = operator_of
        self._held = held
        self._flushed_at = 0.0
        for tp in self.tps:
            self.places[tp] = store.next_offset(tp.partition)

    async def take(self, batch: list[Any]) -> None:
        """Fold records of one partition, in order."""
        for raw in batch:
            await self._fold(raw)

    def reach(self, tp: TopicPartition, place: int) -> None:
        """Note that everything of a partition before an offset was folded."""
        super().reach(tp, place)
        self.store.reach(tp.partition, place)

    async def between(self) -> None:
        """Write what was folded, every half second."""
        if time.monotonic() - self._flushed_at > STORE_FLUSH_S:
            self.store.flush()
            self._flushed_at = time.monotonic()

    async def _fold(self, raw: Any) -> None:
        position = Source(raw.partition, raw.offset)
        try:
            notice = decode(raw.value, ReleaseNotice)
        except ContractError as wrong:
            log.error("releases %s: %s; ignored", position, wrong.message)
            self.store.reach(position.partition, position.offset + 1)
            return
        held = self._held.ever_held(position.partition, notice.operator, notice.event_id)
        released = bool(held) and notice.source.offset not in held
        operator = await self._operator_of(notice.operator)
        digest = sha256(raw.value).digest()
        folded = self.store.add(notice, position, operator, digest=digest, recorded_at=raw.timestamp, released=released)
        if folded is not None and held and not released:
            self._held.void(notice.source)

    async def folded(self, partition: int, end: int) -> None:
        """Wait until everything before an offset was folded."""
        await self.reached({TopicPartition(contracts.RELEASES, partition): end})

    async def folded_for(self, opened: Iterable[OpenedAck]) -> None:
        """Fold until acknowledgements can be judged: until what they name is folded, or is too late to count."""
        acks = [one for one in opened if self._is_ahead(one.ack)]
        if not acks:
            return
        await self.caught_up()
        acks = [one for one in acks if self._is_ahead(one.ack)]
        if not acks:
            return
        until_ms = max(one.record.record_time for one in acks) + JUDGED_AFTER_MS
        wait_ms = max(0, min(until_ms - system_clock(), JUDGED_AFTER_MS))  # a world's clock may show any time
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000), self._moved:
                await self._moved.wait_for(lambda: not any(self._is_ahead(one.ack) for one in acks))
        await self.caught_up()

    def _is_ahead(self, ack: Acknowledgement | None) -> bool:
        """Return whether an acknowledgement names notices that are not folded yet."""
        received = () if ack is None else ack.received
        return any(through >= self.store.next_offset(partition) for partition, through, _ in received)
