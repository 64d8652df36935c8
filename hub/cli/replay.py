"""`replay` and `demo` run a world through a real hub."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

DataDir = Annotated[Path | None, typer.Option(help="Where to keep everything; else a folder that goes at the end.")]


def _folder(given: Path | None) -> AbstractContextManager[Path]:
    from hub.local.machine import scratch_folder

    return scratch_folder() if given is None else nullcontext(given)


def _quietly() -> None:
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)


def replay(
    world_dir: Annotated[Path, typer.Argument(help="A world: world.yaml, operators.yaml, platforms.yaml, …")],
    report: Annotated[Path, typer.Option(help="Where to write the report, JSON.")],
    data_dir: DataDir = None,
    workers: Annotated[int, typer.Option(min=1, max=12, help="Workers of the stream processor.")] = 1,
) -> None:
    """Run a world through a real hub on the world's own clock, report at its end, and recount."""
    _quietly()
    with _folder(data_dir) as folder:
        found, differences = asyncio.run(_replay(world_dir, folder, workers))
    report.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{report}: {sum(found['cases'].values())} cases, {len(found['platforms'])} platforms")
    for difference in differences:
        typer.echo(f"recount differs: {difference}", err=True)
    if differences:
        raise typer.Exit(1)


async def _replay(world_dir: Path, data_dir: Path, workers: int) -> tuple[dict[str, Any], list[str]]:
    from hub.local.replay import Replay

    run = Replay(world_dir, data_dir, workers=workers, recount=True)
    found = await run.run()
    return found, [str(one) for one in run.differences]


def adapters(
    world_dir: Path,
    data_dir: Annotated[Path, typer.Option()],
    bootstrap_servers: Annotated[str, typer.Option()],
    hub_id: Annotated[str, typer.Option()],
    partitions: Annotated[int, typer.Option()],
    platforms: Annotated[str, typer.Option(help="Ids, with commas between.")],
) -> None:
    """Run the adapters of some of a world's platforms; `replay` uses this."""
    from hub.local.adapters import run_adapters
    from hub.settings import HubAddress

    logging.basicConfig(level=logging.INFO)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    address = HubAddress(bootstrap_servers, hub_id, partitions)
    asyncio.run(run_adapters(world_dir, data_dir, address, platforms.split(",")))


def demo(
    duration: Annotated[float | None, typer.Option(help="End by itself after about so many seconds.")] = None,
    speed: Annotated[float | None, typer.Option(min=0.1, help="How many times faster all begins.")] = None,
    data_dir: DataDir = None,
    web: Annotated[bool, typer.Option(help="Also the archive and the dashboard.")] = True,
    web_port: Annotated[int, typer.Option(min=0, help="Of the dashboard; 0 takes a free one.")] = 0,
) -> None:
    """Run a made-up world through a whole hub, slow enough to watch in the terminal and on the dashboard."""
    from hub.local.demo import Demo, summary

    _quietly()
    with _folder(data_dir) as folder:
        made = Demo(folder, duration, speed=speed, web=web, web_port=web_port)
        found = asyncio.run(made.run())
    typer.echo("\n" + summary(found))
