"""`unbind-hub world` makes worlds to replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Worlds to replay.")


@app.callback()
def main() -> None:
    """Make worlds to replay, with operators' files, platforms and accounts."""


@app.command()
def new(
    directory: Annotated[Path, typer.Argument(help="A folder that is not there yet, or empty.")],
    seed: Annotated[int, typer.Option(help="The same seed makes the same world, byte for byte.")] = 1,
    cases: Annotated[int, typer.Option(min=1, help="Cases; from 300 on there is every trouble.")] = 300,
    platforms: Annotated[int | None, typer.Option(min=1, help="Platforms on the roster; 20 unless said.")] = None,
    days: Annotated[int, typer.Option(min=200, help="Length of the world.")] = 243,
) -> None:
    """Make a world."""
    from hub.local.worlds import make_world

    made = make_world(directory, seed=seed, cases=cases, platforms=platforms, days=days)
    typer.echo(
        f"{made.directory}: {made.cases} cases of {made.numbers} numbers in {made.rows} rows, "
        f"{made.accounts} accounts at {made.platforms} platforms, seed {made.seed}"
    )
