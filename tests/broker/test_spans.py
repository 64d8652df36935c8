"""Brokers that vanish while something finite is waited for: it ends with whose fault that is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError

from hub.errors import HubError
from hub.kafka.clients import started
from hub.kafka.follower import Follower
from hub.kafka.spans import log_spans, read_span
from hub.local.kafka import EmbeddedKafka
from hub.settings import WorkerSettings

pytestmark = pytest.mark.broker

LOG = TopicPartition("log", 0)
RECORDS, RECORD_BYTES = 160, 100_000
"""More than a client fetches ahead, so that a broker which goes after the first batch takes some with it."""


class Counting(Follower):
    """A follower that counts."""

    seen = 0

    def handle(self, raw: Any) -> None:
        """Count one record, all of whose bytes came."""
        self.seen += len(raw.value) == RECORD_BYTES


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """A broker with one log."""
    with EmbeddedKafka(tmp_path / "kafka") as running:
        asyncio.run(fill(running.bootstrap_servers))
        yield running


async def fill(servers: str) -> None:
    """Make the log and write it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(LOG.topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for _ in range(RECORDS):
            await producer.send_and_wait(LOG.topic, bytes(RECORD_BYTES), partition=0)


async def test_a_span_whose_broker_vanishes_is_given_up(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A reader of a span ends when its broker is gone for too long, and names the log; it does not wait for ever."""
    settings = WorkerSettings(kafka.bootstrap_servers, tmp_path, "reader", silence_s_max=2.0)
    spans = await log_spans(settings, [LOG])
    batches = read_span(settings, spans)
    found = len(await anext(batches))
    await asyncio.to_thread(kafka.stop)
    with pytest.raises(HubError, match=f"bring nothing of log 0 before {RECORDS} for 2 s") as wrong:
        found += sum([len(batch) async for batch in batches])
    assert 0 < found < RECORDS
    assert wrong.value.todo


async def test_who_answers_somebody_waits_for_a_follower_within_a_bound(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A follower that brings nothing is given up after a while, and one that runs is waited for until it is there."""
    async with started(Counting(WorkerSettings(kafka.bootstrap_servers, tmp_path, "follower"), [LOG])) as follower:
        with pytest.raises(KafkaTimeoutError):
            await follower.caught_up_within(0.5)
        running = asyncio.create_task(follower.run())
        await follower.caught_up_within(60.0)
        assert follower.seen == RECORDS
        running.cancel()
