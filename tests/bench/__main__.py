"""`python -m tests.bench`: measure, print a table, write `bench-results.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.bench import (
    acks,
    archive,
    backlog,
    clearance,
    dashboard,
    delivery,
    intake,
    latency,
    login_check,
    rest,
    state,
    table,
)
from tests.bench.machine import LOAD_CORE, facts, on_core

log = logging.getLogger("tests.bench")

Part = Callable[..., Awaitable[dict[str, Any]]]
PARTS: dict[str, Part] = {
    "acks": acks.run,
    "intake": intake.run,
    "latency": latency.run,
    "state": state.run,
    "login": login_check.run,
    "backlog": backlog.run,
    "delivery": delivery.run,
    "clearance": clearance.run,
    "archive": archive.run,
    "dashboard": dashboard.run,
    "rest": rest.run,
}


def main() -> None:
    """Run what is asked for."""
    arguments = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="small: does it run at all")
    arguments.add_argument("--only", default=",".join(PARTS), help="parts, by commas: " + ", ".join(PARTS))
    arguments.add_argument("--out", type=Path, default=Path("bench-results.json"))
    arguments.add_argument("--keep", type=Path, help="a folder for the hubs' data, left there; it must not exist")
    given = arguments.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("tests").setLevel(logging.INFO)
    results = asyncio.run(measure(given.only.split(","), quick=given.quick, keep=given.keep))
    given.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    table.show(results)


async def measure(names: list[str], *, quick: bool, keep: Path | None) -> dict[str, Any]:
    """Run parts one after another, each with a hub of its own."""
    results: dict[str, Any] = {"machine": facts(), "quick": quick}
    folder = keep or Path(tempfile.mkdtemp(prefix="unbind-bench-"))
    try:
        with on_core(LOAD_CORE):
            for name in names:
                log.info("%s", name)
                results[name] = await PARTS[name](folder / name, quick=quick)
                if keep is None:
                    shutil.rmtree(folder / name, ignore_errors=True)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return results


main()
