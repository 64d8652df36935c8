"""The hub's clearance answers, beside a test: in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from hub.clearance.answering import Answerer, open_answerer
from hub.core.model import ClearancePolicy, Role
from hub.recount import Recounted, recount_clearance
from hub.settings import WorkerSettings
from hub.web import shapes
from hub.web.routes.clearances import clearance_shape
from tests.broker.scene import Scene

T = TypeVar("T")
CALL_S = 120.0
WAIT_S = 60.0
"""How long an answerer may take to read on: a machine that is busy must not look like a hub that is behind."""


class Asking:
    """An answerer that a test asks from outside its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answerer: Answerer, registry: CollectorRegistry) -> None:
        self._loop = loop
        self.answerer = answerer
        self.registry = registry

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the answerer's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    def look(self, read: Callable[[Answerer], T]) -> T:
        """Read something of the answerer between two of its awaits."""

        async def reading() -> T:
            return read(self.answerer)

        return self.do(reading())

    def ask(self, numbers: Sequence[str], asked_by: str = "north", role: Role = Role.OPERATOR) -> shapes.Clearance:
        """Ask for clearances."""
        return clearance_shape(self.do(self.answerer.answer(numbers, asked_by, role)))


@contextmanager
def asking(scene: Scene, folder: Path, policy: ClearancePolicy | None = None) -> Iterator[Asking]:
    """An answerer on the scene's hub, its state in a folder."""
    settings = WorkerSettings(scene.hub.address.bootstrap_servers, folder, "web-1")
    loop, stop, opened = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    found: list[Answerer | BaseException] = []
    registry = CollectorRegistry()

    async def serve() -> None:
        async with open_answerer(settings, scene.hub_log, policy or ClearancePolicy(), registry, WAIT_S) as answerer:
            found.append(answerer)
            opened.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:  # noqa: BLE001  (told to the test, which waits for an answerer)
            found.append(error)
            opened.set()

    thread = threading.Thread(target=run, name="answerer")
    thread.start()
    try:
        assert opened.wait(CALL_S), "the answerer did not open"
        if isinstance(found[0], BaseException):
            raise found[0]
        yield Asking(loop, found[0], registry)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(CALL_S)
        loop.close()


def recounted(scene: Scene, clearance: shapes.Clearance) -> Recounted:
    """The same decided again from the logs."""
    servers = scene.hub.address.bootstrap_servers
    return asyncio.run(recount_clearance(servers, bytes.fromhex(clearance.lookup_id)))
