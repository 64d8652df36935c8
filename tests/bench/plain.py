"""Running the ordinary faust agent of `plain_faust.py`, pinned beside the broker as the hub's worker is."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from hub.local.children import Child
from tests.bench.machine import HUB_CORE, on_core
from tests.bench.rig import PARTITIONS, Rig

STOP_DEADLINE_S = 5.0
ROOT = Path(__file__).resolve().parents[2]


def group(topic: str) -> str:
    """Its consumer group: faust's app id."""
    return f"app-{topic}"


async def make_topics(one: Rig, topic: str) -> None:
    """Its source topic; the changelog it makes by itself."""
    admin = AIOKafkaAdminClient(bootstrap_servers=one.address.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)], timeout_ms=60_000)
    finally:
        await admin.close()


@asynccontextmanager
async def running(one: Rig, topic: str) -> AsyncIterator[int]:
    """Run it; its process id."""
    data_dir = one.folder / group(topic)
    command = [sys.executable, "-m", "tests.bench.plain_faust", one.address.bootstrap_servers, str(data_dir), topic]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with on_core(HUB_CORE):
        child = Child(command, one.folder / f"{topic}.log", environment)
    try:
        yield child.process.pid
    finally:
        # Nothing it has is needed any more, and its orderly end may take a minute.
        await asyncio.to_thread(child.end, signal.SIGKILL, STOP_DEADLINE_S)
