"""This module follows logs for ever: a follower reads by itself, keeps its own place, and says how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from hub.kafka.clients import POLL_MS, POLL_RECORDS_MAX, new_consumer, stop_client
from hub.settings import WorkerSettings


class Follower:
    """A log follower: a consumer, a place in every partition, and a condition that tells when the places move.

    It follows for ever, and it waits for brokers that are away: that is its purpose. A program that starts waits for it
    without a limit; a request that must be answered waits with `caught_up_within`.
    """

    def __init__(self, settings: WorkerSettings, tps: list[TopicPartition]) -> None:
        self.tps = tps
        self.places: dict[TopicPartition, int] = dict.fromkeys(tps, 0)
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._moved = asyncio.Condition()
        self.listeners: set[Callable[[], None]] = set()
        """These are called each time that records were handled."""

    async def start(self) -> None:
        """Connect, and seek to the places."""
        self._consumer = new_consumer(self._settings)
        await self._consumer.start()
        self._consumer.assign(self.tps)
        for tp, place in self.places.items():
            self._consumer.seek(tp, place)

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await stop_client(self._consumer)

    async def run(self) -> None:
        """Follow for ever. Any error ends this; the caller decides what that means."""
        assert self._consumer is not None, "start() comes first"
        while True:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
            for tp, batch in fetched.items():
                if batch:
                    await self.take(batch)
                self.reach(tp, await self._consumer.position(tp))
            if fetched:
                await self.told()
            await self.between()
            await asyncio.sleep(0)

    async def take(self, batch: list[Any]) -> None:
        """Take in records of one partition, in order."""
        for raw in batch:
            self.handle(raw)

    def handle(self, raw: Any) -> None:
        """Take in one record."""
        raise NotImplementedError

    def reach(self, tp: TopicPartition, place: int) -> None:
        """Note that everything of a partition before an offset was handled. The last offsets may hold no record."""
        self.places[tp] = place

    async def between(self) -> None:
        """Do what has to be done between two batches; by default nothing."""

    async def told(self) -> None:
        """Wake the tasks that wait for a place, and call the listeners."""
        for listener in tuple(self.listeners):
            listener()
        async with self._moved:
            self._moved.notify_all()

    async def end_offsets(self) -> dict[TopicPartition, int]:
        """Return where the logs end now."""
        assert self._consumer is not None, "start() comes first"
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self.tps)
        return ends

    async def reached(self, ends: Mapping[TopicPartition, int]) -> None:
        """Wait until everything before these offsets was handled."""
        async with self._moved:
            await self._moved.wait_for(lambda: all(self.places[tp] >= end for tp, end in ends.items()))

    async def caught_up(self) -> None:
        """Wait until everything that is in the logs now was handled."""
        await self.reached(await self.end_offsets())

    async def caught_up_within(self, patience_s: float) -> None:
        """Wait at most this long until everything that is in the logs now was handled.

        Raises:
            KafkaTimeoutError: the brokers do not deliver it in time.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self.caught_up()
        except TimeoutError as wrong:
            raise KafkaTimeoutError from wrong
