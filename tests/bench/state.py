"""State: bytes a (case, platform) pair, on the brokers and in memory, and how soon it is back after `kill -9`.

Every platform has spoken about every case. Two mixes of what they said:
- `random`: 90 % NOT_BOUND, 6 % UNBOUND, 3 % FROZEN, 1 % nothing, each pair by itself. No coding can hold that in
  less than 0.6 bits, 0.075 bytes a pair: it is what the words carry.
- `skewed`: accounts are found on few platforms: the one of rank r binds 40 % / r of all numbers, which is three
  accounts a number on 1,000 platforms. Of what it binds, 60 % UNBOUND, 30 % FROZEN, 10 % nothing; else NOT_BOUND.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from pyroaring import BitMap

from hub.core.coverage import pack
from hub.core.model import SEGMENT, Coverage, Outcome, Received, Said, Tile
from hub.core.tile_records import received_key, tile_key
from hub.wire import contracts
from hub.wire.contracts import decode, encode, partition_of
from tests.bench import latency, messages
from tests.bench.machine import resident_bytes
from tests.bench.messages import Message
from tests.bench.rig import PARTITIONS, Rig, fill_releases, rig

log = logging.getLogger(__name__)

PLATFORMS = (1_000, 20)
CASES = (1_000_000, 24_000)
SAYS = (Outcome.NOT_BOUND, Outcome.UNBOUND, Outcome.FROZEN)
RANDOM = (0.90, 0.06, 0.03)
BOUND_MOST = 0.40
BACK_DEADLINE_S = 300.0
QUIET_S = (15, 6)
POLL_S = 0.02
EPOCH = b"bench-epoch-0001"
TARGETS = {"bytes_a_pair": 0.02, "recovery_s": 10.0}

Mix = Callable[[int], tuple[float, float, float]]


def _random(_rank: int) -> tuple[float, float, float]:
    return RANDOM


def _skewed(rank: int) -> tuple[float, float, float]:
    bound = BOUND_MOST / (rank + 1)
    return 1 - bound, bound * 0.6, bound * 0.3


MIXES: dict[str, Mix] = {"random": _random, "skewed": _skewed}


async def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Measure both mixes, each on a hub of its own."""
    return {"targets": TARGETS, **{name: await _run(folder / name, mix, quick=quick) for name, mix in MIXES.items()}}


async def _run(folder: Path, mix: Mix, *, quick: bool) -> dict[str, Any]:
    platforms = PLATFORMS[1] if quick else PLATFORMS[0]
    async with rig(folder / "empty", quick=quick, platforms=platforms) as one:
        empty_bytes = await _resident(one)
    async with rig(folder / "full", quick=quick, platforms=platforms) as one:
        through, _ = await fill_releases(one, one.size(*CASES))
        await _resident(one)  # folds the cases: what that leaves behind in memory is not state
        cases_bytes = await _resident(one)
        size_bytes = _fill_tiles(one, platforms, through, mix)
        pairs = platforms * (through + 1) * PARTITIONS
        watch = _Watch(one, platforms)
        async with watch:
            full_bytes = await _resident(one, stop=False)
            found = {
                "pairs": pairs,
                "platforms": platforms,
                "tiles_bytes": size_bytes,
                "tiles_bytes_a_pair": size_bytes / pairs,
                "resident_bytes": full_bytes,
                "resident_empty_bytes": empty_bytes,
                "resident_cases_only_bytes": cases_bytes,
                "resident_bytes_a_pair": (full_bytes - empty_bytes) / pairs,
                "recovery_kept": await _recovery(one, watch, lose=False),
                "recovery_lost": await _recovery(one, watch, lose=True),
            }
        found["latency_on_it"] = await latency.measure(one, first=messages.NUMBERS_MAX // 2)
    log.info("%s", found)
    return found


async def _resident(one: Rig, *, stop: bool = True) -> int:
    """Memory of a worker that serves and has nothing left to do."""
    pid = await one.start_worker()
    await asyncio.sleep(one.size(*QUIET_S))
    used = resident_bytes(pid)
    if stop:
        await one.stop_worker()
    return used


def _fill_tiles(one: Rig, platforms: int, through: int, mix: Mix) -> int:
    """Write what every platform said, as the hub would have; the bytes of it, keys included."""
    written = 0

    def counted() -> Iterator[Message]:
        nonlocal written
        for rank in range(platforms):
            for key, value, home in _tiles(rank, through, mix):
                written += len(key) + len(value)
                yield key, value, (), home

    one.produce(contracts.TILES, counted())
    return written


def _tiles(rank: int, through: int, mix: Mix) -> Iterator[tuple[bytes, bytes, int]]:
    platform = messages.platform_id(rank)
    home = partition_of(platform.encode(), PARTITIONS)
    chance = np.random.default_rng(rank)
    shares = mix(rank)
    for partition in range(PARTITIONS):
        value = encode(Received(platform, partition, EPOCH, through))
        yield received_key(platform, partition, EPOCH), value, home
        for segment in range(through // SEGMENT + 1):
            span = min(SEGMENT, through + 1 - segment * SEGMENT)
            said = chance.choice(len(SAYS) + 1, span, p=[*shares, 1 - sum(shares)])
            bits = [pack(BitMap(np.flatnonzero(said == one).astype(np.uint32))) for one in range(len(SAYS))]
            tile = Tile(platform, partition, segment, EPOCH, _in_order(bits))
            yield tile_key(platform, (partition, segment), EPOCH), encode(tile), home


def _in_order(bits: list[bytes]) -> tuple[Said, ...]:
    """Bitmaps of `SAYS`, outcomes in the order a tile holds them."""
    return tuple(Said(one, bits[SAYS.index(one)]) for one in Outcome if one in SAYS)


class _Watch:
    """Follows `coverage`: when every platform was published with everything it had said."""

    def __init__(self, one: Rig, platforms: int) -> None:
        self._rig = one
        self._platforms = platforms
        self._consumer = AIOKafkaConsumer(bootstrap_servers=one.address.bootstrap_servers)
        self.since: dict[str, float] = {}

    async def __aenter__(self) -> _Watch:
        await self._consumer.start()
        self._consumer.assign([TopicPartition(contracts.COVERAGE, one) for one in range(PARTITIONS)])
        await self._consumer.seek_to_end()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await self._consumer.stop()

    async def _read(self) -> None:
        async for raw in self._consumer:
            coverage = decode(raw.value, Coverage)
            if coverage.resolved:
                self.since.setdefault(coverage.platform, time.monotonic())

    async def all_back(self) -> float:
        """When the last platform was published; infinite if one is missing in time."""
        deadline = time.monotonic() + BACK_DEADLINE_S
        while len(self.since) < self._platforms:
            if time.monotonic() > deadline:
                return float("inf")
            await asyncio.sleep(POLL_S)
        return max(self.since.values())


async def _recovery(one: Rig, watch: _Watch, *, lose: bool) -> dict[str, float]:
    """Kill the worker; when it serves again, and when the coverage of all platforms was published again."""
    began = time.monotonic()
    one.kill_worker()
    if lose:
        shutil.rmtree(one.folder / "worker-1" / "cases")
    watch.since.clear()
    deadline = began + BACK_DEADLINE_S
    while not one.ready_file.exists() and time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
    ready_s = time.monotonic() - began
    first_s = min(watch.since.values(), default=time.monotonic()) - began
    return {"ready_s": ready_s, "first_coverage_s": first_s, "all_coverage_s": await watch.all_back() - began}
