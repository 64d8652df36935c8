"""The coverage stage carries a flush out in its order, whatever the broker takes its time for."""

from __future__ import annotations

import asyncio

import pytest

from hub.core.flush import Change, Flush
from hub.stream.coverage import carry_out

PLAN_KEYS = (b"bank/7/1/06", b"bank/judged/05")


class Broker:
    """Takes what is written, and says that it is durable when it is told to; notes what happened in which order."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.durable = asyncio.Event()
        self.breaks = False

    async def send(self, plan: Flush) -> None:
        """Write everything; it is durable later."""
        self.happened.append(f"{len(list(plan.writes))} written")
        await self.durable.wait()
        if self.breaks:
            raise ConnectionError
        self.happened.append("durable")

    async def change(self, one: Change) -> None:
        """Remove a key."""
        self.happened.append(f"{one.key.decode()} removed")

    def plan(self) -> Flush:
        """A flush with two chunks."""
        acks = [lambda: self.happened.append("first acked"), lambda: self.happened.append("second acked")]
        return Flush(iter(()), [], acks, [Change(key, None) for key in PLAN_KEYS], 1)


async def test_a_chunk_is_acked_once_all_it_changed_is_durable() -> None:
    """While the broker has not said so nothing is acked; then the chunks are, and then what is replaced is removed."""
    broker = Broker()
    going = asyncio.create_task(carry_out(broker.plan(), broker.send, broker.change))
    while not broker.happened:
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert broker.happened == ["0 written"]
    broker.durable.set()
    await going
    removed = [f"{key.decode()} removed" for key in PLAN_KEYS]
    assert broker.happened == ["0 written", "durable", "first acked", "second acked", *removed]


async def test_what_is_not_durable_is_not_acked() -> None:
    """If the broker fails, the flush fails, nothing is acked and nothing is removed."""
    broker = Broker()
    broker.breaks = True
    broker.durable.set()
    with pytest.raises(ConnectionError):
        await carry_out(broker.plan(), broker.send, broker.change)
    assert broker.happened == ["0 written"]
