"""`unbind-hub archive` keeps history in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from hub.archive.settings import SCHEMA

if TYPE_CHECKING:
    from hub.archive.check import Difference

app = typer.Typer(no_args_is_help=True, help=__doc__)
Servers = Annotated[str, typer.Option(envvar="UNBIND_HUB_SERVERS", help="Kafka's addresses, host:port,…")]
Dsn = Annotated[str, typer.Option(envvar="UNBIND_HUB_ARCHIVE", help="postgresql://user@host/database")]
KeyFile = Annotated[Path, typer.Option(help="The keys of numbers at rest; keep it away from the database.")]
Schema = Annotated[str, typer.Option(help="Of the tables in the database.")]
KEY_FILE = Path(".data/archive.keys")
DIFFERS = 1


@app.callback()
def _archive() -> None:
    """Keep history in PostgreSQL."""


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("aiokafka", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@app.command()
def run(
    bootstrap_servers: Servers,
    dsn: Dsn,
    key_file: KeyFile = KEY_FILE,
    schema: Schema = SCHEMA,
    metrics_port: Annotated[int, typer.Option(help="/metrics on 127.0.0.1; 0 takes a free port.")] = 0,
    ready_file: Annotated[Path | None, typer.Option(help="Written as JSON once it has caught up.")] = None,
    batch_messages_max: Annotated[int, typer.Option(min=1, max=50_000, help="Messages of one transaction.")] = 2_000,
) -> None:
    """Follow the logs until told to stop; make the tables and a first key if they do not exist."""
    from hub.archive.program import run_archive
    from hub.archive.settings import ArchiveSettings

    _log()
    settings = ArchiveSettings(
        bootstrap_servers,
        dsn,
        key_file,
        schema=schema,
        metrics_port=metrics_port,
        ready_file=ready_file,
        batch_messages_max=batch_messages_max,
    )
    asyncio.run(run_archive(settings))


@app.command()
def migrate(dsn: Dsn, schema: Schema = SCHEMA) -> None:
    """Make the tables, or bring them to this version; `run` does that as well."""
    from hub.archive import database

    engine = database.open_engine(dsn, schema)
    typer.echo(f"{schema} is at revision {database.migrate(engine, schema)}")
    engine.dispose()


@app.command()
def rebuild(bootstrap_servers: Servers, dsn: Dsn, key_file: KeyFile = KEY_FILE, schema: Schema = SCHEMA) -> None:
    """Rebuild the archive from the logs beside the old one, then replace the old one."""
    from hub.archive.rebuild import rebuild as make_anew
    from hub.archive.settings import ArchiveSettings

    _log()
    taken = asyncio.run(make_anew(ArchiveSettings(bootstrap_servers, dsn, key_file, schema=schema)))
    typer.echo(f"made anew; {taken} messages that the logs hold no more were taken over from the old one")


@app.command()
def check(
    bootstrap_servers: Servers,
    dsn: Dsn,
    key_file: KeyFile = KEY_FILE,
    schema: Schema = SCHEMA,
    most: Annotated[int, typer.Option(min=1, help="Differences to print.")] = 100,
) -> None:
    """Compare the archive with the logs row by row; print the differences, and end with 1 if there are any."""
    from hub.archive import database
    from hub.archive.check import check as differences
    from hub.archive.keys import read_keys
    from hub.settings import WorkerSettings

    engine = database.open_engine(dsn, schema)

    async def count() -> int:
        found = 0
        settings = WorkerSettings(bootstrap_servers, key_file.parent, "archive")
        async for one in differences(settings, engine, read_keys(key_file)):
            found += 1
            if found <= most:
                _print(one)
        return found

    found = asyncio.run(count())
    engine.dispose()
    typer.echo(f"{found} differences" if found else "equal, row by row")
    if found:
        raise typer.Exit(DIFFERS)


def _print(one: Difference) -> None:
    typer.echo(f"{one.what} {one.table} {one.place}")


@app.command()
def show(
    topic: Annotated[str, typer.Argument(help="Such as events, acks, receipts.north.")],
    position: Annotated[str, typer.Argument(help="partition-offset, such as 7-120033.")],
    dsn: Dsn,
    key_file: KeyFile = KEY_FILE,
    schema: Schema = SCHEMA,
) -> None:
    """Print a message as it came, as JSON: key, value and headers in base64, the signed bytes, and the SHA-256."""
    from hub.archive import database
    from hub.archive.keys import read_keys
    from hub.archive.originals import original, position_of

    where, keys = position_of(position), read_keys(key_file)
    engine = database.open_engine(dsn, schema)
    try:
        typer.echo(json.dumps(original(engine, keys, topic, where), indent=1))
    finally:
        engine.dispose()


@app.command()
def status(
    dsn: Dsn,
    key_file: KeyFile = KEY_FILE,
    schema: Schema = SCHEMA,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how far the archive is in each log."""
    from hub.archive.keys import read_keys
    from hub.archive.queries import History

    history = History(dsn, read_keys(key_file), schema=schema)
    places = history.places()
    history.close()
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in places], indent=1))
        return
    table = Table("topic", "partition", "next", "end", "behind", "seconds behind", title="Archive")
    for one in places:
        age = "" if one.behind_ms is None else f"{one.behind_ms / 1_000:.0f}"
        table.add_row(one.topic, str(one.part), str(one.next_offset), str(one.log_end), str(one.behind), age)
    Console().print(table)


@app.command()
def key(key_file: KeyFile = KEY_FILE) -> None:
    """Add a new key to the file, and make the file if there is none. From the next `run` it writes; older keys read."""
    from hub.archive.keys import add_key

    typer.echo(f"key {add_key(key_file).id.hex()} in {key_file}; keep a copy, away from the database")
