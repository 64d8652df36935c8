"""`case`, `coverage`, `gaps`, `reports` and `rejected` show what the logs say, as text or `--json`.

They only read the logs. For example, `unbind-hub gaps --platform bank` counts bank's gaps by class.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

Servers = Annotated[
    str, typer.Option("--bootstrap-servers", envvar="UNBIND_HUB_SERVERS", help="Kafka's addresses, host:port,…")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _print(rows: list[dict[str, Any]], title: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    table = Table(title=title)
    for name in rows[0] if rows else ():
        table.add_column(name)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console().print(table if rows else f"{title}: none")


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "-"
    if isinstance(value, list):
        return "\n".join(f"{place}. {one}" for place, one in enumerate(value, 1)) or "-"
    return "-" if value is None else str(value)


def coverage(bootstrap_servers: Servers, as_json: AsJson = False) -> None:
    """Show every platform's coverage, with its denominator."""
    from hub.staff import look

    _print(asyncio.run(look.coverage(bootstrap_servers)), "Coverage", as_json=as_json)


def gaps(
    bootstrap_servers: Servers,
    platform: Annotated[str | None, typer.Option(help="This platform alone.")] = None,
    unconnected: Annotated[bool, typer.Option(help="Platforms that are not connected, ranked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show gaps by platform and class, or unconnected platforms by the stale bindings expected behind them."""
    from hub.staff import blind_spots, look

    if unconnected:
        found = asyncio.run(blind_spots.blind_spots(bootstrap_servers))
        _print([one for one in found if platform in (None, one["platform"])], "Blind spots", as_json=as_json)
        return
    rows = asyncio.run(look.gaps(bootstrap_servers, platform))
    _print(rows, "Gaps", as_json=as_json)


def reports(
    bootstrap_servers: Servers,
    platform: Annotated[str | None, typer.Option(help="About this platform alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what people reported, who was asked, and what they answered, if anything. It never shows the number."""
    from hub.staff import blind_spots

    _print(asyncio.run(blind_spots.reports(bootstrap_servers, platform)), "Reports", as_json=as_json)


def rejected(
    bootstrap_servers: Servers,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show refused messages: their positions, the reasons, and what to do. It never shows their content."""
    from hub.staff import look

    _print(asyncio.run(look.rejected(bootstrap_servers, last)), "Rejected", as_json=as_json)


def case(
    number: Annotated[str, typer.Argument(help="E.164, such as +8613…")],
    bootstrap_servers: Servers,
    as_json: AsJson = False,
) -> None:
    """Show a number's cases: stage, dates, days to reissue, and every platform's answer or gap, deadline and guide."""
    from hub.staff import look

    found = asyncio.run(look.cases(bootstrap_servers, number))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    if not found:
        typer.echo("No case: no operator has released this number through this hub.")
    for one in found:
        platforms = one.pop("platforms")
        _print([one], "Case", as_json=False)
        _print(platforms, "Platforms", as_json=False)
