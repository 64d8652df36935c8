"""A record whose header name is no text lies in the log: what becomes of it, and of what comes after it."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from hub.core.model import Refusal
from hub.recount import recount
from hub.wire import contracts
from tests.broker.scene import Scene, mobile_numbers, now_ms
from tests.unit.kafka.test_header_names import spoilt

pytestmark = pytest.mark.broker

TOPICS = [contracts.EVENTS, contracts.REPORTS, contracts.ACKS, contracts.ANSWERS]


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        (contracts.EVENTS, Refusal.UNDECODABLE),
        (contracts.REPORTS, Refusal.UNDECODABLE),
        (contracts.ACKS, Refusal.BAD_SIGNATURE),
        (contracts.ANSWERS, Refusal.BAD_SIGNATURE),
    ],
)
def test_a_header_name_that_is_no_text_stops_no_reader(scene: Scene, topic: str, reason: Refusal) -> None:
    """Bytes that a client library would never send lie in the log; the hub refuses them and reads on."""
    asyncio.run(write_with_a_bad_name(scene, topic))
    scene.settle(topic)
    assert [(one.key, one.reason) for (of, _), one in scene.rejected().items() if of == topic] == [(b"poison", reason)]
    scene.open_cases(mobile_numbers(2, f"+86135{TOPICS.index(topic)}"))
    assert asyncio.run(recount(scene.hub.address.bootstrap_servers)) == []


async def write_with_a_bad_name(scene: Scene, topic: str) -> None:
    """One record, as bytes, since no client writes such a header."""
    async with AIOKafkaProducer(bootstrap_servers=scene.hub.address.bootstrap_servers) as producer:
        batch = producer.create_batch()
        batch.append(key=b"poison", value=b"poison", timestamp=now_ms(), headers=[("name", b"v")])
        batch._buffer = bytearray(spoilt(bytes(batch._build())))
        await (await producer.send_batch(batch, topic, partition=0))
