"""This module is the root of the command line: it names every command and the module that holds it."""

from __future__ import annotations

import typer

from hub.cli import (
    backfill,
    daily,
    held,
    look,
    operator,
    operator_limits,
    operator_roster,
    platform,
    platform_roster,
    programs,
    recount,
    replay,
    reporting,
    sidecar,
    token,
    trying,
    up,
    world,
)

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
app.add_typer(programs.app)  # without a name: its commands are ours
app.add_typer(daily.app, name="daily", help="A small platform's day by files.")
app.command()(token.token)
app.command(hidden=True)(replay.adapters)


@app.callback()
def main() -> None:
    """Publish number releases, collect signed acknowledgements, and show coverage gaps."""


COMMANDS_ELSEWHERE = (platform_roster, operator_roster, operator_limits, held, backfill, trying)
"""Modules that add their commands to `operator` and `platform` when they are imported."""
