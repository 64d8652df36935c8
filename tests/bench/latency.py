"""End to end: from an operator's send until a platform's answer for that case shows in its coverage."""

from __future__ import annotations

import asyncio
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from hub.core.model import Acknowledgement, Coverage, HubLog, Outcome, OutcomeSet, ReceivedThrough, ReleaseNotice
from hub.settings import HubAddress
from hub.wire.contracts import decode, encode, partition_of
from tests.bench import messages
from tests.bench.rig import PARTITIONS, fill_releases, rig
from tests.segments import split_positions

PLATFORMS = 100
CASES = (12_000, 1_200)
SAMPLES = (600, 40)
RATE_PER_S = 20.0
SETTLE_S = 6.0
"""Longer than the refresh interval: what the start left to do is done."""

LAST_WAIT_S = 10.0
TARGET_P99_MS = 500
FETCH_WAIT_MS = 20


class Measured(Protocol):
    """A running hub; the rig is one."""

    @property
    def address(self) -> HubAddress:
        """Where it is."""

    @property
    def log(self) -> HubLog:
        """What its topics were made as."""

    def size(self, full: int, quick: int) -> int:
        """How much of something: in a full run, in a smoke."""


class Loop:
    """An operator that sends, a platform that acknowledges each notice at once, a reader of its coverage."""

    def __init__(self, one: Measured, who: int = 0, rate_per_s: float = RATE_PER_S) -> None:
        self._rig = one
        self._rate_per_s = rate_per_s
        self._platform = messages.platform_id(who)
        self._signer = messages.platform_signer(who, one.log.hub_id)
        self._sent_at: dict[str, float] = {}
        self._answered: dict[tuple[int, int], float] = {}
        self.taken_ms: list[float] = []

    async def run(self, first: int, count: int) -> None:
        """Send so many events, one by one at the rate, and wait until the last is covered."""
        servers = self._rig.address.bootstrap_servers
        producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
        consumer = AIOKafkaConsumer(bootstrap_servers=servers, fetch_max_wait_ms=FETCH_WAIT_MS)
        await producer.start()
        consumer.subscribe(["releases", "coverage"])
        await consumer.start()
        await consumer.seek_to_end()
        reading = asyncio.create_task(self._read(consumer, producer))
        try:
            await self._send(producer, first, count)
            deadline = time.monotonic() + LAST_WAIT_S
            while len(self.taken_ms) < count and time.monotonic() < deadline and not reading.done():
                await asyncio.sleep(0.05)
            if reading.done():
                reading.result()  # what went wrong
        finally:
            reading.cancel()
            await consumer.stop()
            await producer.stop()

    async def _send(self, producer: Any, first: int, count: int) -> None:
        now_ms = int(time.time() * 1000)
        made = messages.events(first, count, self._rig.log.hub_id, PARTITIONS, now_ms, openers_only=True)
        begun = time.monotonic()
        for index, (key, value, headers, partition) in enumerate(made):
            await asyncio.sleep(max(0.0, begun + index / self._rate_per_s - time.monotonic()))
            self._sent_at[key.decode()] = time.monotonic()
            await producer.send("events", value, key=key, partition=partition, headers=list(headers))

    async def _read(self, consumer: Any, producer: Any) -> None:
        async for raw in consumer:
            if raw.topic == "releases":
                await self._answer(raw, producer)
            elif raw.key == self._platform.encode():
                self._see(decode(raw.value, Coverage))

    async def _answer(self, raw: Any, producer: Any) -> None:
        notice = decode(raw.value, ReleaseNotice)
        sent_at = self._sent_at.pop(notice.subject.value, None)
        if sent_at is None:
            return
        self._answered[raw.partition, raw.offset] = sent_at
        received = (ReceivedThrough(raw.partition, raw.offset, sha256(raw.value).digest()),)
        opened = raw.offset if notice.opened_at is None else notice.opened_at
        outcomes = (OutcomeSet(Outcome.NOT_BOUND, raw.partition, tuple(split_positions([opened]))),)
        ack = Acknowledgement(self._platform, notice.log_id, int(time.time() * 1000), received, outcomes)
        value, key = encode(ack), self._platform.encode()
        headers = list(self._signer.headers("acks", value))
        await producer.send("acks", value, key=key, partition=partition_of(key, PARTITIONS), headers=headers)

    def _see(self, coverage: Coverage) -> None:
        """An ack's `received` and its outcomes are merged together: figures with the one have the other."""
        through = {one.partition: one.through for one in coverage.received}
        for partition, offset in [one for one in self._answered if through.get(one[0], -1) >= one[1]]:
            self.taken_ms.append((time.monotonic() - self._answered.pop((partition, offset))) * 1000)


async def measure(one: Measured, first: int) -> dict[str, Any]:
    """Percentiles over one loop on a running hub."""
    await asyncio.sleep(SETTLE_S)
    return await measure_at(one, first, one.size(*SAMPLES), RATE_PER_S)


async def measure_at(one: Measured, first: int, count: int, rate_per_s: float) -> dict[str, Any]:
    """Percentiles over so many events at a rate."""
    loop = Loop(one, rate_per_s=rate_per_s)
    await loop.run(first, count)
    p50, p99 = (float(np.percentile(loop.taken_ms, share)) for share in (50, 99))
    return {
        "samples": len(loop.taken_ms),
        "lost": count - len(loop.taken_ms),
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": max(loop.taken_ms),
        "rate_per_s": rate_per_s,
        "target_p99_ms": TARGET_P99_MS,
    }


async def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Measure on a small hub."""
    async with rig(folder, quick=quick, platforms=PLATFORMS) as one:
        cases = one.size(*CASES)
        await fill_releases(one, cases)
        await one.start_worker()
        return await measure(one, first=messages.NUMBERS_MAX // 2)
