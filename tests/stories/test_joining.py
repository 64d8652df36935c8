"""A platform joins with one file: its table and a handful of commands, from nothing to the first case dealt with."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.local.children import Child
from tests.broker.scene import Scene, wait_until
from tests.stories.town import COMMAND_POLL_S, Town

pytestmark = pytest.mark.broker

OWN_NUMBER = "+8613511110000"
EFFECT_S = 60.0


def command(*arguments: str, code: int = 0) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a small shop, whose database has a table of users."""
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT, phone_bound_at TEXT, frozen INTEGER DEFAULT 0);"
            "CREATE INDEX users_phone ON users (phone);"
        )
        rows = [(1, "13511110000"), (2, "135 2222 0000")]
        connection.executemany("INSERT INTO users (id, phone, phone_bound_at) VALUES (?, ?, '2020-01-01')", rows)
    return tmp_path


def user(folder: Path, user_id: int) -> tuple[Any, ...]:
    """A row of the table."""
    with sqlite3.connect(folder / "shop.db") as connection:
        row: tuple[Any, ...] = connection.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    return row


@pytest.fixture
def config(town: Town, folder: Path) -> Path:
    """The shop's file, made by `init`; the shop is on the roster, and the file checked."""
    servers = town.scene.hub.address.bootstrap_servers
    said = command(
        *("platform", "init", "--yes", "--platform", "cornershop", "--sector", "shopping", "--folder", str(folder)),
        *("--bootstrap-servers", servers, "--database", f"sqlite:///{folder}/shop.db"),
        *("--bound-at", "phone_bound_at", "--frozen", "frozen"),
    )
    assert json.loads(said)["id"] == "cornershop"
    command("platform", "add", "--file", str(folder / "record.json"), "--bootstrap-servers", servers)
    command("platform", "state", "cornershop", "CONNECTED", "--bootstrap-servers", servers)
    file = folder / "platform.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("metrics_port: 9464", "metrics_port: 0"), encoding="utf-8")
    command("platform", "check", "--config", str(file))
    return file


@contextmanager
def running(config: Path) -> Iterator[None]:
    """Its adapter, as a process."""
    child = Child([sys.executable, "-m", "hub", "platform", "run", "--config", str(config)], config.parent / "run.log")
    try:
        yield
    finally:
        assert child.end(signal.SIGTERM, EFFECT_S), "the adapter does not end when told"


def tried(config: Path) -> dict[str, Any]:
    """What `platform try` shows of the shop's own number."""
    shown: dict[str, Any] = json.loads(command("platform", "try", OWN_NUMBER, "--config", str(config), "--json"))
    assert [(step["stage"], step["outcome"], step["accounts"]) for step in shown["steps"]] == [
        ("COOLING", "FROZEN", 1),
        ("SCHEDULED", "UNBOUND", 1),
        ("WITHDRAWN", "REINSTATED", 1),
    ]
    return shown


def effects(scene: Scene, number: str) -> list[Any]:
    """What `unbind-hub case` says the shop answered."""
    servers = scene.hub.address.bootstrap_servers
    found = json.loads(command("case", number, "--bootstrap-servers", servers, "--json"))
    return [row["answer"] for row in found[0]["platforms"] if row["platform"] == "cornershop"]


def test_a_platform_joins_by_one_file(town: Town, folder: Path, config: Path) -> None:
    """Made, handed over, checked and tried, dry and for real, without a trace; then a real case is dealt with."""
    before = user(folder, 1)
    with running(config):
        assert tried(config)["dry_run"]
    config.write_text(config.read_text(encoding="utf-8").replace("dry_run: true", "dry_run: false"), encoding="utf-8")
    number = "+8613522220000"
    with running(config):
        assert not tried(config)["dry_run"]
        assert user(folder, 1) == before
        said = command("platform", "try", "+8613599990000", "--config", str(config), code=1)
        assert "no account found" in said
        town.operator.cools(number, days_ago=75)
        wait_until("it is frozen", lambda: effects(town.scene, number) == ["FROZEN"], EFFECT_S, COMMAND_POLL_S)
        assert user(folder, 2)[3] == 1
        town.operator.schedules(number)
        wait_until("it is unbound", lambda: effects(town.scene, number) == ["UNBOUND"], EFFECT_S, COMMAND_POLL_S)
        assert user(folder, 2)[1] is None


def test_who_never_started_the_adapter_is_told_so(town: Town, folder: Path) -> None:
    """A test case that nobody answers says whose turn it is, and what to do."""
    servers = town.scene.hub.address.bootstrap_servers
    command(
        *("platform", "init", "--yes", "--platform", "sleepy", "--sector", "other", "--folder", str(folder / "sleepy")),
        *("--bootstrap-servers", servers, "--database", f"sqlite:///{folder}/shop.db"),
    )
    record, file = folder / "sleepy" / "record.json", folder / "sleepy" / "platform.yaml"
    command("platform", "add", "--file", str(record), "--bootstrap-servers", servers)
    done = CliRunner().invoke(app, ["platform", "try", OWN_NUMBER, "--config", str(file), "--timeout-s", "3"])
    assert done.exit_code != 0
    assert "no adapter answered it" in str(done.exception)
