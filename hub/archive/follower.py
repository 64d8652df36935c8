"""This module follows every topic of history and writes its messages into the store, batch by batch.

The receipts of an operator are followed as soon as their topic exists. For example, after `receipts.carrier-a` is made,
the next look at the cluster (`look_s`) finds it, and the archive reads it from its start.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.archive.makers import RECEIPTS
from hub.archive.metrics import ArchiveMetrics
from hub.archive.settings import ArchiveSettings
from hub.archive.store import Away, Moved, Store, Tp
from hub.core.model import HubLog, Record
from hub.errors import HubError
from hub.kafka.clients import POLL_MS, new_consumer, started, to_record
from hub.settings import WorkerSettings
from hub.wire import contracts

log = logging.getLogger(__name__)

FOLLOWED = (
    *(contracts.EVENTS, contracts.RELEASES, contracts.ACKS, contracts.REPORTS, contracts.REPORTED, contracts.ANSWERS),
    *(contracts.REJECTED, contracts.HELD, contracts.LOOKUPS, contracts.PLATFORMS, contracts.OPERATORS),
)
"""Every topic of history except `receipts.<operator>`."""

PAUSE_S = 0.5
PAUSE_S_MAX = 15.0
OVERHEAD_BYTES = 256
"""The bytes that a message is counted with beside its key and value, when a batch's bytes are counted."""


def worker_settings(settings: ArchiveSettings) -> WorkerSettings:
    """Return the settings that a reader of logs needs."""
    return WorkerSettings(settings.bootstrap_servers, settings.key_file.parent, "archive", security=settings.security)


def followed(topics: Iterable[str], hub_log: HubLog) -> list[TopicPartition]:
    """Return the partitions of history among these topics."""
    specs = contracts.topics()
    found = []
    for topic in sorted(topics):
        if topic in FOLLOWED or topic.startswith(RECEIPTS):
            spec = specs["receipts.<operator>" if topic.startswith(RECEIPTS) else topic]
            count = hub_log.partitions if spec.partitions == "N" else int(spec.partitions)
            found += [TopicPartition(topic, part) for part in range(count)]
    return found


def batches(records: Iterable[Record], messages_max: int, bytes_max: int) -> Iterator[list[Record]]:
    """Yield the records in order, in batches within both bounds; a single record may be larger than `bytes_max`."""
    batch: list[Record] = []
    size = 0
    for one in records:
        bytes_ = len(one.value or b"") + len(one.key or b"") + OVERHEAD_BYTES
        if batch and (len(batch) >= messages_max or size + bytes_ > bytes_max):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += bytes_
    if batch:
        yield batch


class ArchiveFollower:
    """Reads the logs from the offsets of the store, and writes them batch by batch.

    Args:
        open_store: connects to the database; it is called again after an outage.
        whole: is called once, when the store has reached the ends that the logs had at the start.
    """

    def __init__(
        self,
        settings: ArchiveSettings,
        hub_log: HubLog,
        open_store: Callable[[], Store],
        metrics: ArchiveMetrics,
        whole: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._hub_log = hub_log
        self._open_store = open_store
        self._metrics = metrics
        self._whole: Callable[[], None] | None = whole
        self._goal: dict[Tp, int] | None = None
        self._ends: dict[Tp, int] = {}
        self._tps: list[TopicPartition] = []
        self._looked_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until told to stop. If the database does not answer, wait for it for up to `outage_s_max`.

        Raises:
            HubError: the database stays away, or the logs are not those of the archive.
        """
        pause_s, away_since = PAUSE_S, time.monotonic()
        async with started(new_consumer(worker_settings(self._settings))) as consumer:
            while not stop.is_set():
                try:
                    store = await asyncio.to_thread(self._open_store)
                    try:
                        self._tps, self._looked_at = [], 0.0
                        pause_s = PAUSE_S
                        await self._follow(consumer, store, stop)
                    finally:
                        store.close()
                except (psycopg.OperationalError, psycopg.InterfaceError, Away) as wrong:
                    if pause_s == PAUSE_S:
                        away_since = time.monotonic()
                    if time.monotonic() - away_since > self._settings.outage_s_max:
                        raise HubError(
                            "PostgreSQL stays away", todo="Start it; the archive goes on by itself."
                        ) from wrong
                    self._metrics.outages.inc()
                    log.warning("PostgreSQL is away (%s); trying again in %.1f s", type(wrong).__name__, pause_s)
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, PAUSE_S_MAX)
                except Moved:
                    log.warning("the archive was made anew meanwhile; going on where that ended")

    async def _follow(self, consumer: AIOKafkaConsumer, store: Store, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if time.monotonic() - self._looked_at > self._settings.look_s:
                await self._look(consumer, store)
                self._looked_at = time.monotonic()
            self._tell_when_whole(store)
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._settings.batch_messages_max)
            records = [to_record(raw) for found in fetched.values() for raw in found]
            settings = self._settings
            for batch in batches(records, settings.batch_messages_max, settings.batch_bytes_max):
                with self._metrics.took_seconds.time():
                    await asyncio.to_thread(store.write, batch)
                for one in batch:
                    self._metrics.kept.labels(one.topic).inc()
                if stop.is_set():
                    return
            places = {(tp.topic, tp.partition): await consumer.position(tp) for tp in fetched}
            if places:
                await asyncio.to_thread(store.reach, places)

    async def _look(self, consumer: AIOKafkaConsumer, store: Store) -> None:
        """Look for new topics and for the ends of all logs, and show how far the archive is behind."""
        tps = followed(await consumer.topics(), self._hub_log)
        ends = {(tp.topic, tp.partition): end for tp, end in (await consumer.end_offsets(tps)).items()}
        await asyncio.to_thread(store.see, ends)
        _check_ends(ends, store)
        if tps != self._tps:
            consumer.assign(tps)
            for tp in tps:
                consumer.seek(tp, store.places[tp.topic, tp.partition].next_offset)
            self._tps = tps
        self._ends = ends
        if self._goal is None:
            self._goal = ends
        self._show(store)

    def _show(self, store: Store) -> None:
        behind: dict[str, int] = {}
        for (topic, part), end in self._ends.items():
            behind[topic] = behind.get(topic, 0) + max(0, end - store.places[topic, part].next_offset)
        for topic, count in behind.items():
            self._metrics.behind.labels(topic).set(count)
            age = time.time() - store.newest_ms.get(topic, 0) / 1_000 if count and topic in store.newest_ms else 0
            self._metrics.behind_seconds.labels(topic).set(age)

    def _tell_when_whole(self, store: Store) -> None:
        if self._whole is None or self._goal is None:
            return
        if all(store.places[tp].next_offset >= end for tp, end in self._goal.items()):
            self._whole()
            self._whole = None


def _check_ends(ends: Mapping[Tp, int], store: Store) -> None:
    """Check that no log ends before what the archive kept of it: such a log is another one, or it lost messages.

    Raises:
        HubError: a log ends before; nothing may be written then.
    """
    for (topic, part), end in ends.items():
        if end < store.places[topic, part].next_offset:
            raise HubError(
                f"{topic} {part} ends at {end}, before what the archive has of it",
                todo="Messages were lost, or these are other logs: look at the brokers before anything else.",
            )
