"""`unbind-hub recount`: whether coverage is what the logs say."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer


def recount(
    bootstrap_servers: Annotated[str, typer.Option(help="The cluster, such as 127.0.0.1:9092.")],
    as_json: Annotated[bool, typer.Option("--json", help="Differences as JSON.")] = False,
) -> None:
    """Read the logs from the start, work coverage out with other code, print every difference; exit 1 on any."""
    from hub.recount import recount as read_and_compare

    found = asyncio.run(read_and_compare(bootstrap_servers))
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found], ensure_ascii=False))
    else:
        for one in found:
            typer.echo(f"{one.platform}: {one.field} is {one.hub} in coverage, {one.recount} in the logs")
        typer.echo(f"{len(found)} differences" if found else "Coverage is what the logs say.")
    if found:
        raise typer.Exit(1)
