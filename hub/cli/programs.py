"""The programs of a hub that run for ever, and no other command: what they load they keep for as long as they run."""

from __future__ import annotations

import typer

from hub.cli import archive, delivery, web, worker

NAMES = ("worker", "delivery", "archive", "web")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(worker.worker)
app.add_typer(delivery.app, name="delivery", help="Webhooks and daily files for platforms without Kafka.")
app.add_typer(archive.app, name="archive", help="History in PostgreSQL.")
app.add_typer(web.app, name="web", help="The API, clearance and the dashboard.")
