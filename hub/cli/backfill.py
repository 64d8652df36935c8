"""`unbind-hub operator backfill` asks for a clean-up of numbers that have a new owner already.

For example, with `--bound-before 2025-01-01T00:00:00Z` platforms unbind only what was bound before 2025.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hub.cli import operator
from hub.cli.look import AsJson, Servers
from hub.clock import system_clock
from hub.errors import OperatorError
from hub.sdk.operators import backfill as cleaning
from hub.sdk.operators.publisher import OperatorPublisher, PublisherSettings
from hub.settings import PARTITIONS_DEFAULT, HubAddress
from hub.staff.roster import find_hub
from hub.wire.signing import Signer


@operator.app.command("backfill")
def backfill(
    bootstrap_servers: Servers,
    operator_id: Annotated[str, typer.Option("--operator", help="Your id on the roster.")],
    key_file: Annotated[Path, typer.Option(help="Your private key, PEM.")],
    key_id: Annotated[str, typer.Option(help="Its name on the roster.")],
    number: Annotated[str | None, typer.Argument(help="E.164, such as +8613…; or --file.")] = None,
    bound_before: Annotated[str | None, typer.Option(help="ISO 8601: when the holder's contract began.")] = None,
    file: Annotated[Path | None, typer.Option(help="CSV with the columns number, bound_before.")] = None,
    outbox: Annotated[Path | None, typer.Option(help="Kept until receipted; else OPERATOR.backfill.outbox.")] = None,
    ported_outside: Annotated[
        list[str] | None, typer.Option(help="Your prefixes: numbers outside them were ported to you; repeat.")
    ] = None,
    hub_id: Annotated[str | None, typer.Option(help="Of the hub; else it is asked.")] = None,
    partitions: Annotated[int, typer.Option(min=1, help="Of the hub, beside --hub-id.")] = PARTITIONS_DEFAULT,
    timeout_s: Annotated[float, typer.Option(min=1, help="How long to wait for receipts.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Ask platforms to unbind what is older than the holder's contract, for one number or a file of numbers.

    The same command again asks nothing twice. It ends with 1 if a line did not become a case.
    """
    asked = _asked(number, bound_before, file)

    async def run() -> list[cleaning.Told]:
        if hub_id is not None:
            address = HubAddress(bootstrap_servers, hub_id, partitions)
        else:
            address, _ = await find_hub(bootstrap_servers)
        signer = Signer.load(key_file, key_id, address.hub_id)
        settings = PublisherSettings(outbox=outbox or Path(f"{operator_id}.backfill.outbox"))
        async with OperatorPublisher(operator_id, signer, address, settings) as publisher:
            now_ms = system_clock()
            return await cleaning.backfill(publisher, asked, now_ms, ranges=ported_outside, timeout_s=timeout_s)

    told = asyncio.run(run())
    _print(told, as_json=as_json)
    if not all(one.done for one in told):
        raise typer.Exit(1)


def _asked(number: str | None, bound_before: str | None, file: Path | None) -> list[cleaning.Wanted]:
    if file is not None and number is None and bound_before is None:
        return cleaning.read_file(file)
    if number is not None and bound_before is not None and file is None:
        return [cleaning.one(number, bound_before)]
    raise OperatorError(
        "it is not said what to clean up", todo="Give a number and --bound-before, or --file with both columns."
    )


def _print(told: Sequence[cleaning.Told], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in told], ensure_ascii=False, indent=1))
        return
    table = Table("line", "number", "what came of it", "what to do")
    for one in told:
        table.add_row(str(one.line), one.number, one.said, one.todo or "")
    Console().print(table)
    typer.echo(f"{sum(one.done for one in told)} of {len(told)} are cases that platforms are told of.")
