"""This module runs the web as a process, with its parts, its signals, its metrics and its ready file."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from prometheus_client import start_http_server

from hub.clearance.answering import open_answerer
from hub.delivery.program import listen, server_of
from hub.kafka.clients import new_producer, started
from hub.kafka.newest import read_hub_log
from hub.kafka.running import collect_seldom
from hub.settings import WorkerSettings
from hub.web.access.auth import AuthSettings, Doorman, read_auth
from hub.web.access.limits import Limits, Strangers
from hub.web.access.tokens import KEY_FILE, LocalIssuer
from hub.web.app import web_app
from hub.web.board.cohorts import PairCohorts
from hub.web.board.following import LiveBoard
from hub.web.history import Archive
from hub.web.metrics import WebMetrics
from hub.web.parts import Parts
from hub.web.settings import WebSettings
from hub.whole_files import write_json

log = logging.getLogger(__name__)
INSTANCE = "web"


@asynccontextmanager
async def open_parts(settings: WebSettings) -> AsyncIterator[Parts]:
    """Start the parts, which follow their logs, and stop them at the end."""
    reading = WorkerSettings(settings.bootstrap_servers, settings.data_dir, INSTANCE, security=settings.security)
    hub_log = await read_hub_log(reading)
    metrics = WebMetrics()
    issuer = LocalIssuer.open(settings.data_dir / KEY_FILE, hub_log.hub_id)
    auth = AuthSettings() if settings.auth_file is None else read_auth(settings.auth_file)
    archive = Archive(settings.dsn, settings.key_file)
    async with (
        open_answerer(reading, hub_log, settings.policy, metrics.registry, settings.clearance_wait_s) as answerer,
        started(new_producer(reading)) as producer,
    ):
        pairs = answerer.pairs
        live = LiveBoard(reading, hub_log, PairCohorts(pairs), {"standings": pairs.followers})
        await live.start()
        following = asyncio.create_task(live.run(), name="board")
        doorman = Doorman(auth, issuer)
        limits, strangers = Limits(settings.limits), Strangers(settings.limits)
        parts = Parts(settings, hub_log, live, answerer, archive, doorman, limits, strangers, producer, metrics)
        following.add_done_callback(lambda _: parts.stopping.set())
        try:
            yield parts
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            await live.stop()
            await doorman.close()
            archive.close()


async def run_web(settings: WebSettings) -> None:
    """Serve until SIGINT or SIGTERM, or until a follower fails."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if settings.ready_file is not None:
        settings.ready_file.unlink(missing_ok=True)
    async with open_parts(settings) as parts:
        collect_seldom()
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, parts.stopping.set)
        inner, thread = start_http_server(settings.metrics_port, "127.0.0.1", parts.metrics.registry)
        try:
            await _serve(parts, settings, inner.server_port)
        finally:
            await asyncio.to_thread(inner.shutdown)
            thread.join()
            inner.server_close()
            if settings.ready_file is not None:
                settings.ready_file.unlink(missing_ok=True)


async def _serve(parts: Parts, settings: WebSettings, metrics_port: int) -> None:
    with listen(settings.host, settings.port) as public:
        server = server_of(web_app(parts))
        serving = asyncio.create_task(server.serve(sockets=[public]))
        stopping = asyncio.create_task(parts.stopping.wait())
        _say_ready(parts, public.getsockname()[1], metrics_port)
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        parts.stopping.set()
        server.should_exit = True
        await serving
        stopping.cancel()


def _say_ready(parts: Parts, port: int, metrics_port: int) -> None:
    log.info("the web serves at port %d; metrics at port %d", port, metrics_port)
    if parts.settings.ready_file is not None:
        said = {"port": port, "metrics_port": metrics_port, "pid": os.getpid(), "hub_id": parts.hub_log.hub_id}
        write_json(parts.settings.ready_file, said)
