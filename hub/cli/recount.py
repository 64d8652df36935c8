"""`unbind-hub recount` checks that coverage, or one clearance, is what the logs say.

For example, "bank: resolved is 90 in coverage, 91 in the logs" is one difference.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from hub.errors import HubError


def recount(
    bootstrap_servers: Annotated[str, typer.Option(help="The cluster, such as 127.0.0.1:9092.")],
    clearance: Annotated[str | None, typer.Option(help="Decide again on the clearance of this lookup_id.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Differences as JSON.")] = False,
) -> None:
    """Read the logs from the start, compute coverage with other code, print every difference; end with 1 if any."""
    from hub.recount import recount as read_and_compare

    if clearance is not None:
        _recount_clearance(bootstrap_servers, clearance, as_json=as_json)
        return
    found = asyncio.run(read_and_compare(bootstrap_servers))
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found], ensure_ascii=False))
    else:
        for one in found:
            typer.echo(f"{one.platform}: {one.field} is {one.hub} in coverage, {one.recount} in the logs")
        typer.echo(f"{len(found)} differences" if found else "Coverage is what the logs say.")
    if found:
        raise typer.Exit(1)


def _recount_clearance(servers: str, lookup_id: str, *, as_json: bool) -> None:
    from hub.recount import recount_clearance

    try:
        wanted = bytes.fromhex(lookup_id)
    except ValueError as wrong:
        raise HubError("that is no lookup_id", todo="Give 32 hexadecimal digits, as the answer said them.") from wrong
    found = asyncio.run(recount_clearance(servers, wanted))
    if as_json:
        plain = {**found._asdict(), "differences": [one._asdict() for one in found.differences]}
        typer.echo(json.dumps(plain, ensure_ascii=False))
    elif not found.claimed:
        typer.echo("Nothing was claimed: the hub was behind.")
    else:
        for one in found.differences:
            typer.echo(f"number {one.number}: {one.field} was {one.hub}, and is {one.recount} in the logs")
        counted = ", ".join(f"{count} {answer}" for answer, count in sorted(found.answers.items()))
        typer.echo(f"Compared. In the logs: {counted}. {len(found.differences)} differences")
    if found.differences:
        raise typer.Exit(1)
