"""This module runs the live board: it follows the small topics, `releases` for counts and `tiles` for what is received.

Everything it shows carries `as_of`, which says how far the board is behind the ends of its logs, or another follower
that pages depend on if that one is further behind. `as_of` is `stale` when the cluster has not answered for `STALE_S`,
or when a follower has been behind for as long. For example, 20 s after the brokers stopped, pages still show the last
figures, with `stale` true.
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
    """Folds some topics into the board, and wakes the tasks that wait for it to move."""

    def __init__(self, settings: WorkerSettings, tps: list[TopicPartition], live: LiveBoard) -> None:
        super().__init__(settings, tps)
        self._live = live

    async def start(self) -> None:
        """Connect and seek to the places; do not wait for messages that retention has deleted."""
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
        """Wake the tasks that wait for a place, or for news."""
        await super().told()
        await self._live.tell()


class StageFollower(Follower):
    """Counts cases by stage."""

    def __init__(self, settings: WorkerSettings, partitions: int, live: LiveBoard) -> None:
        super().__init__(settings, _all(contracts.RELEASES, partitions))
        self._live = live

    async def start(self) -> None:
        """Connect; if somebody else folds the cases, begin at the start of today."""
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
        """Fold one notice; a notice that cannot be read is not counted."""
        try:
            self._live.stages.take(Source(raw.partition, raw.offset), decode(raw.value, ReleaseNotice))
        except ContractError as wrong:
            log.error("releases %d-%d: %s; ignored", raw.partition, raw.offset, wrong.message)

    async def told(self) -> None:
        """Wake the tasks that wait for a place, or for news."""
        await super().told()
        self._live.board.changed("overview")
        await self._live.tell()


class LiveBoard:
    """The board of a running hub. Call `start()`, then `run()` as a task, and `stop()` at the end.

    Args:
        effects: the figures of a fold of acknowledgements by pairs, if this process has one.
        others: other followers of this process that pages depend on, by the name that the pipeline page shows.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        hub_log: HubLog,
        effects: CohortFigures | None = None,
        others: Mapping[str, Sequence[Reading]] | None = None,
    ) -> None:
        self.board = Board()
        # In a replayed world the time is not known at the start, and the logs are small enough to fold whole.
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
        """Return the hub's time: the machine's, or that of a replayed world."""
        return self.board.world_ms if self.hub_log.clock == "world" else time.time_ns() // 1_000_000

    async def start(self) -> None:
        """Connect."""
        await self.gauge.start()
        for one in self.followers:
            await one.start()

    async def stop(self) -> None:
        """Disconnect; this also works when the cluster is gone."""
        for one in self.followers:
            await one.stop()
        await self.gauge.stop()

    async def run(self) -> None:
        """Follow for ever. An error of a follower ends this; a cluster that does not answer does not."""
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
        """Follow the receipts of operators that are new on the roster, each from the start of its topic."""
        new = sorted(self.board.roster.operators.keys() - self._receipts)
        if not new or self._group is None:
            return
        follower = BoardFollower(self._settings, [TopicPartition(receipts_topic(one), 0) for one in new], self)
        try:
            await follower.start()
        except KafkaError:
            await follower.stop()
            raise  # the topic may exist in a moment: the next measurement tries again
        self._receipts.update(new)
        self.followers.append(follower)
        self._group.create_task(follower.run())

    def _behind(self) -> int:
        """Return how many messages the follower that is furthest behind has not folded, by the last measurement."""
        groups: list[Sequence[Reading]] = [self.followers, *self.others.values()]
        return max(sum(self.gauge.behind(one) for one in group) for group in groups)

    async def tell(self) -> None:
        """Wake the tasks that wait for news."""
        async with self._news:
            self._news.notify_all()

    async def news(self, after: int) -> tuple[int, list[str]]:
        """Wait until a page changes after a version. Return the version now, and the pages that changed."""
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
        """Return how old the figures of the board are."""
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
        """Return all that a page is made from, as it is now."""
        return Sight(self.board, self.stages, self.effects, self.gauge.gauges, self.as_of())


def _all(topic: str, partitions: int) -> list[TopicPartition]:
    return [TopicPartition(topic, one) for one in range(partitions)]
