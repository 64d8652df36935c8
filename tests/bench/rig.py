"""A hub to measure: Kafka and one worker on one core, the load on another, and how far the worker has committed."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer

from hub.core.model import HubLog
from hub.errors import HubError
from hub.kafka.clients import GROUP
from hub.local.kafka import EmbeddedKafka
from hub.local.up import LocalHub
from hub.settings import HubAddress, WorkerSettings
from hub.staff.registrar import registrar
from tests.bench import messages
from tests.bench.machine import HUB_CORE, TICKS_PER_S, cpu_seconds, on_core
from tests.bench.messages import Message
from tests.broker import spoilt_worker

PARTITIONS = 12
SAMPLE_S = 0.05
DEADLINE_S = 900.0
FULL_QUEUE_WAIT_S = 0.05
BROKER_HEAP_MB = 1_024


class Progress(NamedTuple):
    """Messages committed by a time, in all partitions of a topic."""

    at_s: float
    done: int
    worker_cpu_s: float
    broker_cpu_s: float


class Rate(NamedTuple):
    """What was committed between the first and the last commit seen."""

    per_second: float
    per_core_second: float
    """The same over the processor time that worker and broker used: the rate of a core that nobody else wants."""

    messages: int
    seconds: float
    worker_core_share: float
    broker_core_share: float


class Rig:
    """A hub whose worker is started and stopped by hand."""

    def __init__(self, folder: Path, kafka: EmbeddedKafka, hub_log: HubLog, *, quick: bool) -> None:
        self.folder = folder
        self.kafka = kafka
        self.log = hub_log
        self._quick = quick
        self._hub: LocalHub | None = None

    @property
    def address(self) -> HubAddress:
        """Where it is."""
        return HubAddress(self.kafka.bootstrap_servers, self.log.hub_id, self.log.partitions)

    @property
    def settings(self) -> WorkerSettings:
        """What a reader of its logs needs."""
        return WorkerSettings(self.kafka.bootstrap_servers, self.folder, "bench")

    def size(self, full: int, quick: int) -> int:
        """How much of something: in a full run, in a smoke."""
        return quick if self._quick else full

    async def start_worker(self, *, fault: str | None = None) -> int:
        """Start the worker, pinned beside the broker; its process id once it serves.

        Args:
            fault: what is spoilt in it (`tests.broker.spoilt_worker`), to show what a part costs.
        """
        program = ("-m", "hub") if fault is None else spoilt_worker.program(fault)
        self._hub = LocalHub(self.folder, bootstrap_servers=self.kafka.bootstrap_servers, worker_program=program)
        with on_core(HUB_CORE):
            await self._hub.start()
        return self.worker_pid()

    def worker_pid(self) -> int:
        """The process id the worker gave when it last said that it serves."""
        return int(json.loads(self.ready_file.read_text(encoding="utf-8"))["pid"])

    async def stop_worker(self) -> None:
        """End the worker in order."""
        hub, self._hub = self._hub, None
        if hub is not None:
            await hub.stop()

    @property
    def ready_file(self) -> Path:
        """What the worker writes once it serves."""
        return self.folder / "worker-1.ready.json"

    def kill_worker(self) -> None:
        """End the worker as `kill -9` does; it starts again by itself, and is not waited for."""
        assert self._hub is not None, "start it first"
        self.ready_file.unlink(missing_ok=True)
        self._hub.workers[0].send(signal.SIGKILL)

    def produce(self, topic: str, found: Iterable[Message]) -> int:
        """Write messages durably, as fast as one core can; how many there were."""
        producer = Producer(
            {
                "bootstrap.servers": self.address.bootstrap_servers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 20,
                "batch.size": 1_000_000,
                "message.max.bytes": 2_000_000,
                "queue.buffering.max.messages": 500_000,
            }
        )
        count = 0
        for key, value, headers, partition in found:
            while True:
                try:
                    producer.produce(topic, value, key, partition, headers=list(headers))
                    break
                except BufferError:
                    producer.poll(FULL_QUEUE_WAIT_S)
            count += 1
            if count % 1_000 == 0:
                producer.poll(0)
        if producer.flush(60):
            raise HubError(f"{topic} could not be written", todo="Look at the broker's log.")
        return count

    async def ends(self, topic: str, partitions: int = PARTITIONS) -> dict[TopicPartition, int]:
        """Where the partitions of a topic end."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.address.bootstrap_servers)
        await consumer.start()
        try:
            wanted = [TopicPartition(topic, one) for one in range(partitions)]
            found: dict[TopicPartition, int] = await consumer.end_offsets(wanted)
        finally:
            await consumer.stop()
        return found

    async def commit(self, topic: str) -> None:
        """Commit a topic to its end for the hub's group, while no worker runs."""
        ends = await self.ends(topic)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.address.bootstrap_servers, group_id=GROUP, enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign(list(ends))
            await consumer.commit(ends)
        finally:
            await consumer.stop()

    async def drain(self, topic: str, pid: int, *, group: str = GROUP, longest_s: float = DEADLINE_S) -> Rate:
        """Wait until a group has committed all of a topic, or for so long; the rate between first and last commit.

        Raises:
            HubError: nothing is committed in time.
        """
        target = sum((await self.ends(topic)).values())
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address.bootstrap_servers)
        await admin.start()
        try:
            start = await _committed(admin, group, topic)
            seen: list[Progress] = []
            deadline = time.monotonic() + longest_s
            while (not seen or seen[-1].done < target) and time.monotonic() < deadline:
                done = await _committed(admin, group, topic)
                if done != (seen[-1].done if seen else start):
                    seen.append(Progress(time.monotonic(), done, cpu_seconds(pid), cpu_seconds(self.kafka.pid)))
                await asyncio.sleep(SAMPLE_S)
        finally:
            await admin.close()
        if not seen:
            raise HubError(f"{group} commits nothing of {topic}", todo="Look at the worker's log.")
        return _rate(seen, start)


async def _committed(admin: Any, group: str, topic: str) -> int:
    offsets = await admin.list_consumer_group_offsets(group)
    return sum(max(0, found.offset) for tp, found in offsets.items() if tp.topic == topic)


def _rate(seen: list[Progress], start: int) -> Rate:
    first, last = seen[0], seen[-1]
    seconds, done = last.at_s - first.at_s, last.done - first.done
    if not done:  # all in one commit: a smoke; no rate can be told
        return Rate(0.0, 0.0, last.done - start, 0.0, 0.0, 0.0)
    worker_s, broker_s = last.worker_cpu_s - first.worker_cpu_s, last.broker_cpu_s - first.broker_cpu_s
    return Rate(
        per_second=done / seconds,
        per_core_second=done / max(worker_s + broker_s, 1 / TICKS_PER_S),
        messages=done,
        seconds=seconds,
        worker_core_share=worker_s / seconds,
        broker_core_share=broker_s / seconds,
    )


@asynccontextmanager
async def rig(folder: Path, *, quick: bool, platforms: int) -> AsyncIterator[Rig]:
    """A fresh hub with one operator and some platforms, its worker not yet started."""
    kafka = EmbeddedKafka(folder / "kafka", heap_mb=BROKER_HEAP_MB, fast_start=False)
    with on_core(HUB_CORE):
        kafka.start()
    try:
        topics = LocalHub(folder, bootstrap_servers=kafka.bootstrap_servers, workers=0, partitions=PARTITIONS)
        one = Rig(folder, kafka, await topics.start(), quick=quick)
        async with registrar(one.address) as made:
            await made.put_operators([messages.operator(one.log.hub_id)])
            await made.put_platforms(messages.platform(each, one.log.hub_id) for each in range(platforms))
        try:
            yield one
        finally:
            await one.stop_worker()
    finally:
        await asyncio.to_thread(kafka.stop)


class Filled(NamedTuple):
    """The last offset of every partition of `releases`, and by partition the digest of the notice there."""

    through: int
    digests: tuple[bytes, ...]


async def fill_releases(one: Rig, cases: int) -> Filled:
    """Write opening notices to every partition, as the hub would.

    A notice names its source, so as many events are written, and committed: they count as decided.
    """
    each = cases // PARTITIONS
    now_ms = int(time.time() * 1000)
    one.produce("events", ((b"", b"", (), partition) for partition in range(PARTITIONS) for _ in range(each)))
    await one.commit("events")
    last = [b""] * PARTITIONS

    def written() -> Iterator[Message]:
        for partition in range(PARTITIONS):
            for key, value in messages.notices(partition, each, one.log.log_id, now_ms):
                last[partition] = value
                yield key, value, (), partition

    one.produce("releases", written())
    return Filled(each - 1, tuple(sha256(value).digest() for value in last))
