"""The root of the command line: every command and where it lives."""

from __future__ import annotations

import typer

from hub.cli import worker

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.command()(worker.worker)


@app.callback()
def main() -> None:
    """Number releases in, signed acknowledgements back, coverage gaps in the open."""
