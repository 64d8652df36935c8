"""What the stages of one worker share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer

from hub import contracts
from hub.contracts import encode
from hub.core.model import HubLog, Record, Rejected
from hub.core.roster import Roster
from hub.metrics import Metrics
from hub.opening import Opener
from hub.settings import WorkerSettings
from hub.stream.case_store import CaseStore
from hub.stream.followers import CaseFollower, RosterFollower
from hub.stream.held_store import HeldFollower
from hub.stream.read_back import ReadBack

T = TypeVar("T")

OPEN_SLICE = 250
"""Messages opened by one thread at a time: enough to pay for the hand-over, few enough to share out."""


@dataclass
class Context:
    """The shared parts of one worker."""

    settings: WorkerSettings
    hub_log: HubLog
    opener: Opener
    roster: RosterFollower
    store: CaseStore
    cases: CaseFollower
    held: HeldFollower
    producer: AIOKafkaProducer
    pool: ThreadPoolExecutor
    metrics: Metrics
    committed: Callable[[str, int], Awaitable[int]]
    """The committed offset of a topic's partition; 0 if there is none."""

    read_back: ReadBack
    """Which sources already have a receipt."""

    joined: asyncio.Event
    """Set once this worker was given its partitions."""

    refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one partition that works its figures out again: twelve at once would leave no room for acks."""

    async def open(
        self,
        records: Sequence[Record],
        opener: Callable[[Sequence[Record], Roster], list[T]],
        is_unknown: Callable[[T], bool],
    ) -> list[T]:
        """Open messages on threads; on an unknown sender or key, read the roster to its end and try once more."""
        opened = await self._open_on_threads(records, opener)
        again = [index for index, one in enumerate(opened) if is_unknown(one)]
        if again:
            await self.roster.caught_up()
            fresh = await self._open_on_threads([records[index] for index in again], opener)
            for index, one in zip(again, fresh, strict=True):
                opened[index] = one
        return opened

    async def _open_on_threads(
        self, records: Sequence[Record], opener: Callable[[Sequence[Record], Roster], list[T]]
    ) -> list[T]:
        loop = asyncio.get_running_loop()
        slices = [records[start : start + OPEN_SLICE] for start in range(0, len(records), OPEN_SLICE)]
        done = await asyncio.gather(
            *(loop.run_in_executor(self.pool, opener, one, self.roster.roster) for one in slices)
        )
        return [item for part in done for item in part]

    async def send(
        self, topic: str, value: tuple[Any, ...], *, key: bytes, partition: int, at_ms: int
    ) -> asyncio.Future[Any]:
        """Queue one of the hub's messages; the future is done when it is durable.

        `at_ms`: the time of what caused it. Under LogAppendTime the broker overrides it.
        """
        future: asyncio.Future[Any] = await self.producer.send(
            topic, value=encode(value), key=key, partition=partition, timestamp_ms=at_ms
        )
        return future

    async def reject(self, rejected: Rejected) -> asyncio.Future[Any]:
        """Queue a refused message for the hub's staff."""
        self.metrics.refused.labels(rejected.topic, rejected.reason).inc()
        return await self.send(
            contracts.REJECTED, rejected, key=rejected.topic.encode(), partition=0, at_ms=rejected.recorded_at
        )
