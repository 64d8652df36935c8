"""An app that has joined the hub: its adapter runs beside it, in a thread of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event

from hub.sdk import AdapterSettings, PlatformAdapter, SqlStore
from hub.sdk.adapter.settings import Listen, always_act
from hub.wire import contracts
from tests.broker.scene import Scene, wait_until
from tests.stories.app import LAYOUT


def open_database(url: str) -> Engine:
    """A database as an app opens it: with SQLite, readers do not wait for the one who writes."""
    engine = create_engine(url, pool_size=8)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _pragmas)
    return engine


def _pragmas(connection: Any, _: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=20000"):
        connection.execute(f"PRAGMA {pragma}")


class Beside(threading.Thread):
    """A platform's adapter at work. What ends it is raised by `end`."""

    def __init__(
        self, scene: Scene, platform: str, engine: Engine, settings: AdapterSettings, listening: Listen
    ) -> None:
        super().__init__(name=f"adapter of {platform}", daemon=True)
        self.store = SqlStore(engine, LAYOUT)
        signer = scene.signer(f"{platform}-1")
        self.adapter = PlatformAdapter(platform, self.store, signer, scene.hub.address, settings, listening=listening)
        self.failure: BaseException | None = None
        self._scene = scene
        self._enough = threading.Event()
        self.start()

    def run(self) -> None:
        """Follow `releases` until told to stop."""
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001  (told to the test by `end`)
            self.failure = error

    async def _run(self) -> None:
        stop = asyncio.Event()
        waiting = asyncio.get_running_loop().run_in_executor(None, self._enough.wait)
        waiting.add_done_callback(lambda _: stop.set())
        try:
            await self.adapter.run(stop)
        finally:
            self._enough.set()
            await waiting

    def catch_up(self, deadline_s: float = 120.0) -> None:
        """Wait until it has acted on and acknowledged everything there is, and has said so to the login check."""
        ends = dict(enumerate(self._scene.ends(contracts.RELEASES)))
        asked_at = self.store.evidence().caught_up_at or 0

        def done() -> bool:
            assert self.failure is None, self.failure
            places = {one: place.next_offset for one, place in self.store.progress().places.items()}
            heard = all(places.get(one, 0) >= end for one, end in ends.items())
            return heard and not self.store.outbox().waiting and (self.store.evidence().caught_up_at or 0) > asked_at

        wait_until("the adapter has heard everything", done, deadline_s)

    def end(self) -> None:
        """Stop it."""
        self._enough.set()
        self.join(60)
        assert self.failure is None, self.failure


@contextmanager
def joined(
    scene: Scene, platform: str, engine: Engine, listening: Listen = always_act, **settings: Any
) -> Iterator[Beside]:
    """A platform on the roster with its adapter beside it, while the block runs."""
    scene.put_platforms(scene.platform(platform))
    beside = Beside(scene, platform, engine, AdapterSettings(**{"heartbeat_s": 0.2, **settings}), listening)
    try:
        yield beside
    finally:
        beside.end()
