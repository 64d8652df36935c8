"""`unbind-hub delivery` sends webhooks and daily files to platforms that do not read Kafka."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hub.errors import HubError

app = typer.Typer(no_args_is_help=True, help=__doc__)
SHOWN = ("platform", "channel", "state", "since", "behind", "failures", "next_try_at", "received_at", "why", "todo")
TIMES = {"since", "next_try_at", "received_at"}


@app.callback()
def _delivery() -> None:
    """Send webhooks and daily files to platforms that do not read Kafka."""


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in TIMES:
        return datetime.fromtimestamp(value / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return str(value)


@app.command()
def run(
    bootstrap_servers: Annotated[str, typer.Option(envvar="UNBIND_HUB_SERVERS", help="Kafka's addresses, host:port,…")],
    data_dir: Annotated[Path, typer.Option(help="Its journal, key and files.")] = Path(".data/delivery"),
    key_file: Annotated[
        Path | None, typer.Option(help="The hub's Ed25519 key, PEM; else made in the data dir.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where platforms call; put a TLS proxy before it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free port.")] = 8_480,
    metrics_port: Annotated[int, typer.Option(help="/metrics and /status on 127.0.0.1; 0 takes a free port.")] = 8_481,
    ready_file: Annotated[Path | None, typer.Option(help="Written as JSON once it serves.")] = None,
    spread_s: Annotated[float, typer.Option(min=0, help="First tries after a start are spread over so long.")] = 5.0,
    batch_notices_max: Annotated[int, typer.Option(min=1, max=1_000, help="Notices in one webhook.")] = 100,
    backoff_s: Annotated[float, typer.Option(min=0.01, help="Pause after a first failure; then doubled.")] = 1.0,
    backoff_max_s: Annotated[float, typer.Option(min=0.01, help="The longest pause before it is degraded.")] = 60.0,
    degraded_after_s: Annotated[float, typer.Option(min=1, help="Degraded after failing so long.")] = 600.0,
    suspended_after_s: Annotated[float, typer.Option(min=1, help="Suspended after failing so long.")] = 21_600.0,
    probe_s: Annotated[float, typer.Option(min=1, help="Between probes of a suspended receiver.")] = 3_600.0,
    private_addresses: Annotated[
        bool, typer.Option("--private-addresses", help="Allow webhooks into private networks, and http to 127.0.0.1.")
    ] = False,
) -> None:
    """Deliver until told to stop."""
    from hub.delivery.program import run_delivery
    from hub.delivery.settings import DeliverySettings, Patience

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = DeliverySettings(
        bootstrap_servers=bootstrap_servers,
        data_dir=data_dir,
        key_file=key_file,
        host=host,
        port=port,
        metrics_port=metrics_port,
        ready_file=ready_file,
        spread_s=spread_s,
        private_addresses=private_addresses,
        batch_notices_max=batch_notices_max,
        webhook_patience=Patience(
            backoff_s=backoff_s,
            backoff_max_s=backoff_max_s,
            degraded_after_s=degraded_after_s,
            suspended_after_s=suspended_after_s,
            probe_s=probe_s,
        ),
    )
    asyncio.run(run_delivery(settings))


@app.command()
def key(
    data_dir: Annotated[Path, typer.Option(help="Of the delivery program.")] = Path(".data/delivery"),
    key_file: Annotated[Path | None, typer.Option(help="Its key, PEM, if it lies elsewhere.")] = None,
) -> None:
    """Print delivery's public key; make the key pair if there is none."""
    from hub.delivery.keys import hub_key, public_form
    from hub.delivery.settings import DeliverySettings

    data_dir.mkdir(parents=True, exist_ok=True)
    typer.echo(public_form(hub_key(DeliverySettings("", data_dir, key_file), "").public))


@app.command()
def status(
    url: Annotated[str, typer.Option(help="Of the delivery program's metrics port.")] = "http://127.0.0.1:8481",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the state of every receiver."""
    import httpx

    try:
        rows = httpx.get(f"{url}/status", trust_env=False).raise_for_status().json()
    except httpx.HTTPError as wrong:
        raise HubError(f"no delivery at {url}", todo="Check --url; `unbind-hub delivery run` starts it.") from wrong
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    table = Table(*SHOWN, title="Receivers")
    for row in rows:
        table.add_row(*(_cell(name, row[name]) for name in SHOWN))
    Console().print(table)
