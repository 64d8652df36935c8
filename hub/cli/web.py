"""`unbind-hub web` serves the API, clearance and the dashboard."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.callback()
def _web() -> None:
    """Serve the API, clearance and the dashboard."""


@app.command()
def run(
    bootstrap_servers: Annotated[str, typer.Option(envvar="UNBIND_HUB_SERVERS", help="Kafka's addresses, host:port,…")],
    data_dir: Annotated[Path, typer.Option(help="What it folded, and its keys.")] = Path(".data/web"),
    dsn: Annotated[
        str | None, typer.Option(envvar="UNBIND_HUB_ARCHIVE", help="Of the archive; else there is no history.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="The archive's keys of numbers at rest.")] = None,
    policy: Annotated[Path | None, typer.Option(help="clearance.yaml: by what clearances are decided.")] = None,
    clearance_wait_s: Annotated[
        float,
        typer.Option(min=0.1, help="How long a clearance waits for its logs to be read; else BEHIND."),
    ] = 5.0,
    auth: Annotated[Path | None, typer.Option(help="auth.yaml: whose tokens are believed.")] = None,
    limits: Annotated[Path | None, typer.Option(help="limits.yaml: how much each may ask.")] = None,
    reach_s: Annotated[
        float, typer.Option(min=0, help="How long a question about a case waits for what is in the logs.")
    ] = 2.0,
    host: Annotated[str, typer.Option(help="Where people call; put a TLS proxy before it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, help="0 takes a free port.")] = 8_400,
    metrics_port: Annotated[int, typer.Option(min=0, help="/metrics on 127.0.0.1; 0 takes a free port.")] = 0,
    ready_file: Annotated[Path | None, typer.Option(help="Written as JSON once it serves.")] = None,
) -> None:
    """Serve until told to stop."""
    from hub.core.model import ClearancePolicy
    from hub.web.access.limits import LimitSettings, read_limits
    from hub.web.policy import read_policy
    from hub.web.program import run_web
    from hub.web.settings import WebSettings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("aiokafka", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    settings = WebSettings(
        bootstrap_servers,
        data_dir,
        host=host,
        port=port,
        metrics_port=metrics_port,
        ready_file=ready_file,
        dsn=dsn,
        key_file=key_file,
        policy=ClearancePolicy() if policy is None else read_policy(policy),
        auth_file=auth,
        limits=LimitSettings() if limits is None else read_limits(limits),
        reach_s=reach_s,
        clearance_wait_s=clearance_wait_s,
    )
    asyncio.run(run_web(settings))
