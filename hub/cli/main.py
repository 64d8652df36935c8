"""This module is the root of the command line: it names every command and the module that holds it."""

from __future__ import annotations

import errno
import sys

import typer

from hub.cli import (
    archive,
    backfill,
    daily,
    delivery,
    held,
    look,
    operator,
    operator_roster,
    platform,
    platform_roster,
    recount,
    replay,
    reporting,
    sidecar,
    token,
    trying,
    up,
    web,
    worker,
    world,
)
from hub.errors import UnbindError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(up.up)
app.command()(replay.demo)
app.command()(replay.replay)
app.add_typer(world.app, name="world", help="Make worlds.")
app.command()(look.case)
app.command()(look.coverage)
app.command()(look.gaps)
app.command()(look.reports)
app.command()(look.rejected)
app.command()(recount.recount)
operator.app.command()(reporting.report)
app.add_typer(operator.app, name="operator", help="For operators, and for the registrar of operators.")
platform.app.command("check-server")(sidecar.check_server)
app.add_typer(platform.app, name="platform", help="For platforms, and for the registrar of platforms.")
app.command()(worker.worker)
app.add_typer(daily.app, name="daily", help="A small platform's day by files.")
app.add_typer(delivery.app, name="delivery", help="Webhooks and daily files for platforms without Kafka.")
app.add_typer(archive.app, name="archive", help="History in PostgreSQL.")
app.command()(token.token)
app.add_typer(web.app, name="web", help="The API, clearance and the dashboard.")
app.command(hidden=True)(replay.adapters)

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The errors of the system for a disk without room, and for a user's quota without room."""


@app.callback()
def main() -> None:
    """Publish number releases, collect signed acknowledgements, and show coverage gaps."""


COMMANDS_ELSEWHERE = (platform_roster, operator_roster, held, backfill, trying)
"""Modules that add their commands to `operator` and `platform` when they are imported."""


def run() -> None:
    """Run the command line; a known error gives a sentence and exit code 1, not a traceback."""
    try:
        app()
    except ModuleNotFoundError as missing:
        typer.echo(f"{missing.name} is not installed\n  What to do: pip install 'unbind-hub[local]'", err=True)
        sys.exit(1)
    except UnbindError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f", writing {error.filename}" if error.filename else ""
        typer.echo(f"this machine's disk is full{where}\n  What to do: make room and start again", err=True)
        sys.exit(1)
