"""Fetches that a broker holds for seconds, on a real broker: nothing waits for them, and hardly any are sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from hub.kafka.clients import FETCH_WAIT_MS, new_consumer, started
from hub.kafka.fetching import FETCHES
from hub.local.kafka import EmbeddedKafka
from hub.settings import WorkerSettings
from tests.clusters import borrowed

pytestmark = pytest.mark.broker

SOON_S = FETCH_WAIT_MS / 1000 / 2
"""Half of what a fetch may be held: what waits for one takes longer, and nothing else does."""

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    """A broker with nothing else in it."""
    with borrowed() as running:
        yield running


class Held:
    """A consumer of both partitions of a topic that has read them to their ends, and whose fetch is held."""

    def __init__(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, topic: str) -> None:
        self.consumer, self._producer = consumer, producer
        self.first, self.second = TopicPartition(topic, 0), TopicPartition(topic, 1)

    async def write(self, tp: TopicPartition, value: bytes) -> None:
        await self._producer.send_and_wait(tp.topic, value, partition=tp.partition)

    async def read(self, count: int = 1) -> list[bytes]:
        """So many values, in the order they come."""
        found: list[bytes] = []
        async with asyncio.timeout(DEADLINE_S):
            while len(found) < count:
                for batch in (await self.consumer.getmany(timeout_ms=1_000)).values():
                    found += [raw.value for raw in batch]
        return found

    @property
    def _fetcher(self) -> Any:
        return self.consumer._fetcher

    async def rest(self, condition: Callable[[], bool] = lambda: True) -> None:
        """Wait until a fetch is held."""
        async with asyncio.timeout(DEADLINE_S):
            while not self._fetcher._held or not condition():
                await asyncio.sleep(0.01)

    @property
    def fetches(self) -> int:
        """How many fetches were sent over the connection that they have."""
        connections = self.consumer._client._conns
        return sum(one._correlation_id for (_, group), one in connections.items() if group == FETCHES)


@asynccontextmanager
async def held(kafka: EmbeddedKafka, folder: Path, topic: str) -> AsyncIterator[Held]:
    """One message was written to each of the partitions, and was read."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    async with _closing(admin):
        await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    settings = WorkerSettings(kafka.bootstrap_servers, folder, "fetching")
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer,
        started(new_consumer(settings)) as consumer,
    ):
        one = Held(consumer, producer, topic)
        await one.write(one.first, b"a")
        await one.write(one.second, b"b")
        consumer.assign([one.first, one.second])
        for tp in (one.first, one.second):
            consumer.seek(tp, 0)
        assert sorted(await one.read(2)) == [b"a", b"b"]
        await one.rest()
        yield one


@asynccontextmanager
async def _closing(admin: AIOKafkaAdminClient) -> AsyncIterator[None]:
    await admin.start()
    try:
        yield
    finally:
        await admin.close()


async def test_a_silent_log_is_asked_for_once_in_a_fetchs_time(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A reader of a silent log sends no fetch but one in each five seconds."""
    async with held(kafka, tmp_path, "silent") as one:
        before = one.fetches
        await asyncio.sleep(SOON_S)  # the silence that is measured
        assert one.fetches - before <= 1


async def test_what_comes_ends_the_held_fetch(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A message that comes after a silence is read at once, in whichever partition it lies."""
    async with held(kafka, tmp_path, "wakes") as one:
        for tp in (one.first, one.second):
            await one.rest()
            began = time.monotonic()
            await one.write(tp, b"news")
            assert await one.read() == [b"news"]
            assert time.monotonic() - began < SOON_S


async def test_a_question_does_not_wait_for_the_held_fetch(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Whoever follows a silent log is told at once where it ends."""
    async with held(kafka, tmp_path, "asked") as one:
        began = time.monotonic()
        assert await one.consumer.end_offsets([one.first]) == {one.first: 1}
        assert time.monotonic() - began < SOON_S


async def test_a_place_that_is_sought_does_not_wait_for_the_held_fetch(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A reader that goes back while its fetch is held, by offset or to the start, reads again at once."""
    async with held(kafka, tmp_path, "sought") as one:
        began = time.monotonic()
        one.consumer.seek(one.first, 0)
        assert await one.read() == [b"a"]
        assert time.monotonic() - began < SOON_S
        await one.rest()
        began = time.monotonic()
        await one.consumer.seek_to_beginning(one.second)
        assert await one.read() == [b"b"]
        assert time.monotonic() - began < SOON_S


async def test_what_was_left_out_of_a_fetch_does_not_wait_for_it(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A partition that is read slowly, so that a fetch without it is sent meanwhile, is read on at once after that."""
    async with held(kafka, tmp_path, "slow") as one:
        before = one.fetches
        await one.write(one.first, b"slow")
        async with asyncio.timeout(DEADLINE_S):
            while one.fetches < before + 2:  # the one that brought it, and others, which ask for the second alone
                await asyncio.sleep(0.01)
        assert await one.read() == [b"slow"]
        began = time.monotonic()
        await one.write(one.first, b"fast")
        assert await one.read() == [b"fast"]
        assert time.monotonic() - began < SOON_S


async def test_a_new_assignment_does_not_wait_for_the_held_fetch(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A reader that is given other partitions, as when a worker takes over, reads them at once."""
    async with held(kafka, tmp_path, "given") as one:
        began = time.monotonic()
        one.consumer.assign([one.second])
        one.consumer.seek(one.second, 0)
        assert await one.read() == [b"b"]
        assert time.monotonic() - began < SOON_S
