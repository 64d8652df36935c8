"""This module measures what folds do not tell: ends of logs, messages a second, how far readers are behind, who waits.

It asks the cluster every `PAUSE_S`. Everything is bounded: it looks up record times for at most `PLACES_MAX` places in
one round, and takes throughput from the last minute of ends. For example, if `acks` ended at 600 a minute ago and ends
at 1,200 now, it had 10 messages a second.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from hub.core.model import DAY_MS, Coverage, HubLog, PlatformState
from hub.kafka.clients import administering, committed_offsets, new_consumer, started
from hub.kafka.spans import RecordTimes
from hub.settings import WorkerSettings
from hub.web.board.snapshot import Gauges, Lag
from hub.wire import contracts

PAUSE_S = 2.0
MINUTE_S = 60.0
PLACES_MAX = 64
"""How many record times are looked up in one round; the others have their turn in the next."""

PLACE_WAIT_MS = 500
WORKERS = "workers"
WORKER_TOPICS = (contracts.EVENTS, contracts.ACKS, contracts.REPORTS, contracts.ANSWERS)
TIMED = (*WORKER_TOPICS, contracts.RELEASES)

Place = tuple[TopicPartition, int]


class Reading(Protocol):
    """Anything that follows logs, such as `hub.kafka.follower.Follower`."""

    places: dict[TopicPartition, int]


class Rates:
    """Messages a second by topic, over the last minute of ends. Times are seconds of a monotonic clock, and given."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, dict[str, int]]] = deque()

    def add(self, at_s: float, messages: dict[str, int]) -> dict[str, tuple[int, float]]:
        """Add how many messages each topic has had; return these counts, each with messages a second."""
        self._seen.append((at_s, messages))
        while len(self._seen) > 2 and at_s - self._seen[1][0] >= MINUTE_S:
            self._seen.popleft()
        first_s, first = self._seen[0]
        passed_s = at_s - first_s
        return {
            topic: (count, (count - first.get(topic, count)) / passed_s if passed_s > 0 else 0.0)
            for topic, count in messages.items()
        }


class Gauge:
    """Measures the cluster. Call `start()` once, and `measure()` for each measurement."""

    def __init__(self, settings: WorkerSettings, hub_log: HubLog, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._partitions = hub_log.partitions
        self._clock = clock
        self._consumer: AIOKafkaConsumer = new_consumer(settings)
        self._admin: AIOKafkaAdminClient
        self._times = RecordTimes(settings, [tp for topic in TIMED for tp in self._of(topic)])
        self._known_times: dict[Place, int] = {}
        self._rates = Rates()
        self._stack = AsyncExitStack()
        self.ends: dict[TopicPartition, int] = {}
        self.gauges = Gauges()

    async def start(self) -> None:
        """Connect."""
        await self._stack.enter_async_context(started(self._consumer))
        await self._stack.enter_async_context(started(self._times))
        self._admin = await self._stack.enter_async_context(administering(self._settings))

    async def stop(self) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def measure(self, readers: Mapping[str, Sequence[Reading]], coverage: Iterable[Coverage]) -> Gauges:
        """Ask the cluster once.

        Args:
            readers: followers, by the name under which the page shows them.
            coverage: every platform's coverage, which says what it has received.
        """
        await self._measure_ends()
        committed = await self._committed()
        behind: dict[tuple[str, str], dict[TopicPartition, int]] = defaultdict(dict)
        for tp, place in committed.items():
            behind[WORKERS, tp.topic][tp] = place
        for reader, followers in readers.items():
            for follower in followers:
                for tp, place in follower.places.items():
                    behind[reader, _shown_as(tp.topic)][tp] = place
        waiting = self._waiting(coverage)
        await self._learn({place for found in waiting.values() for place in found} | self._first_unread(committed))
        self.gauges = Gauges(
            waiting=self._oldest(waiting),
            acks_today=await self._acks_today(),
            releases={tp.partition: end for tp, end in self.ends.items() if tp.topic == contracts.RELEASES},
            topics=self._rates.add(time.monotonic(), self._messages()),
            lags=tuple(self._lag(*key, places) for key, places in sorted(behind.items())),
        )
        return self.gauges

    def behind(self, one: Reading) -> int:
        """Return how many messages a follower has not read, by the last measurement."""
        return sum(max(0, self.ends.get(tp, place) - place) for tp, place in one.places.items())

    def _of(self, topic: str) -> list[TopicPartition]:
        count = contracts.topics()[topic].partitions
        return [TopicPartition(topic, one) for one in range(self._partitions if count == "N" else int(count))]

    async def _measure_ends(self) -> None:
        plain = [tp for topic in contracts.topics() if "<" not in topic for tp in self._of(topic)]
        there = await self._consumer.topics()
        receipts = [TopicPartition(topic, 0) for topic in there if topic.startswith(contracts.receipts_topic(""))]
        self.ends = await self._consumer.end_offsets([tp for tp in [*plain, *receipts] if tp.topic in there])

    async def _committed(self) -> dict[TopicPartition, int]:
        """Return the offsets that the workers committed; where they committed nothing yet, it is 0."""
        known = await committed_offsets(self._admin)
        return {tp: known.get(tp, 0) for topic in WORKER_TOPICS for tp in self._of(topic)}

    async def _acks_today(self) -> int:
        began = self._clock() // DAY_MS * DAY_MS
        tps = self._of(contracts.ACKS)
        first = await self._consumer.offsets_for_times(dict.fromkeys(tps, began))
        return sum(max(0, self.ends.get(tp, 0) - found.offset) for tp, found in first.items() if found is not None)

    def _messages(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for tp, end in self.ends.items():
            counts[_shown_as(tp.topic)] += end
        return dict(counts)

    # ---- How old the oldest unread message is ----

    def _waiting(self, coverage: Iterable[Coverage]) -> dict[str, list[Place]]:
        """Return for each connected platform the first notice that it has not received, in each partition with one."""
        found: dict[str, list[Place]] = {}
        for one in coverage:
            if one.state is not PlatformState.CONNECTED:
                continue
            received = dict(one.received)
            firsts = ((tp, received.get(tp.partition, -1) + 1) for tp in self._of(contracts.RELEASES))
            found[one.platform] = [(tp, first) for tp, first in firsts if first < self.ends.get(tp, 0)]
        return found

    def _first_unread(self, committed: Mapping[TopicPartition, int]) -> set[Place]:
        return {(tp, place) for tp, place in committed.items() if place < self.ends.get(tp, 0)}

    async def _learn(self, places: set[Place]) -> None:
        """Look up some record times that are not known yet, and forget those of places where nobody waits any more."""
        self._known_times = {place: at for place, at in self._known_times.items() if place in places}
        unknown = sorted(places - self._known_times.keys())[:PLACES_MAX]
        self._known_times |= await self._times.at(unknown, PLACE_WAIT_MS)

    def _oldest(self, waiting: Mapping[str, list[Place]]) -> dict[str, int]:
        found = {}
        for platform, places in waiting.items():
            times = [self._known_times[place] for place in places if place in self._known_times]
            if times:
                found[platform] = min(times)
        return found

    def _lag(self, reader: str, topic: str, places: Mapping[TopicPartition, int]) -> Lag:
        behind = sum(max(0, self.ends.get(tp, place) - place) for tp, place in places.items())
        times = [self._known_times[at] for at in places.items() if at in self._known_times]
        return Lag(reader, topic, behind, max(0, self._clock() - min(times)) if times and behind else None)


def _shown_as(topic: str) -> str:
    """Return the name of a topic's row; the receipts of all operators share one row."""
    prefix = contracts.receipts_topic("")
    return contracts.receipts_topic("*") if topic.startswith(prefix) else topic
