"""What the page about connecting without Kafka shows is run: keys, the registrar's commands, receiver, answers."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.core.model import GapClass, Outcome, Report, ReportKind
from hub.local.children import Child
from hub.local.machine import free_port
from hub.sdk.reports import send_report
from hub.staff import blind_spots
from hub.wire import contracts
from tests.broker.delivering import delivering
from tests.broker.scene import DEADLINE_S, Scene, mobile_numbers, now_ms, wait_until
from tests.pages import block, filled, run

pytestmark = pytest.mark.broker
PAGE = "platform-webhook"


def kept(folder: Path, query: str) -> list[Any]:
    """What the receiver of the page has kept."""
    try:
        with sqlite3.connect(folder / "notices.sqlite") as database:
            return database.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


@contextmanager
def receiver(folder: Path, words: dict[str, str]) -> Iterator[None]:
    """The receiver of the page, running."""
    (folder / "hook.py").write_text(filled(block(PAGE, "python"), words), encoding="utf-8")
    child = Child([sys.executable, str(folder / "hook.py")], folder / "hook.log", dict(os.environ))
    try:
        yield
    finally:
        child.end(9, DEADLINE_S)


def report(scene: Scene, number: str) -> str:
    """A person's report, passed on by an operator; its id in hex."""
    told = Report(uuid.uuid4().bytes, "north", number, "panbox", ReportKind.DEBT_CALLS, now_ms())
    asyncio.run(send_report(told, scene.signer("north-1"), scene.hub.address))
    return told.report_id.hex()


def gaps(scene: Scene) -> dict[GapClass, int]:
    return {one.gap: one.pairs for one in scene.final_coverage(["panbox"])["panbox"].gaps}


def test_the_programs_of_the_page_run(scene: Scene, tmp_path: Path) -> None:
    """With the page's commands alone a platform is on the roster, told, asked about a report, and closes its gaps."""
    port, servers = free_port(), scene.hub.address.bootstrap_servers
    run(block(PAGE, "sh", "openssl"), tmp_path)
    with delivering(scene) as delivery, receiver(tmp_path, {"whpk_…": delivery.where["public_key"], "8000": str(port)}):
        words = {"https://panbox.example/hub": f"http://127.0.0.1:{port}/", "whpk_…": delivery.where["public_key"]}
        registrar = filled(block(PAGE, "sh", "platform add"), words)
        run(registrar, tmp_path, UNBIND_HUB_SERVERS=servers)
        cases = scene.open_cases(mobile_numbers(10))
        wait_until("the receiver has all", lambda: len(kept(tmp_path, "SELECT * FROM notices")) == 10)
        found = dict(kept(tmp_path, "SELECT number, case_id FROM notices"))
        assert found == {number: str(case) for number, case in cases.items()}
        wait_until("the hub has the receipts", lambda: delivery.received("panbox") == delivery.full())
        first, second, *_ = sorted(cases.values())
        number = next(number for number, case in cases.items() if case == first)
        report_id = report(scene, number)
        wait_until("the report is there", lambda: kept(tmp_path, "SELECT * FROM reports") != [])
        assert kept(tmp_path, "SELECT * FROM reports") == [(report_id, "DEBT_CALLS", number)]
        looked = "\n".join(f"received,{partition}-{last}" for partition, last in delivery.full().items())
        words = {"7-120033": str(first), "7-120040": str(second), "received,7-120100": looked}
        rows = filled(block(PAGE, "csv"), words)
        (tmp_path / "outcomes.csv").write_text(rows, encoding="utf-8")
        words = {"https://delivery.hub.example": delivery.url, "whpk_…": delivery.where["public_key"]}
        words |= {"local-hub": scene.hub.address.hub_id, "outcomes.csv ": "outcomes.csv --yes "}
        words |= {"3f0c5a9e7d2b4c1886a1e5f09b7d3c42": report_id}
        said = run(filled(block(PAGE, "sh", "daily send"), words), tmp_path)
        assert "panbox says: FROZEN: 1 positions; NOT_BOUND: 8 positions; UNBOUND: 1 positions" in said
        wait_until("the answer counts", lambda: gaps(scene) == {GapClass.FROZEN: 1})
        (row,) = asyncio.run(blind_spots.reports(servers, "panbox"))
        assert row["answer"].startswith("UNBOUND ")
    scene.settle(contracts.ACKS)
    coverage = scene.final_coverage(["panbox"])["panbox"]
    shown = {one.outcome: one.pairs for one in coverage.outcomes}
    assert shown == {Outcome.UNBOUND: 1, Outcome.FROZEN: 1, Outcome.NOT_BOUND: 8}
