"""Standings: how every case stands at every platform, exactly as the logs say at named positions.

It follows `releases`, `acks`, `platforms`, `operators` and `reported` with readers of its own and reaches into nothing
of the processor. Cases are folded with the worker's `CaseStore`, acks opened and merged with the code of the coverage
stage. Between two awaits the state is that of its `positions()`: whoever asks reads it without awaiting.

Memory, for 1,000 platforms and 10 million cases: the sets, 146 MB; 16 bytes for each position of `releases` (times of
publishing and of reissue), 160 MB for the openers alone and 480 MB with two later notices a case; first effects,
80 bytes for each platform and day, 29 MB a year. Numbers and their cases are on disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from hub import contracts
from hub.contracts import partition_of
from hub.core.cases import Case
from hub.core.cohorts import CellCounts, quantile_hours
from hub.core.figures import PlatformBook
from hub.core.held import HeldBook
from hub.core.model import HubLog, Operator, Platform, Positions, Record, Refusal, Source
from hub.core.pairs import CaseNow, PairNow, case_at, pair_of
from hub.opening import OpenedAck, Opener
from hub.settings import WorkerSettings
from hub.stream.case_store import CaseStore
from hub.stream.followers import CaseFollower, Follower, ReportedFollower, RosterFollower
from hub.stream.log import new_consumer, started, to_record
from hub.stream.runner import guarded
from hub.web.standings.state import StandingState, StandingStore
from hub.web.standings.undecided import Undecided

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
        state: StandingState,
        store: StandingStore,
        cases: CaseFollower,
        roster: RosterFollower,
    ) -> None:
        super().__init__(settings, [TopicPartition(contracts.ACKS, one) for one in range(opener.partitions)])
        self._opener, self._state, self._store, self._cases, self._roster = opener, state, store, cases, roster
        self._pool = ThreadPoolExecutor(settings.signature_threads, "standings-open")
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
            opened = await self._open(records)
            await self._fold_for(opened)
            for one in opened:
                self._merge(one)
            tp = TopicPartition(contracts.ACKS, records[0].partition)
            self.places[tp] = records[-1].offset + 1

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

    async def _fold_for(self, opened: Sequence[OpenedAck]) -> None:
        """An ack may name a notice that was not folded here yet: fold to where the log is, if any does."""
        ends = self._cases.store.next_offsets()
        named = (one for opening in opened if opening.ack is not None for one in opening.ack.received)
        if any(one.through >= ends[one.partition] for one in named):
            await self._cases.caught_up()

    def _merge(self, opened: OpenedAck) -> None:
        try:
            self._state.merge(opened)
        except Exception as error:  # noqa: BLE001  (one message must not stop the rest; coverage refuses it as well)
            log.error("acks %d-%d: %s", opened.record.partition, opened.record.offset, type(error).__name__)

    def between(self) -> None:
        """Write what was merged, every second."""
        if time.monotonic() - self._saved_at > SAVE_S:
            self.save()

    def save(self) -> None:
        """Write what was merged and how far it goes."""
        moved = [(tp, place) for tp, place in self.places.items() if self._saved[tp] != place]
        if moved:
            self._store.save(self._state, [(tp.partition, place) for tp, place in moved])
            self._saved.update(moved)
        self._saved_at = time.monotonic()


@dataclass
class Standings:
    """The followers and what they know. Made by `open_standings`."""

    hub_log: HubLog
    state: StandingState
    cases: CaseFollower
    acks: AckFollower
    roster: RosterFollower
    reported: ReportedFollower
    ends_of: AIOKafkaConsumer
    undecided: Undecided

    @property
    def followers(self) -> tuple[Follower, ...]:
        """All of them."""
        return (self.cases, self.acks, self.roster, self.reported)

    async def ends(self) -> dict[TopicPartition, int]:
        """Where the logs end now. Asked over a connection of its own: on a follower's, a fetch may be in the way."""
        found: dict[TopicPartition, int] = await self.ends_of.end_offsets(
            [tp for one in self.followers for tp in one.tps]
        )
        return found

    async def reach(self, timeout_s: float, numbers: Iterable[str] = ()) -> bool:
        """Wait until everything was read that the logs hold now.

        Args:
            timeout_s: how long at most.
            numbers: of these also what operators sent is to be decided by now, not only durable.

        Returns:
            False if that takes longer than `timeout_s`, or no broker says where the logs end.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self.undecided.wait({partition_of(one.encode(), self.hub_log.partitions) for one in numbers})
                ends = await self.ends()
                for follower in self.followers:
                    await follower.reached({tp: ends[tp] for tp in follower.tps})
        except (TimeoutError, KafkaError):
            return False
        return True

    async def behind(self) -> dict[str, int]:
        """How many messages are not read yet, by topic.

        Raises:
            KafkaError: no broker says where the logs end.
        """
        ends = await self.ends()
        found: dict[str, int] = {}
        for follower in self.followers:
            for tp, place in follower.places.items():
                found[tp.topic] = found.get(tp.topic, 0) + max(0, ends[tp] - place)
        return found

    def positions(self) -> Positions:
        """The places in the logs that everything known now rests on."""
        return Positions(
            releases=self.cases.store.next_offsets(),
            acks=tuple(self.acks.places[tp] for tp in self.acks.tps),
            platforms=self.roster.platforms_offset,
            operators=self.roster.places[TopicPartition(contracts.OPERATORS, 0)],
            reported=self.reported.offset,
            now_ms=self.roster.now_ms(),
        )

    def case_of(self, number: str) -> Case | None:
        """The last case of a number."""
        return self.cases.store.case_of(number)

    def operator(self, operator_id: str) -> Operator | None:
        """An operator's roster record."""
        return self.roster.roster.operators.get(operator_id)

    @property
    def platforms(self) -> list[Platform]:
        """Every platform on the roster."""
        return list(self.roster.roster.platforms.values())

    def case_at(self, position: Source) -> CaseNow | None:
        """The case that opened at a position, the number's last or not; None if none did."""
        return case_at(self.state.universe, position)

    def pairs(self, position: Source) -> list[PairNow]:
        """How a case stands at every platform on the roster; nothing if no case opened there."""
        case = self.case_at(position)
        now_ms = self.roster.now_ms()
        return [] if case is None else [pair_of(book, case, now_ms) for book in self.state.current()]

    def open_pairs(
        self, cases: Iterable[Case], platforms: Iterable[Platform], now_ms: int
    ) -> dict[Source, list[PairNow]]:
        """The gaps of some cases at some platforms, by case."""
        return self.state.open_pairs(cases, platforms, now_ms)

    def cells(self, platform_id: str, days: Sequence[int]) -> list[CellCounts]:
        """One platform's cohorts, by UTC day since 1970-01-01 that cases opened on."""
        book = self._book(platform_id)
        if book is None:
            return [CellCounts() for _ in days]
        return self.state.cohorts.cells(book, self.state.universe, days, self.roster.now_ms())

    def hours_to_effect(self, platform_id: str, days: Sequence[int], share: float = 0.5) -> float | None:
        """Hours from notice to first effect that a share of a platform's cases of some days took at most."""
        return quantile_hours(self.state.cohorts.hours_of(platform_id, days), share)

    def _book(self, platform_id: str) -> PlatformBook | None:
        platform = self.roster.roster.platforms.get(platform_id)
        return None if platform is None else self.state.current_of(platform)


async def _no_operator(_operator_id: str) -> Operator | None:
    """Breaches and daily counts are intake's business; the fold of cases needs no operator."""
    return None


@asynccontextmanager
async def open_standings(settings: WorkerSettings, hub_log: HubLog) -> AsyncIterator[Standings]:
    """Standings that follow the logs, and stop at the end. State is kept in `settings.data_dir`."""
    folder: Path = settings.data_dir / "standings"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds numbers
    opener = Opener(hub_log.hub_id, hub_log.log_id, hub_log.partitions, settings.check_signatures)
    async with AsyncExitStack() as stack:
        cases_store = CaseStore(folder / "cases", hub_log.log_id, hub_log.partitions)
        stack.callback(cases_store.close)
        store = StandingStore(folder / "acks", hub_log.log_id)
        stack.callback(store.close)
        roster = RosterFollower(settings, world_clock=hub_log.clock == "world")
        reported = ReportedFollower(settings)
        state = StandingState(cases_store.universe, roster.roster, reported.disputes)
        store.load(state)
        cases = CaseFollower(settings, cases_store, hub_log.partitions, _no_operator, HeldBook())
        acks = AckFollower(settings, opener, state, store, cases, roster)
        ends_of = await stack.enter_async_context(started(new_consumer(settings)))
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, **settings.security)
        await admin.start()
        stack.push_async_callback(admin.close)
        for one in (roster, reported, cases, acks):
            await stack.enter_async_context(started(one))
        for name, one in (("roster", roster), ("reported", reported), ("cases", cases)):
            stack.callback(guarded(f"standings {name}", one.run()).cancel)
        await roster.caught_up()
        stack.callback(guarded("standings acks", acks.run()).cancel)
        yield Standings(hub_log, state, cases, acks, roster, reported, ends_of, Undecided(ends_of, admin))
