"""What the page about connecting without Kafka shows is run: its receiver, its outcomes file, its commands."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hub import contracts
from hub.core.model import Outcome
from hub.local.children import Child
from hub.local.machine import free_port
from tests.broker.delivering import delivering
from tests.broker.scene import DEADLINE_S, Scene, mobile_numbers, wait_until

pytestmark = pytest.mark.broker
ROOT = Path(__file__).resolve().parents[2]
TITLE = "## A platform connects without Kafka\n"


def page() -> str:
    """The page."""
    return (ROOT / "README.md").read_text(encoding="utf-8").split(TITLE)[1].split("\n## ")[0]


def block(language: str) -> str:
    """The one block of a language on the page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", page(), flags=re.DOTALL)
    return str(found)


def kept(folder: Path) -> list[tuple[str, str]]:
    """Cases and numbers that the receiver of the page has kept."""
    try:
        with sqlite3.connect(folder / "notices.sqlite") as database:
            return database.execute("SELECT case_id, number FROM notices").fetchall()
    except sqlite3.OperationalError:
        return []


def test_the_programs_of_the_page_run(scene: Scene, tmp_path: Path) -> None:
    """The receiver copied from the page is told everything; the commands copied from it close the platform's gaps."""
    port = free_port()
    with delivering(scene) as desk:
        program = block("python").replace("whpk_…", desk.where["public_key"]).replace("8000", str(port))
        (tmp_path / "hook.py").write_text(program, encoding="utf-8")
        child = Child([sys.executable, str(tmp_path / "hook.py")], tmp_path / "hook.log", dict(os.environ))
        scene.put_platforms(desk.platform("panbox", f"webhook http://127.0.0.1:{port}/"))
        cases = scene.open_cases(mobile_numbers(10))
        wait_until("the receiver has all", lambda: len(kept(tmp_path)) == 10)
        assert {number: case for case, number in kept(tmp_path)} == {number: str(one) for number, one in cases.items()}
        wait_until("the hub has the receipts", lambda: desk.received("panbox") == desk.full())
        first, second, *_ = sorted(cases.values())
        rows = block("csv").replace("7-120033", str(first)).replace("7-120040", str(second))
        (tmp_path / "outcomes.csv").write_text(rows, encoding="utf-8")
        scene.signer("panbox-1").save(tmp_path / "panbox.pem")
        commands = shell().replace("https://delivery.hub.example", desk.url).replace("whpk_…", desk.where["public_key"])
        commands = commands.replace("local-hub", scene.hub.address.hub_id).replace(
            "outcomes.csv ", "outcomes.csv --yes "
        )
        done = subprocess.run(
            ["bash", "-ec", commands.replace("unbind-hub ", f"{sys.executable} -m hub ")],
            cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=dict(os.environ),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "panbox says: FROZEN: 1 positions; NOT_BOUND: 8 positions; UNBOUND: 1 positions" in done.stdout
        child.end(9, DEADLINE_S)
    scene.settle(contracts.ACKS)
    coverage = scene.final_coverage(["panbox"])["panbox"]
    shown = {one.outcome: one.pairs for one in coverage.outcomes}
    assert shown == {Outcome.UNBOUND: 1, Outcome.FROZEN: 1, Outcome.NOT_BOUND: 8}


def shell() -> str:
    """The commands of a day, which begin with the exports."""
    (found,) = [one for one in re.findall(r"```sh\n(.*?)```", page(), flags=re.DOTALL) if "daily send" in one]
    return str(found)
