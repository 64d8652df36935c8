"""Delivery: signed webhooks a second to receivers on this machine, and the notices in them."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

from hub.core.model import Key, Names, Platform, PlatformState
from hub.core.roster_life import receipt_key_id
from hub.errors import HubError
from hub.local.children import Supervised
from hub.staff.registrar import registrar
from tests.bench.machine import HUB_CORE, TICKS_PER_S, cpu_seconds, on_core
from tests.bench.rig import Rig, fill_releases, rig

CASES = (240_000, 2_400)
WINDOW_S = (8.0, 1.0)
SHAPES = ((1, 1), (1, 100), (100, 1), (100, 100))
"""Receivers, and notices in a message."""

READY_S = 60.0
POLL_S = 0.02
ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
SPAN = re.compile(rb"webhook-id: \S+_(\d+)-(\d+)\r", re.IGNORECASE)


class Counts:
    """What receivers got, and when."""

    def __init__(self) -> None:
        self.messages = 0
        self.notices = 0
        self.first_s = 0.0
        self.last_s = 0.0

    def add(self, notices: int) -> None:
        """Count a message."""
        self.last_s = time.monotonic()
        self.first_s = self.first_s or self.last_s
        self.messages += 1
        self.notices += notices


class Sink(asyncio.Protocol):
    """A web server that says 204 to everything, as fast as Python can."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer whole requests."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[: end + 2]
            length = LENGTH.search(head)
            assert length is not None, "a webhook without a length"
            whole = end + 4 + int(length[1])
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            span = SPAN.search(head)
            assert span is not None, "a webhook without an id"
            self._counts.add(int(span[2]) - int(span[1]) + 1)
            self._transport.write(ANSWER)


def platforms(count: int, port: int, shape: str, public: bytes) -> list[Platform]:
    """Receivers on the roster, told at a path of their own."""
    return [
        Platform(
            f"{shape}-{index}",
            Names(shape, shape),
            "bench",
            3,
            PlatformState.CONNECTED,
            channel=f"webhook http://127.0.0.1:{port}/{shape}/{index}",
            keys=(Key(receipt_key_id(f"{shape}-{index}"), public, 0),),
        )
        for index in range(count)
    ]


async def measure(one: Rig, receivers: int, batch: int) -> dict[str, Any]:
    """A fresh delivery program, receivers that join all at once, and what they get in a while."""
    counts, shape = Counts(), f"r{receivers}b{batch}"
    ready = one.folder / f"{shape}.json"
    server = await asyncio.get_running_loop().create_server(lambda: Sink(counts), "127.0.0.1", 0)
    arguments = ["delivery", "run", "--bootstrap-servers", one.address.bootstrap_servers, "--private-addresses"]
    arguments += ["--data-dir", str(one.folder / shape), "--ready-file", str(ready), "--spread-s", "0"]
    arguments += ["--port", "0", "--metrics-port", "0", "--batch-notices-max", str(batch)]
    program = Supervised(f"delivery-{shape}", arguments, one.folder)
    with on_core(HUB_CORE):
        program.start()
    try:
        await _until(ready.exists, program)
        public = bytes.fromhex(json.loads(ready.read_text(encoding="utf-8"))["public_hex"])
        made = platforms(receivers, server.sockets[0].getsockname()[1], shape, public)
        async with registrar(one.address) as roster:
            await roster.put_platforms(made)
        await _until(lambda: counts.messages > 0, program)
        pid = int(json.loads(ready.read_text(encoding="utf-8"))["pid"])
        before_s, before = cpu_seconds(pid), counts.messages
        await asyncio.sleep(WINDOW_S[one.size(0, 1)])
        seconds = max(counts.last_s - counts.first_s, 0.001)
        core_s = max(cpu_seconds(pid) - before_s, 1 / TICKS_PER_S)
        return {
            "receivers": receivers,
            "batch": batch,
            "messages_per_s": counts.messages / seconds,
            "notices_per_s": counts.notices / seconds,
            "messages_per_core_s": (counts.messages - before) / core_s,
            "messages": counts.messages,
            "seconds": seconds,
        }
    finally:
        await asyncio.to_thread(program.stop)
        server.close()


async def _until(condition: Any, program: Supervised) -> None:
    deadline = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > deadline:
            raise HubError(f"delivery does not deliver:\n{program.last_words()}", todo="See its log.")
        await asyncio.sleep(POLL_S)


async def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Measure each shape on one hub."""
    async with rig(folder, quick=quick, platforms=1) as one:
        await fill_releases(one, one.size(*CASES))
        return {"rows": [await measure(one, *shape) for shape in SHAPES]}
