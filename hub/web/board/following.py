"""The live board: followers of the small topics, of `releases` for counts and of `tiles` for receipts; and the gauge.

Everything it shows carries `as_of`: how far it, or whoever else a page is made of, is behind the ends of its logs, the
worst of them; and `stale` when it cannot say, because the cluster has not answered for `STALE_S`, or when it has been
behind for as long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from hub.core.model import DAY_MS, HubLog, ReleaseNotice, Source
from hub.errors import ContractError
from hub.kafka.clients import to_record
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings
from hub.web.board.board import Board
from hub.web.board.cohorts import CohortFigures, NoCohorts
from hub.web.board.gauging import PAUSE_S, Gauge, Reading
from hub.web.board.snapshot import Sight
from hub.web.board.stages import StageBook
from hub.web.shapes import AsOf
from hub.wire import contracts
from hub.wire.contracts import decode, receipts_topic

log = logging.getLogger(__name__)

STALE_S = 15.0
SMALL = (contracts.COVERAGE, contracts.GAPS, contracts.HELD)
SINGLE = (contracts.PLATFORMS, contracts.OPERATORS, contracts.REJECTED, contracts.REPORTED, contracts.CLOCK)
READER = "board"


class BoardFollower(Follower):
    """Folds some topics into the board, and wakes those who wait for it to move."""

    def __init__(self, settings: WorkerSettings, tps: list[TopicPartition], live: LiveBoard) -> None:
        super().__init__(settings, tps)
        self._live = live

    async def start(self) -> None:
        """Connect and go to the places; what retention took away is not waited for."""
        await super().start()
        assert self._consumer is not None, "it was started"
        for tp, first in (await self._consumer.beginning_offsets(self.tps)).items():
            if first > self.places[tp]:
                self.places[tp] = first
                self._consumer.seek(tp, first)

    def handle(self, raw: Any) -> None:
        """Fold one record."""
        self._live.board.take(to_record(raw))

    async def told(self) -> None:
        """Wake whoever waits for a place, or for news."""
        await super().told()
        await self._live.tell()


class StageFollower(Follower):
    """Counts cases by stage."""

    def __init__(self, settings: WorkerSettings, partitions: int, live: LiveBoard) -> None:
        super().__init__(settings, _all(contracts.RELEASES, partitions))
        self._live = live

    async def start(self) -> None:
        """Connect; where others know the cases, go to the start of today."""
        await super().start()
        if self._live.stages.whole:
            return
        assert self._consumer is not None, "it was started"
        began = self._live.now_ms() // DAY_MS * DAY_MS
        ends = await self.end_offsets()
        for tp, found in (await self._consumer.offsets_for_times(dict.fromkeys(self.tps, began))).items():
            self.places[tp] = ends[tp] if found is None else found.offset
            self._consumer.seek(tp, self.places[tp])

    def handle(self, raw: Any) -> None:
        """Fold one notice; one that cannot be read counts nowhere."""
        try:
            self._live.stages.take(Source(raw.partition, raw.offset), decode(raw.value, ReleaseNotice))
        except ContractError as wrong:
            log.error("releases %d-%d: %s; ignored", raw.partition, raw.offset, wrong.message)

    async def told(self) -> None:
        """Wake whoever waits for a place, or for news."""
        await super().told()
        self._live.board.changed("overview")
        await self._live.tell()


class LiveBoard:
    """The board of a hub that runs. `start()`, then `run()` as a task; `stop()` at the end.

    Args:
        effects: whoever folds acknowledgements pair by pair.
        others: other followers of this process that pages rest on, by the name the pipeline page shows them under.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        hub_log: HubLog,
        effects: CohortFigures | None = None,
        others: Mapping[str, Sequence[Reading]] | None = None,
    ) -> None:
        self.board = Board()
        # A replayed world's time is not known at the start, and its logs are small.
        self.stages = StageBook(whole=effects is None or hub_log.clock == "world")
        self.hub_log = hub_log
        self.effects = effects or NoCohorts()
        self.others = dict(others or {})
        self.gauge = Gauge(settings, hub_log, self.now_ms)
        self._settings = settings
        small = [tp for topic in SMALL for tp in _all(topic, hub_log.partitions)]
        small += [TopicPartition(topic, 0) for topic in SINGLE]
        self.followers: list[Follower] = [
            BoardFollower(settings, small, self),
            BoardFollower(settings, _all(contracts.TILES, hub_log.partitions), self),
            StageFollower(settings, hub_log.partitions, self),
        ]
        self._receipts: set[str] = set()
        self._news = asyncio.Condition()
        self._group: asyncio.TaskGroup | None = None
        self._answered_s = self._abreast_s = time.monotonic()
        self._read_at = 0

    def now_ms(self) -> int:
        """The hub's time: now, or that of a replayed world."""
        return self.board.world_ms if self.hub_log.clock == "world" else time.time_ns() // 1_000_000

    async def start(self) -> None:
        """Connect."""
        await self.gauge.start()
        for one in self.followers:
            await one.start()

    async def stop(self) -> None:
        """Disconnect, also from a cluster that is gone."""
        for stop in (*(one.stop for one in self.followers), self.gauge.stop):
            try:
                await stop()
            except asyncio.CancelledError:
                # aiokafka lets the cancelling of a task of its own out when the cluster is gone; ours goes on up.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise

    async def run(self) -> None:
        """Follow for ever. An error of a follower ends it; a cluster that is away does not."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for one in self.followers:
                group.create_task(one.run())
            group.create_task(self._measure())

    async def _measure(self) -> None:
        while True:
            try:
                await self._follow_receipts()
                await self.gauge.measure({READER: self.followers, **self.others}, self.board.coverage.values())
            except KafkaError as wrong:
                log.warning("the cluster does not answer: %s", type(wrong).__name__)
            else:
                self._note_abreast()
                self.board.changed("pipeline")
                await self.tell()
            await asyncio.sleep(PAUSE_S)

    def _note_abreast(self) -> None:
        self._answered_s = time.monotonic()
        if not self._behind():
            self._abreast_s, self._read_at = time.monotonic(), self.now_ms()

    async def _follow_receipts(self) -> None:
        """Follow the receipts of operators that came onto the roster, each from its start."""
        new = sorted(self.board.roster.operators.keys() - self._receipts)
        if not new or self._group is None:
            return
        follower = BoardFollower(self._settings, [TopicPartition(receipts_topic(one), 0) for one in new], self)
        try:
            await follower.start()
        except KafkaError:
            await follower.stop()
            raise  # the topic may be made in a moment: tried again with the next measurement
        self._receipts.update(new)
        self.followers.append(follower)
        self._group.create_task(follower.run())

    def _behind(self) -> int:
        """Messages that whoever is furthest behind has not folded yet, as of the last measurement."""
        groups: list[Sequence[Reading]] = [self.followers, *self.others.values()]
        return max(sum(self.gauge.behind(one) for one in group) for group in groups)

    async def tell(self) -> None:
        """Wake whoever waits for news."""
        async with self._news:
            self._news.notify_all()

    async def news(self, after: int) -> tuple[int, list[str]]:
        """Wait until a page changes after a version; the version now, and the pages that did."""
        async with self._news:
            await self._news.wait_for(lambda: self.board.version > after)
        return self.board.version, self.board.moved_since(after)

    async def caught_up(self) -> None:
        """Wait until everything that is in the logs now is folded and measured."""
        for one in self.followers[:3]:
            await one.caught_up()
        await self._until(lambda: self._receipts >= self.board.roster.operators.keys())
        for one in self.followers[3:]:
            await one.caught_up()
        answered_s = self._answered_s
        await self._until(lambda: self._answered_s > answered_s and not self._behind())

    async def _until(self, condition: Any) -> None:
        async with self._news:
            await self._news.wait_for(condition)

    def as_of(self) -> AsOf:
        """How old what it shows is."""
        behind = self._behind()
        behind_s = time.monotonic() - self._abreast_s
        unheard_s = time.monotonic() - self._answered_s
        return AsOf(
            now_ms=self.now_ms(),
            read_at=self._read_at,
            behind_messages=behind,
            behind_ms=int(behind_s * 1000) if behind else 0,
            stale=unheard_s > STALE_S or (bool(behind) and behind_s > STALE_S),
        )

    def sight(self) -> Sight:
        """All that a page is made of, now."""
        return Sight(self.board, self.stages, self.effects, self.gauge.gauges, self.as_of())


def _all(topic: str, partitions: int) -> list[TopicPartition]:
    return [TopicPartition(topic, one) for one in range(partitions)]
