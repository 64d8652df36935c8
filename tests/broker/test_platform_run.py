"""`unbind-hub platform run` and `check` as real processes: what they do, what they show, and how they end."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer

from hub.cli.platform import read_file
from hub.core.model import Action, Outcome, Source, Stage
from hub.errors import PlatformError
from hub.local.children import Child
from hub.local.kafka import EmbeddedKafka
from hub.platform.login import login_check_of
from hub.platform.metrics import METRICS
from hub.sdk.login.check import LoginCheckSettings, Reason
from hub.wire.contracts import RELEASES, encode
from tests.broker.adapter_scene import PARTITIONS, InDatabase, Row, Wires, start, write_config
from tests.broker.scene import wait_until
from tests.clusters import borrowed
from tests.pages import block
from tests.unit.adapter_driver import NEW, NUMBER, OLD, OTHER, Log, openers, said_in

pytestmark = pytest.mark.broker
END_S = 30.0
ACTIONS = "metrics_port: 0\nactions: {FROZEN: [LOGIN_OFF, RECOVERY_OFF]}\n"


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    with borrowed() as running:
        yield running


class Scene(NamedTuple):
    """A platform with two accounts, one case of each of their numbers, and its folder."""

    folder: Path
    wires: Wires
    platform: InDatabase
    log: Log

    def config(self, extra: str = ACTIONS) -> Path:
        return write_config(self.folder, self.wires.servers, self.platform, extra)

    def metrics(self) -> dict[str, float]:
        url = json.loads((self.folder / "ready.json").read_text(encoding="utf-8"))["metrics_url"]
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (one.split() for one in lines if one[0] != "#")}

    def words(self) -> str:
        return (self.folder / "adapter.log").read_text(errors="replace", encoding="utf-8")

    def run(self, extra: str = ACTIONS) -> Child:
        child = start(self.config(extra), "--ready-file", str(self.folder / "ready.json"))
        wait_until("it is ready", lambda: child.ended.is_set() or (self.folder / "ready.json").exists())
        return child


@pytest.fixture
async def scene(kafka: EmbeddedKafka, tmp_path: Path) -> Scene:
    log = Log()
    log.add(Stage.COOLING)
    log.add(Stage.REASSIGNED, number=OTHER, partition=2)
    log.add(Stage.COOLING, number="+8613712345678", partition=1)
    platform, wires = InDatabase(f"sqlite:///{tmp_path / 'app.db'}"), Wires(kafka.bootstrap_servers)
    platform.fill({"a": (NUMBER, OLD), "b": (OTHER, OLD), "c": (NUMBER, NEW)})
    await wires.make(log)
    return Scene(tmp_path, wires, platform, log)


def done(scene: Scene) -> bool:
    return sum(scene.platform.look().places.values()) == len(scene.log.notices)


async def test_a_config_file_is_all_it_takes(scene: Scene) -> None:
    """From one file: accounts are frozen and unbound, and acknowledged with their actions; SIGTERM ends it."""
    child = scene.run()
    wait_until("everything is handled", lambda: child.ended.is_set() or scene.metrics()["adapter_acks_total"] >= 1)
    wait_until("everything is handled", lambda: child.ended.is_set() or done(scene))
    # What is acknowledged is counted a moment before it is counted as done.
    wait_until("it is shown", lambda: child.ended.is_set() or scene.metrics()["adapter_lag_notices"] == 0)
    found = scene.metrics()
    assert child.end(signal.SIGTERM, END_S)
    assert child.process.returncode == 0, scene.words()
    acks = await scene.wires.acks()
    assert said_in(acks, openers(scene.log)) == {
        Source(0, 0): {Outcome.FROZEN},
        Source(2, 0): {Outcome.UNBOUND},
        Source(1, 0): {Outcome.NOT_BOUND},
    }
    actions = {one.outcome: one.actions for ack in acks for one in ack.outcomes}
    assert actions[Outcome.FROZEN] == (Action.LOGIN_OFF, Action.RECOVERY_OFF)
    accounts = {"a": Row(NUMBER, frozen=True), "b": Row(None, frozen=False), "c": Row(NUMBER, frozen=False)}
    assert scene.platform.look().accounts == accounts
    assert found["adapter_lag_notices"] == 0
    assert (found["adapter_frozen_total"], found["adapter_unbound_total"]) == (1, 1)
    names = {f"{one.name}_total" if one.counts else one.name for one in METRICS}
    assert set(found) == names
    assert all(number[-8:] not in scene.words() for number in (NUMBER, OTHER))


async def test_the_records_key_may_lie_elsewhere(scene: Scene) -> None:
    """With `index_key` the record is in the key of that file: the login check of the file reads it, another cannot."""
    (scene.folder / "record.key").write_bytes(b"32 bytes that are not in the db.")
    config = scene.config("metrics_port: 0\nlogin_check: {served: all}\n")
    with_key = config.read_text(encoding="utf-8").replace(
        "    table: users", "    index_key: {file: record.key}\n    table: users"
    )
    config.write_text(with_key, encoding="utf-8")
    child = start(config)
    wait_until("everything is handled", lambda: child.ended.is_set() or done(scene))
    assert child.end(signal.SIGTERM, END_S)
    assert child.process.returncode == 0, scene.words()
    check = login_check_of(read_file(config), LoginCheckSettings())
    assert check.is_recycled(NUMBER, OLD).reason is Reason.GIVEN_UP
    code, words = _check(scene, config)
    assert code == 0, words
    config.write_text(with_key.replace("    index_key: {file: record.key}\n", ""), encoding="utf-8")
    with pytest.raises(PlatformError, match="another key"):
        login_check_of(read_file(config), LoginCheckSettings()).is_recycled(NUMBER, OLD)
    code, words = _check(scene, config)
    assert (code, "another key" in words) == (1, True)


class AsOnPage:
    """The service of the page, as a process over a table of its own."""

    def __init__(self, folder: Path) -> None:
        program, self._yaml = (block("platform-http", one) for one in ("python", "yaml"))
        (folder / "service.py").write_text(program, encoding="utf-8")
        self._file, self._port = folder / "accounts.sqlite", _free_port()
        self.rows("CREATE TABLE users (id TEXT PRIMARY KEY, phone TEXT, bound_at INTEGER, frozen INTEGER DEFAULT 0)")
        words = ("-m", "uvicorn", "service:app", "--port", str(self._port))
        self.child = Child([sys.executable, *words], folder / "service.log")
        wait_until("the service is there", lambda: self.child.ended.is_set() or self._answers())
        assert not self.child.ended.is_set(), (folder / "service.log").read_text(encoding="utf-8")

    def _answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self._port)) == 0

    def store_yaml(self) -> str:
        return self._yaml.split("store:")[1].replace("https://accounts.internal/hub", f"http://127.0.0.1:{self._port}")

    def rows(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self._file)) as connection, connection:
            return connection.execute(statement, values).fetchall()


async def test_the_service_of_the_page_is_a_whole_one(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's service freezes, unbinds and puts back under `platform run`; without its token it lets nobody in."""
    monkeypatch.setenv("ACCOUNTS_TOKEN", "a token")
    service = AsOnPage(scene.folder)
    try:
        for name, number in (("a", NUMBER), ("b", OTHER)):
            service.rows("INSERT INTO users (id, phone, bound_at) VALUES (?, ?, ?)", name, number, OLD)
        looks, ready = [], scene.folder / "ready.json"
        for stage in (None, Stage.WITHDRAWN):
            if stage is not None:
                position = scene.log.add(stage, 0, OTHER, 2)
                producer = Producer({"bootstrap.servers": scene.wires.servers})
                producer.produce(RELEASES, encode(scene.log.notices[-1].notice), partition=position.partition)
                assert producer.flush(30) == 0
            config = write_config(scene.folder, scene.wires.servers, service, "metrics_port: 0\n")
            child = start(config, "--ready-file", str(ready))
            wait_until("it is ready", lambda running=child: running.ended.is_set() or ready.exists())  # type: ignore[misc]
            wait_until("it is told", lambda: scene.metrics()["adapter_acks_total"] >= 1)
            wait_until("it is done", lambda: scene.metrics()["adapter_lag_notices"] == 0)
            assert child.end(signal.SIGTERM, END_S)
            ready.unlink()
            looks.append(service.rows("SELECT id, phone, frozen FROM users ORDER BY id"))
        assert looks == [[("a", NUMBER, 1), ("b", None, 0)], [("a", NUMBER, 1), ("b", OTHER, 0)]]
        monkeypatch.setenv("ACCOUNTS_TOKEN", "another")
        code, words = _check(scene, config)
        assert (code, "the account service refuses readability: status 401" in words) == (1, True)
    finally:
        service.child.end(signal.SIGTERM, END_S)


async def test_a_restart_goes_on_where_the_store_is(scene: Scene) -> None:
    """A second run handles only what came since the first."""
    for stage in (None, Stage.SCHEDULED):
        if stage is not None:
            position = scene.log.add(stage, 0)
            producer = Producer({"bootstrap.servers": scene.wires.servers})
            producer.produce(RELEASES, encode(scene.log.notices[-1].notice), partition=position.partition)
            assert producer.flush(30) == 0
        child = scene.run()
        wait_until("everything is handled", lambda running=child: running.ended.is_set() or done(scene))  # type: ignore[misc]
        wait_until("it counts", lambda: scene.metrics()["adapter_notices_total"] > 0)
        found = scene.metrics()
        assert child.end(signal.SIGINT, END_S)
        (scene.folder / "ready.json").unlink()
    assert (found["adapter_notices_total"], found["adapter_unbound_total"]) == (1, 1)


async def test_a_dry_run_changes_nothing(scene: Scene) -> None:
    """In a dry run the figures are those of a real one, the accounts stay, nothing is acknowledged."""
    before = scene.platform.look().accounts
    child = scene.run(ACTIONS + "dry_run: true\n")
    wait_until("everything is matched", lambda: child.ended.is_set() or scene.metrics()["adapter_notices_total"] == 3)
    found = scene.metrics()
    assert child.end(signal.SIGTERM, END_S)
    assert (found["adapter_frozen_total"], found["adapter_unbound_total"], found["adapter_dry_run"]) == (1, 1, 1)
    assert scene.platform.look().accounts == before
    assert await scene.wires.acks() == []


async def test_a_blown_fuse_freezes_until_a_person_decides(scene: Scene) -> None:
    """Beyond its fuse the program freezes, goes on and says so; `fuse release` of a named person lets it unbind."""
    config = scene.config("metrics_port: 0\n")
    config.write_text(
        config.read_text(encoding="utf-8").replace("fuse_unbinds_per_day: false", "fuse_unbinds_per_day: 0"),
        encoding="utf-8",
    )
    child = start(config)
    wait_until("everything is handled", lambda: child.ended.is_set() or done(scene))
    wait_until("it says so", lambda: child.ended.is_set() or "fuse" in scene.words())
    assert scene.platform.look().accounts["b"] == Row(OTHER, frozen=True)
    decided = Child(
        [
            *(sys.executable, "-m", "hub", "platform", "fuse", "release", "--config", str(config)),
            *("--operator", "north", "--by", "Li Na", "--reason", "it was announced"),
        ],
        scene.folder / "fuse.log",
    )
    assert decided.ended.wait(60)
    assert decided.process.returncode == 0, (scene.folder / "fuse.log").read_text(encoding="utf-8")
    freed = Row(None, frozen=False)
    wait_until("it is done", lambda: child.ended.is_set() or scene.platform.look().accounts["b"] == freed)
    assert child.end(signal.SIGTERM, END_S)
    assert child.process.returncode == 0, scene.words()
    assert "Traceback" not in scene.words()


def _check(scene: Scene, config: Path) -> tuple[int, str]:
    child = Child(
        [sys.executable, "-m", "hub", "platform", "check", "--config", str(config)], scene.folder / "check.log"
    )
    assert child.ended.wait(120)
    return child.process.returncode, (scene.folder / "check.log").read_text(encoding="utf-8")


async def test_a_check_counts_what_would_match_and_changes_nothing(scene: Scene) -> None:
    """A check connects to all of it, says what the adapter would do, and leaves accounts, tables and acks alone."""
    before = scene.platform.look()
    code, words = _check(scene, scene.config())
    assert code == 0, words
    assert "care   login_check.served is not said" in words
    assert "3 notices, 1 frozen, 1 unbound" in words
    assert "column phone has an index" in words
    assert "3 notices in 3 partitions" in words
    assert scene.platform.look() == before
    assert await scene.wires.acks() == []


async def test_a_check_says_what_is_wrong(scene: Scene) -> None:
    """What does not fit is listed, each with what to do, whatever else is fine; the check ends with 1."""
    config = scene.config()
    config.write_text(
        config.read_text(encoding="utf-8").replace(f"partitions: {PARTITIONS}", "partitions: 12"), encoding="utf-8"
    )
    code, words = _check(scene, config)
    assert code == 1
    assert "3 partitions, not 12" in words
    (scene.folder / "check.log").unlink()
    config.write_text(
        scene.config().read_text(encoding="utf-8").replace("number: phone", "number: fone"), encoding="utf-8"
    )
    code, words = _check(scene, config)
    assert code == 1
    assert "no column fone" in words
    assert "3 notices in 3 partitions" in words
    (scene.folder / "check.log").unlink()
    config.write_text(scene.config().read_text(encoding="utf-8").replace("unit: ms", "unit: s"), encoding="utf-8")
    _, words = _check(scene, config)
    assert "3 of 3 ages lie outside 1990 to 2100" in words


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
