"""A hub that nothing happens to: what its processes take of a core and of memory, and how soon it is awake.

`unbind-hub up` runs with everything that it has. It is measured three times, each time once its logs stand still and
its processor time falls no more: as it is made (`fresh`), and after it has worked (`worked`), both in silence; in
between events come to it, at first many in a second, then out of the silence, one now and then. What a process takes
is what the system counts (`/proc`), with the children it had. Memory is its share (PSS: what is shared with others is
divided among them), and what it has in RAM as `ps` shows it (RSS).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.core.model import HubLog
from hub.errors import HubError
from hub.kafka.newest import read_hub_log
from hub.settings import HubAddress, WorkerSettings
from hub.staff.registrar import registrar
from tests.bench import latency, messages
from tests.bench.machine import TICKS_PER_S

log = logging.getLogger(__name__)

PLATFORMS = 20
SILENCE_S = (60.0, 10.0)
LOOK_S = 5.0
"""Processor time is compared over so long, until it falls no more."""

FALLS = 0.95
"""It falls while it is less than this part of what it was before."""

READY_S = 180.0
STILL_S = 180.0
POLL_S = 0.2
SELDOM_PER_S = 1.0
SELDOM = (60, 10)
"""Events out of the silence."""

MOVE_BY_THEMSELVES = ("coverage", "gaps")
"""Logs of which a hub at rest writes something as time passes."""

PARTS = {"kafka.Kafka": "broker", "postgres": "postgresql", **{f"hub {one} ": one for one in ("worker", "archive")}}
PARTS |= {f"hub {one} ": one for one in ("delivery", "web", "up")}
THE_SIX = ("broker", "worker", "archive", "delivery", "web", "postgresql")
TARGETS = {"core": 0.10, "broker_core": 0.06, "pss_mb": 700.0}


class Process(NamedTuple):
    """What a process has used, its ended children's share with it."""

    cpu_s: float
    pss_mb: float
    rss_mb: float


class Running(NamedTuple):
    """A hub of `unbind-hub up`; the benchmarks take it for a rig."""

    folder: Path
    address: HubAddress
    log: HubLog
    pid: int
    quick: bool

    def size(self, full: int, quick: int) -> int:
        """How much of something: in a full run, in a smoke."""
        return quick if self.quick else full

    def parts(self) -> dict[str, Process]:
        """What its processes have used by now, by part."""
        found: defaultdict[str, list[Process]] = defaultdict(list)
        for pid in _family(self.pid):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                part = next((name for word, name in PARTS.items() if word in command), "other")
                found[part].append(_process(pid))
            except (OSError, ValueError):  # it has ended meanwhile: then its parent has what it used
                continue
        return {part: Process(*map(sum, zip(*made, strict=True))) for part, made in found.items()}


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text(encoding="utf-8").split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def _process(pid: int) -> Process:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:])
    kilobytes = {line[0]: int(line[1]) for line in lines}
    cpu_s = sum(map(int, fields[11:15])) / TICKS_PER_S
    return Process(cpu_s, kilobytes["Pss:"] / 1_024, kilobytes["Rss:"] / 1_024)


@contextmanager
def anywhere() -> Iterator[None]:
    """On any core: a hub at rest is measured as it is run."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@asynccontextmanager
async def up(folder: Path, *, quick: bool) -> AsyncIterator[Running]:
    """A whole hub, as `unbind-hub up` starts it.

    Raises:
        HubError: it does not serve in time.
    """
    folder.mkdir(parents=True)
    ready = folder / "ready.json"
    # An operator's default limits would hold what is measured.
    data = ("--data-dir", str(folder / "hub"), "--delivery-port", "0", "--ready-file", str(ready), "--no-authority")
    with (folder / "up.log").open("wb") as console, anywhere():
        program = await asyncio.create_subprocess_exec(sys.executable, "-m", "hub", "up", *data, stdout=console)
    try:
        deadline = time.monotonic() + READY_S
        while not (ready.exists() and (folder / "hub" / "archive.ready.json").exists()):
            if time.monotonic() > deadline or program.returncode is not None:
                raise HubError("the hub does not come up", todo=f"Look at {folder / 'up.log'} with --keep.")
            await asyncio.sleep(POLL_S)
        servers = json.loads(ready.read_text(encoding="utf-8"))["bootstrap_servers"]
        hub_log = await read_hub_log(WorkerSettings(servers, folder, "bench"))
        yield Running(folder, HubAddress(servers, hub_log.hub_id, hub_log.partitions), hub_log, program.pid, quick)
    finally:
        if program.returncode is None:
            program.send_signal(signal.SIGINT)
        await program.wait()


async def at_rest(one: Running) -> None:
    """Wait until the logs stand still, and processor time falls no more.

    Raises:
        HubError: it does not come to rest.
    """
    deadline = time.monotonic() + STILL_S
    ends, before = await _ends(one), float("inf")
    while time.monotonic() < deadline:
        used = _cpu_s(one)
        await asyncio.sleep(LOOK_S)
        now, ends_before, ends = _cpu_s(one) - used, ends, await _ends(one)
        if ends == ends_before and now > FALLS * before:
            return
        before = now
    raise HubError("the hub does not come to rest", todo="Look at what its processes do, with --keep.")


def _cpu_s(one: Running) -> float:
    return sum(found.cpu_s for found in one.parts().values())


async def _ends(one: Running) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=one.address.bootstrap_servers)
    await consumer.start()
    try:
        topics = sorted(await consumer.topics() - set(MOVE_BY_THEMSELVES))
        tps = [TopicPartition(name, part) for name in topics for part in consumer.partitions_for_topic(name) or ()]
        found: dict[TopicPartition, int] = await consumer.end_offsets(tps)
    finally:
        await consumer.stop()
    return found


async def silence(one: Running) -> dict[str, Any]:
    """Wait until it is at rest, then say by part what it takes while nothing happens."""
    await at_rest(one)
    before, began = one.parts(), time.monotonic()
    await asyncio.sleep(SILENCE_S[1] if one.quick else SILENCE_S[0])
    after, passed_s = one.parts(), time.monotonic() - began
    parts = {
        part: {"core": (now.cpu_s - before[part].cpu_s) / passed_s, "pss_mb": now.pss_mb, "rss_mb": now.rss_mb}
        for part, now in sorted(after.items())
    }
    the_six = {name: sum(parts[part][name] for part in THE_SIX) for name in ("core", "pss_mb", "rss_mb")}
    return {"parts": parts, "sum": the_six, "seconds": passed_s, "load_average": os.getloadavg()}


async def out_of_silence(one: Running) -> dict[str, Any]:
    """Percentiles of single events that come to a hub at rest."""
    await at_rest(one)
    return await latency.measure_at(one, messages.NUMBERS_MAX // 4, one.size(*SELDOM), SELDOM_PER_S)


async def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Measure a fresh hub, events, single events, and the same hub when they are done."""
    async with up(folder, quick=quick) as one:
        fresh = await silence(one)
        log.info("fresh: %s", fresh)
        async with registrar(one.address) as made:
            await made.put_operators([messages.operator(one.log.hub_id)])
            await made.put_platforms(messages.platform(each, one.log.hub_id) for each in range(PLATFORMS))
        many = await latency.measure(one, first=messages.NUMBERS_MAX // 2)
        seldom = await out_of_silence(one)
        log.info("latency: %s, out of the silence: %s", many, seldom)
        worked = await silence(one)
        log.info("worked: %s", worked)
    found = {"fresh": fresh, "worked": worked, "latency": many, "latency_seldom": seldom}
    return {"platforms": PLATFORMS, **found, "targets": TARGETS}
