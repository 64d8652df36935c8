"""This module runs the archive as a process, with its signals, its metrics and its ready file."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import start_http_server
from sqlalchemy import Engine

from hub.archive.database import migrate, open_engine
from hub.archive.follower import ArchiveFollower, worker_settings
from hub.archive.keys import Keyring, keys_or_new
from hub.archive.metrics import ArchiveMetrics
from hub.archive.settings import ArchiveSettings
from hub.archive.store import Store
from hub.core.model import HubLog
from hub.kafka.newest import read_hub_log
from hub.kafka.running import collect_seldom
from hub.whole_files import write_json

log = logging.getLogger(__name__)


async def run_archive(settings: ArchiveSettings) -> None:
    """Migrate the schema, then follow the logs until SIGINT or SIGTERM."""
    if settings.ready_file is not None:
        settings.ready_file.unlink(missing_ok=True)
    collect_seldom()
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    keys = keys_or_new(settings.key_file)
    hub_log = await read_hub_log(worker_settings(settings))
    metrics = ArchiveMetrics()
    engine = open_engine(settings.dsn, settings.schema)
    server, thread = start_http_server(settings.metrics_port, "127.0.0.1", metrics.registry)
    try:
        await asyncio.to_thread(migrate, engine, settings.schema)
        follower = ArchiveFollower(
            settings,
            hub_log,
            opener(engine, keys, settings.schema, hub_log),
            metrics,
            lambda: _say_ready(settings.ready_file, server.server_port),
        )
        await follower.run(stop)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        engine.dispose()
        if settings.ready_file is not None:
            settings.ready_file.unlink(missing_ok=True)


def opener(engine: Engine, keys: Keyring, schema: str, hub_log: HubLog) -> Callable[[], Store]:
    """Return a function that opens a store of these logs."""

    def open_store() -> Store:
        store = Store(engine, keys, schema)
        with _closing_on_error(store):
            store.open(hub_log)
        return store

    return open_store


@contextmanager
def _closing_on_error(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.close()
        raise


def _say_ready(ready_file: Path | None, metrics_port: int) -> None:
    log.info("the archive has reached the ends of the logs; metrics at port %d", metrics_port)
    if ready_file is not None:
        write_json(ready_file, {"metrics_port": metrics_port, "pid": os.getpid()})
