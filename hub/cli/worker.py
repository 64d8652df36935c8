"""`unbind-hub worker` runs one worker of the stream processor."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer


def worker(
    bootstrap_servers: Annotated[str, typer.Option(help="Kafka's addresses, host:port,…")],
    data_dir: Annotated[Path, typer.Option(help="Where this worker keeps its state; its own alone.")],
    instance_id: Annotated[str, typer.Option(help="Its name; keep it over restarts.")] = "worker-1",
    metrics_port: Annotated[int, typer.Option(help="/metrics on 127.0.0.1; 0 takes a free port.")] = 0,
    session_timeout_s: Annotated[float, typer.Option(help="After this long in silence another takes over.")] = 10.0,
    ready_file: Annotated[Path | None, typer.Option(help="Written once it serves: metrics_port, pid.")] = None,
) -> None:
    """Run one worker of the stream processor until it is told to stop."""
    from hub.settings import WorkerSettings
    from hub.stream.app import run_worker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    settings = WorkerSettings(
        bootstrap_servers=bootstrap_servers,
        data_dir=data_dir,
        instance_id=instance_id,
        metrics_port=metrics_port,
        session_timeout_s=session_timeout_s,
        ready_file=ready_file,
    )
    asyncio.run(run_worker(settings))
