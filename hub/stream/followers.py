"""Followers: each reads its logs by itself, keeps its own place, and says how far it is.

`RosterFollower` follows the single-partition topics `operators`, `platforms`, `hub` and, in a replayed world, `clock`.
`ReportedFollower` folds `reported`. `CaseFollower` folds all partitions of `releases` into a `CaseStore`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub import contracts
from hub.clock import system_clock
from hub.contracts import decode
from hub.core.acks import JUDGED_AFTER_MS
from hub.core.held import HeldBook
from hub.core.model import (
    AcceptedAnswer,
    AcceptedReport,
    Acknowledgement,
    Clock,
    HubKey,
    HubLog,
    Operator,
    Platform,
    ReleaseNotice,
    Source,
)
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.errors import ContractError
from hub.opening import OpenedAck
from hub.settings import WorkerSettings
from hub.stream.case_store import CaseStore
from hub.stream.log import FETCH_WAIT_MS, POLL_MS, POLL_RECORDS_MAX, new_consumer

log = logging.getLogger(__name__)

STORE_FLUSH_S = 0.5
"""How often folded cases are written to disk: what a kill makes the worker fold again."""


REPORTED = TopicPartition(contracts.REPORTED, 0)


class Follower:
    """A log follower: a consumer, a place in every partition, and a condition that says it moved."""

    fetch_wait_ms = FETCH_WAIT_MS

    def __init__(self, settings: WorkerSettings, tps: list[TopicPartition]) -> None:
        self.tps = tps
        self.places: dict[TopicPartition, int] = dict.fromkeys(tps, 0)
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._moved = asyncio.Condition()

    async def start(self) -> None:
        """Connect and go to the places."""
        self._consumer = new_consumer(self._settings, self.fetch_wait_ms)
        await self._consumer.start()
        self._consumer.assign(self.tps)
        for tp, place in self.places.items():
            self._consumer.seek(tp, place)

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def run(self) -> None:
        """Follow for ever. Any error ends it; the runner decides what that means."""
        assert self._consumer is not None, "start() comes first"
        while True:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
            for tp, batch in fetched.items():
                await self.take(batch)
                self.places[tp] = batch[-1].offset + 1
            if fetched:
                await self.told()
            await self.between()
            await asyncio.sleep(0)

    async def take(self, batch: list[Any]) -> None:
        """Take in records of one partition, in order."""
        for raw in batch:
            self.handle(raw)

    def handle(self, raw: Any) -> None:
        """Take in one record."""
        raise NotImplementedError

    async def between(self) -> None:
        """Whatever there is to do between two batches."""

    async def told(self) -> None:
        """Wake whoever waits for a place."""
        async with self._moved:
            self._moved.notify_all()

    async def end_offsets(self) -> dict[TopicPartition, int]:
        """Where the logs end now."""
        assert self._consumer is not None, "start() comes first"
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self.tps)
        return ends

    async def reached(self, ends: Mapping[TopicPartition, int]) -> None:
        """Wait until everything before these offsets was handled."""
        async with self._moved:
            await self._moved.wait_for(lambda: all(self.places[tp] >= end for tp, end in ends.items()))

    async def caught_up(self) -> None:
        """Wait until everything that is in the logs now was handled."""
        await self.reached(await self.end_offsets())


class RosterFollower(Follower):
    """The roster, the hub's own keys and, in a replayed world, the time."""

    def __init__(self, settings: WorkerSettings, *, world_clock: bool) -> None:
        topics = [contracts.OPERATORS, contracts.PLATFORMS, contracts.HUB, *([contracts.CLOCK] if world_clock else [])]
        super().__init__(settings, [TopicPartition(topic, 0) for topic in topics])
        self.roster = Roster()
        self.version = 0
        self._world_clock = world_clock
        self._world_ms = 0

    def handle(self, raw: Any) -> None:
        """Take in a record of the roster or the clock. One that cannot be read changes nothing."""
        if raw.value is None:
            return
        try:
            record: Operator | Platform | Clock | HubKey | HubLog = decode(
                raw.value, Operator, Platform, Clock, HubKey, HubLog
            )
        except ContractError as wrong:
            log.error("%s offset %d: %s; ignored", raw.topic, raw.offset, wrong.message)
            return
        if isinstance(record, Clock):
            self._world_ms = max(self._world_ms, record.now_ms)
        elif isinstance(record, Operator):
            self.roster.put_operator(record)
        elif isinstance(record, HubKey):
            self.roster.put_hub_key(record.key)
        elif isinstance(record, Platform):
            self.roster.put_platform(record)
        self.version += 1

    @property
    def platforms_offset(self) -> int:
        """The next offset of `platforms` to be read."""
        return self.places[TopicPartition(contracts.PLATFORMS, 0)]

    def now_ms(self) -> int:
        """The time figures are judged at."""
        return self._world_ms if self._world_clock else system_clock()


class ReportedFollower(Follower):
    """Reports that count and their answers, and the disputes that are open."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__(settings, [REPORTED])
        self.disputes = Disputes()

    def handle(self, raw: Any) -> None:
        """Fold one record."""
        try:
            record: AcceptedReport | AcceptedAnswer = decode(raw.value, AcceptedReport, AcceptedAnswer)
        except ContractError as wrong:
            log.error("%s offset %d: %s; ignored", raw.topic, raw.offset, wrong.message)
            return
        self.disputes.add(record)

    @property
    def offset(self) -> int:
        """The next offset to be read."""
        return self.places[REPORTED]


class CaseFollower(Follower):
    """Folds `releases` into a store; wakes whoever waits for a position to be folded."""

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
            self.store.skip(position)
            return
        held = self._held.ever_held(position.partition, notice.operator, notice.event_id)
        released = bool(held) and notice.source.offset not in held
        operator = await self._operator_of(notice.operator)
        folded = self.store.add(notice, position, operator, recorded_at=raw.timestamp, released=released)
        if folded is not None and held and not released:
            self._held.void(notice.source)

    async def folded(self, partition: int, end: int) -> None:
        """Wait until everything before an offset was folded."""
        await self.reached({TopicPartition(contracts.RELEASES, partition): end})

    async def folded_for(self, opened: Iterable[OpenedAck]) -> None:
        """Fold so far that acknowledgements can be judged, by what they name or by its not being there in time."""
        acks = [one for one in opened if self._is_ahead(one.ack)]
        if not acks:
            return
        await self.caught_up()
        acks = [one for one in acks if self._is_ahead(one.ack)]
        if not acks:
            return
        until_ms = max(one.record.record_time for one in acks) + JUDGED_AFTER_MS
        wait_ms = max(0, min(until_ms - system_clock(), JUDGED_AFTER_MS))  # a world's clock may say anything
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000), self._moved:
                await self._moved.wait_for(lambda: not any(self._is_ahead(one.ack) for one in acks))
        await self.caught_up()

    def _is_ahead(self, ack: Acknowledgement | None) -> bool:
        """Whether an acknowledgement names what is not folded yet."""
        received = () if ack is None else ack.received
        return any(through >= self.store.next_offset(partition) for partition, through, _ in received)
