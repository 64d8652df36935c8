"""`unbind-hub up`: a whole hub as one command, ended by Ctrl-C, started again where it stood."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.core.model import HubLog
from hub.kafka.newest import read_hub_log
from hub.local.children import Child
from hub.local.up import LocalHub
from hub.settings import WorkerSettings
from hub.wire import contracts
from tests.broker.scene import Scene, mobile_numbers, wait_until
from tests.clusters import borrowed

pytestmark = pytest.mark.broker

READY_S = 90.0
END_S = 40.0
CALL_S = 10.0


class Up:
    """One run of the command: its process, and what its ready file says."""

    def __init__(self, child: Child, ready: dict[str, str]) -> None:
        self.child = child
        self.ready = ready

    @property
    def servers(self) -> str:
        """Where its Kafka is."""
        return self.ready["bootstrap_servers"]

    def log(self) -> HubLog:
        """What its topics were made as."""
        return asyncio.run(read_hub_log(WorkerSettings(self.servers, Path(), "look")))

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        assert self.child.end(signal.SIGINT, END_S), "it does not end"
        code: int = self.child.process.returncode
        return code


@contextmanager
def up(folder: Path, *options: str) -> Iterator[Up]:
    """The command, until it serves."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    given = ("--data-dir", str(folder / "data"), "--ready-file", str(ready))
    child = Child([sys.executable, "-m", "hub", "up", *given, *options], folder / "up.log")
    try:
        wait_until("it serves, or has ended", lambda: ready.exists() or child.ended.is_set(), READY_S)
        assert ready.exists(), (folder / "up.log").read_text(encoding="utf-8")
        yield Up(child, json.loads(ready.read_text(encoding="utf-8")))
    finally:
        if not child.ended.is_set():
            child.end(signal.SIGKILL, END_S)


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder / "data") in words:
                found.append(words)
    return found


def metrics(url: str) -> str:
    """What a worker's metrics say."""
    with urllib.request.urlopen(url, timeout=CALL_S) as answer:
        text: str = answer.read().decode()
    return text


def asked(ready: dict[str, str], path: str) -> Any:
    """What the API answers whoever opens the dashboard's address."""
    url, _, token = ready["dashboard_url"].partition("/#token=")
    request = urllib.request.Request(url + path, headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=CALL_S) as answer:
        return json.load(answer)


def test_up_serves_says_where_ends_cleanly_and_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends every process with exit code 0; the next start has the same log and what lay in it."""
    numbers = mobile_numbers(3)
    with up(tmp_path) as first:
        assert first.ready["data_dir"] == str(tmp_path / "data")
        log = first.log()
        scene = Scene(LocalHub(tmp_path / "data", bootstrap_servers=first.servers), log)
        scene.put_operator("north", "+86135")
        cases = scene.open_cases(numbers)
        assert f"hub_notices_total {len(numbers)}.0" in metrics(first.ready["metrics_url"])
        scene.close()
        running = processes_of(tmp_path)
        for program in ("hub up", "java", "hub worker", "hub archive run", "hub web run", "bin/postgres"):
            assert len([words for words in running if program in words]) == 1, program
        assert '<div id="app">' in metrics(first.ready["dashboard_url"].partition("#")[0])
        assert asked(first.ready, "/v1/me")["role"] == "REGISTRAR"
        wait_until("it shows the cases", lambda: asked(first.ready, "/v1/overview")["cases"] == {"COOLING": 3})
        assert not any("archive?" in words or first.ready["archive"] in words for words in running), "an address"
        wait_until("the archive holds what there was", (tmp_path / "data" / "archive.ready.json").exists)
        assert first.interrupt() == 0
    assert processes_of(tmp_path) == []
    keys = (tmp_path / "data" / "archive.keys").read_bytes()
    with up(tmp_path) as second:
        assert second.log() == log
        assert (tmp_path / "data" / "archive.keys").read_bytes() == keys
        scene = Scene(LocalHub(tmp_path / "data", bootstrap_servers=second.servers), log)
        assert {notice.subject.value: where for where, notice in scene.notices()} == cases
        assert set(scene.open_cases(mobile_numbers(1, "+861351"))) == {"+8613510000000"}
        scene.close()
        assert second.interrupt() == 0
    assert processes_of(tmp_path) == []


def test_up_uses_a_cluster_that_is_there_and_leaves_it_running(tmp_path: Path) -> None:
    """With `--bootstrap-servers` it makes its topics there and neither starts nor ends a Kafka; delivery on request."""
    with borrowed() as kafka:
        options = (
            *("--bootstrap-servers", kafka.bootstrap_servers, "--hub-id", "cn-7"),
            *("--delivery-port", "0", "--no-archive", "--no-web"),
        )
        with up(tmp_path, *options) as one:
            assert one.servers == kafka.bootstrap_servers
            assert one.ready["hub_id"] == "cn-7"
            log = one.log()
            assert log.hub_id == "cn-7"
            assert "hub_notices_total 0.0" in metrics(one.ready["metrics_url"])
            key = json.loads(metrics(f"{one.ready['delivery_url']}/v1/key"))
            assert (key["webhooks"], key["hub_id"]) == (one.ready["delivery_key"], "cn-7")
            left_out = ("java", "archive run", "postgres", "web run")
            assert not [words for words in processes_of(tmp_path) if any(one in words for one in left_out)]
            assert one.interrupt() == 0
        assert processes_of(tmp_path) == []
        hub = LocalHub(tmp_path / "data", bootstrap_servers=kafka.bootstrap_servers)
        assert Scene(hub, log).ends(contracts.EVENTS) == [0] * log.partitions
