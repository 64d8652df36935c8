"""Chunks as faust's consumer delivers them: with records, with a marker behind them, and of a marker alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiokafka import ConsumerRecord
from faust.types import TP

from hub.stream.transport import ChunkConsumer, Fetched

EVENTS = TP("events", 7)
GENERATION = 3


class HandFed(ChunkConsumer):
    """The consumer without faust's app and thread; what it fetches is handed to it."""

    flow_active = True
    should_stop = False

    def __init__(self, fetched: dict[TP, Fetched]) -> None:
        self.app = SimpleNamespace(consumer_generation_id=GENERATION)
        self._fetched = fetched
        self._durable = {}
        self._dropped = False
        self._unacked_messages: set[Any] = set()

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109  (upstream)
        assert timeout
        return self._fetched, None


def raw(offset: int) -> ConsumerRecord:
    return ConsumerRecord(*EVENTS, offset, 1_700_000_000_000, 0, b"key", b"value", None, 3, 5, ())


async def delivered(fetched: Fetched) -> tuple[list[int], int, int | None]:
    """The offsets of a chunk's records, its own offset, and what may be committed once it is acked."""
    consumer = HandFed({EVENTS: fetched})
    ((tp, message),) = [one async for one in consumer.getmany(1.0)]
    assert (tp, message.tp, message.generation_id) == (EVENTS, EVENTS, GENERATION)
    consumer._unacked_messages.add(message)
    assert consumer._new_offset(EVENTS) is None
    assert consumer.ack(message)
    assert not consumer._unacked_messages
    return [one.offset for one in message.value], message.offset, consumer._new_offset(EVENTS)


async def test_a_chunk_reaches_as_far_as_the_consumers_position() -> None:
    """What is committed goes past a marker behind the records, past a marker alone, and no further than was read."""
    assert await delivered(Fetched([raw(40), raw(41)], 42)) == ([40, 41], 41, 42)
    assert await delivered(Fetched([raw(40), raw(41)], 43)) == ([40, 41], 42, 43)
    assert await delivered(Fetched([], 44)) == ([], 43, 44)
