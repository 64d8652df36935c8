"""`unbind-hub up` runs a whole hub on this machine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.whole_files import write_json

if TYPE_CHECKING:
    from hub.local.up import LocalHub


def up(
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept; a later start goes on there.")] = Path(
        ".data/hub"
    ),
    bootstrap_servers: Annotated[str | None, typer.Option(help="A cluster that is there; else our own Kafka.")] = None,
    hub_id: Annotated[str, typer.Option(help="Name of a new hub; signatures are made for it.")] = "local-hub",
    workers: Annotated[int, typer.Option(min=1, max=12, help="Workers of the stream processor.")] = 1,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each new topic; 3 on a cluster.")] = 1,
    delivery_port: Annotated[
        int | None, typer.Option(min=0, help="Also run `unbind-hub delivery` at this port; 0 takes a free one.")
    ] = None,
    archive: Annotated[
        bool, typer.Option(help="Keep history, in our own PostgreSQL or, with --dsn, in one that is there.")
    ] = True,
    dsn: Annotated[
        str | None, typer.Option(envvar="UNBIND_HUB_ARCHIVE", help="A PostgreSQL that is there.", show_default=False)
    ] = None,
    web: Annotated[bool, typer.Option(help="Serve the API and the dashboard.")] = True,
    web_port: Annotated[int, typer.Option(min=0, help="Of the dashboard; 0 takes a free one.")] = 0,
    authority: Annotated[
        bool, typer.Option(help="Default limits and quarantine; a hub without them gets them from now on.")
    ] = True,
    ready_file: Annotated[Path | None, typer.Option(help="Written as JSON once everything serves.")] = None,
) -> None:
    """Start a whole hub: Kafka, its topics and workers, the archive, the dashboard. Ctrl-C ends it cleanly."""
    from hub.local.beside import Beside
    from hub.local.up import LocalHub

    hub = partial(
        LocalHub,
        data_dir,
        bootstrap_servers=bootstrap_servers,
        hub_id=hub_id,
        workers=workers,
        replication=replication,
        authority=authority,
        beside=Beside(
            delivery=None if delivery_port is None else ("--port", str(delivery_port), "--metrics-port", "0"),
            archive=archive,
            dsn=dsn,
            web=("--port", str(web_port)) if web else None,
        ),
    )
    asyncio.run(_up(hub, ready_file))


async def _up(make: Callable[[], LocalHub], ready_file: Path | None) -> None:
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    async with make() as hub:
        where = hub.describe()
        for name, value in where.items():
            typer.echo(f"{name:18} {value}")
        if ready_file is not None:
            write_json(ready_file, where)
        typer.echo("Ctrl-C ends it.")
        await stop.wait()
