"""`unbind-hub platform`: what a platform runs. The roster's side of it is in `hub.cli.roster`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hub.errors import PlatformError

if TYPE_CHECKING:
    from hub.sdk.adapter import PlatformAdapter
    from hub.sdk.config import PlatformConfig

Config = Annotated[Path, typer.Option("--config", help="The platform's file, platform.yaml.")]

log = logging.getLogger(__name__)
platform = typer.Typer(no_args_is_help=True, help="For platforms, and their place on the roster.")


@platform.callback()
def _platform() -> None:
    """For platforms, and their place on the roster."""


def read_file(path: Path) -> PlatformConfig:
    """The config in a file.

    Raises:
        PlatformError: it is not there, or does not say what it should.
    """
    from hub.sdk.config import read_config

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise PlatformError(f"{path} cannot be read", todo="Make one with `unbind-hub platform init`.") from wrong
    return read_config(text, path.name, path.resolve().parent)


@platform.command()
def run(
    config: Config = Path("platform.yaml"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Match and count; change and say nothing.")] = False,
    ready_file: Annotated[Path | None, typer.Option(help="Written once it reads: pid, metrics_url.")] = None,
) -> None:
    """Follow the hub's releases, act on the accounts, acknowledge; until told to stop. Goes on where it ended."""
    from dataclasses import replace

    from hub.platform.assembly import adapter_of

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("aiokafka", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    found = read_file(config)
    if dry_run:
        found = replace(found, settings=replace(found.settings, dry_run=True))
    asyncio.run(_run(found, adapter_of(found), ready_file))


async def _run(config: PlatformConfig, adapter: PlatformAdapter, ready_file: Path | None) -> None:
    from hub.platform.metrics import serve
    from hub.platform.progress import show_progress, summary

    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        port = None
        if config.metrics_port is not None:
            port, end = serve(adapter, config.metrics_port)
            stack.callback(end)
        showing = asyncio.create_task(show_progress(adapter, Console(stderr=True)))
        stack.callback(showing.cancel)
        _say_ready(config, port, ready_file)
        await adapter.run(stop)
    log.info("ended as told: %s", summary(adapter))


def _say_ready(config: PlatformConfig, port: int | None, ready_file: Path | None) -> None:
    metrics_url = None if port is None else f"http://127.0.0.1:{port}/metrics"
    log.info(
        "adapter of %s%s, hub %s; metrics: %s",
        config.platform,
        " (dry run)" if config.settings.dry_run else "",
        config.hub_id,
        metrics_url or "off",
    )
    if ready_file is not None:
        scratch = ready_file.with_suffix(".new")
        scratch.write_text(json.dumps({"pid": os.getpid(), "metrics_url": metrics_url}), encoding="utf-8")
        scratch.rename(ready_file)
