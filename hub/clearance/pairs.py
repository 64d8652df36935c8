"""This module knows how every case stands at every platform, exactly as the logs say at named positions (`PairsNow`).

It follows `releases`, `acks`, `platforms`, `operators` and `reported` with readers of its own, and uses nothing of the
running processor. Cases are folded with the worker's `CaseStore`; acks are opened and merged with the code of the
coverage stage. Between two awaits the state is that of its `positions()`, so a caller reads it without awaiting. This
does not hold while a platform is not `settled`: then the roster judges its acks differently than when they were merged.
For example, `pairs(7-120033)` returns one `PairNow` for each platform, such as `bank` with UNBOUND shown and no gap.

For 1,000 platforms and 10 million cases it takes this memory: 146 MB for the sets; 16 bytes for each position of
`releases` (times of publishing and of reissue), which is 160 MB for the openers alone and 480 MB with two later notices
per case; 80 bytes of first effects for each platform and day, which is 29 MB a year. Numbers, their
cases and the digests of notices are on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hub.clearance.acks import AckFollower
from hub.clearance.pair_state import PairState, PairStore
from hub.clearance.undecided import Undecided
from hub.core.cases import Case
from hub.core.cohorts import CellCounts, quantile_hours
from hub.core.figures import PlatformBook
from hub.core.held import HeldBook
from hub.core.model import HubLog, Operator, Platform, Positions, Source
from hub.core.pairs import CaseNow, PairNow, case_at, pair_of
from hub.folds.case_store import CaseStore
from hub.folds.cases import CaseFollower
from hub.folds.checker import Checker
from hub.folds.reported import ReportedFollower
from hub.folds.roster import RosterFollower
from hub.kafka.clients import administering, new_consumer, started
from hub.kafka.follower import Follower
from hub.kafka.running import guarded
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.checking import Opener
from hub.wire.contracts import partition_of


@dataclass
class PairsNow:
    """The followers and what they know. `following_pairs` makes it."""

    hub_log: HubLog
    state: PairState
    cases: CaseFollower
    acks: AckFollower
    roster: RosterFollower
    reported: ReportedFollower
    ends_of: AIOKafkaConsumer
    undecided: Undecided

    @property
    def followers(self) -> tuple[Follower, ...]:
        """Return all followers."""
        return (self.cases, self.acks, self.roster, self.reported)

    async def ends(self) -> dict[TopicPartition, int]:
        """Return where the logs end now. It has a connection of its own: on a follower's a fetch may block it."""
        found: dict[TopicPartition, int] = await self.ends_of.end_offsets(
            [tp for one in self.followers for tp in one.tps]
        )
        return found

    async def reach(self, timeout_s: float, numbers: Iterable[str] = ()) -> bool:
        """Wait until everything that the logs hold now was read.

        Args:
            timeout_s: how long to wait at most.
            numbers: what operators sent about these must also be decided, not only durable.

        Returns:
            False if that takes longer than `timeout_s`, or if no broker says where the logs end.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self.undecided.wait({partition_of(one.encode(), self.hub_log.partitions) for one in numbers})
                ends = await self.ends()
                for follower in self.followers:
                    await follower.reached({tp: ends[tp] for tp in follower.tps})
                await self.acks.settled()
        except (TimeoutError, KafkaError):
            return False
        return True

    @property
    def settled(self) -> bool:
        """Return whether what is known is what the logs say at `positions()`."""
        return not self.state.unsettled()

    async def behind(self) -> dict[str, int]:
        """Return how many messages are not read yet, by topic.

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
        """Return the places in the logs that everything known now rests on."""
        return Positions(
            releases=self.cases.store.next_offsets(),
            acks=tuple(self.acks.places[tp] for tp in self.acks.tps),
            platforms=self.roster.platforms_offset,
            operators=self.roster.places[TopicPartition(contracts.OPERATORS, 0)],
            reported=self.reported.offset,
            now_ms=self.roster.now_ms(),
        )

    def case_of(self, number: str) -> Case | None:
        """Return the last case of a number."""
        return self.cases.store.case_of(number)

    def operator(self, operator_id: str) -> Operator | None:
        """Return an operator's roster record."""
        return self.roster.roster.operators.get(operator_id)

    @property
    def platforms(self) -> list[Platform]:
        """Return every platform on the roster."""
        return list(self.roster.roster.platforms.values())

    def case_at(self, position: Source) -> CaseNow | None:
        """Return the case that opened at a position, the number's last or not; None if none did."""
        return case_at(self.state.universe, position)

    def pairs(self, position: Source) -> list[PairNow]:
        """Return how a case stands at every platform on the roster; an empty list if no case opened there."""
        case = self.case_at(position)
        now_ms = self.roster.now_ms()
        return [] if case is None else [pair_of(book, case, now_ms) for book in self.state.current()]

    def open_pairs(
        self, cases: Iterable[Case], platforms: Iterable[Platform], now_ms: int
    ) -> dict[Source, list[PairNow]]:
        """Return the gaps of some cases at some platforms, by case."""
        return self.state.open_pairs(cases, platforms, now_ms)

    def cells(self, platform_id: str, days: Sequence[int]) -> list[CellCounts]:
        """Return one platform's cohorts, for days (UTC, since 1970-01-01) on which cases opened."""
        book = self._book(platform_id)
        if book is None:
            return [CellCounts() for _ in days]
        return self.state.cohorts.cells(book, self.state.universe, days, self.roster.now_ms())

    def hours_to_effect(self, platform_id: str, days: Sequence[int], share: float = 0.5) -> float | None:
        """Return the hours after the notice in which a share of a platform's cases of some days had a first effect."""
        return quantile_hours(self.state.cohorts.hours_of(platform_id, days), share)

    def _book(self, platform_id: str) -> PlatformBook | None:
        platform = self.roster.roster.platforms.get(platform_id)
        return None if platform is None else self.state.current_of(platform)


async def _no_operator(_operator_id: str) -> Operator | None:
    """Return None: only intake needs breaches and daily counts, so this fold of cases needs no operator."""
    return None


@asynccontextmanager
async def following_pairs(settings: WorkerSettings, hub_log: HubLog) -> AsyncIterator[PairsNow]:
    """Yield a PairsNow that follows the logs and stops at the end. Its state is kept in `settings.data_dir`."""
    folder: Path = settings.data_dir / "standings"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds numbers
    opener = Opener(hub_log.hub_id, hub_log.log_id, hub_log.partitions)
    async with AsyncExitStack() as stack:
        cases_store = CaseStore(folder / "cases", hub_log.log_id, hub_log.partitions)
        stack.callback(cases_store.close)
        store = PairStore(folder / "acks", hub_log.log_id)
        stack.callback(store.close)
        roster = RosterFollower(settings, world_clock=hub_log.clock == "world")
        reported = ReportedFollower(settings)
        state = PairState(cases_store.universe, cases_store.digests, roster.roster, reported.disputes)
        store.load(state)
        cases = CaseFollower(settings, cases_store, hub_log.partitions, _no_operator, HeldBook())
        pool = stack.enter_context(ThreadPoolExecutor(settings.signature_threads, "clearance-open"))
        acks = AckFollower(settings, Checker(opener, roster, pool), cases, state, store, hub_log.partitions)
        ends_of = await stack.enter_async_context(started(new_consumer(settings)))
        admin = await stack.enter_async_context(administering(settings))
        for one in (roster, reported, cases, acks):
            await stack.enter_async_context(started(one))
        for name, one in (("roster", roster), ("reported", reported), ("cases", cases)):
            stack.callback(guarded(f"clearance {name}", one.run()).cancel)
        await roster.caught_up()
        stack.callback(guarded("clearance acks", acks.run()).cancel)
        stack.callback(guarded("clearance keys", acks.fold.run(acks.told)).cancel)
        yield PairsNow(hub_log, state, cases, acks, roster, reported, ends_of, Undecided(ends_of, admin))
