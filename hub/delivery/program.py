"""This module runs delivery as a process, with its two web servers, its signals and its ready file."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from hub.delivery.keys import public_form
from hub.delivery.service import Delivery, make_delivery
from hub.delivery.settings import DeliverySettings
from hub.delivery.staff import staff_app
from hub.delivery.web import platform_app
from hub.errors import HubError
from hub.whole_files import write_json

log = logging.getLogger(__name__)

STOP_S = 5
REQUESTS_AT_ONCE_MAX = 200


class Server(uvicorn.Server):
    """This is a server that leaves signals to the program."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a socket to serve on.

    Raises:
        HubError: the port is taken, or this process may not take it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1_024)
    except OSError as wrong:
        raise HubError(f"cannot serve on {host} port {port}", todo="Choose another --port or --host.") from wrong


def server_of(app: Any) -> Server:
    """Return a server of an app, with bounds on its times and its load."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        limit_concurrency=REQUESTS_AT_ONCE_MAX,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
    )
    return Server(config)


async def run_delivery(settings: DeliverySettings) -> None:
    """Deliver and serve until SIGINT or SIGTERM."""
    if settings.ready_file is not None:
        settings.ready_file.unlink(missing_ok=True)
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    delivery = await make_delivery(settings)
    try:
        await delivery.start()
        with listen(settings.host, settings.port) as public, listen("127.0.0.1", settings.metrics_port) as inner:
            await _serve(delivery, public, inner, stop)
    finally:
        await delivery.stop()


async def _serve(delivery: Delivery, public: socket.socket, inner: socket.socket, stop: asyncio.Event) -> None:
    ready = asyncio.Event()
    servers = [(server_of(platform_app(delivery)), public), (server_of(staff_app(delivery)), inner)]
    work = asyncio.create_task(delivery.run(ready))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
    serving = [asyncio.create_task(server.serve(sockets=[one])) for server, one in servers]
    stopping = asyncio.create_task(stop.wait())
    try:
        if not work.done():
            _say_ready(delivery, public.getsockname()[1], inner.getsockname()[1])
        await asyncio.wait([work, stopping, *serving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for server, _ in servers:
            server.should_exit = True
        work.cancel()
        stopping.cancel()
        waiting.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
    try:
        await work
    except asyncio.CancelledError:
        return


def _say_ready(delivery: Delivery, port: int, metrics_port: int) -> None:
    where = {
        "port": port,
        "metrics_port": metrics_port,
        "pid": os.getpid(),
        "public_key": public_form(delivery.signer.public),
        "public_hex": delivery.signer.public.hex(),
    }
    log.info("delivery serves at port %d, metrics at %d, key %s", port, metrics_port, where["public_key"])
    if delivery.settings.ready_file is not None:
        write_json(delivery.settings.ready_file, where)
