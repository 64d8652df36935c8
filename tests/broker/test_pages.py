"""What the pages of `docs/` show is run: programs against a real hub, the diagram against the table."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import time
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.lifecycle import diagram
from hub.local.up import LocalHub
from hub.staff import look
from hub.wire.signing import Signer
from tests.clusters import borrowed
from tests.pages import blocks, filled, page

DEADLINE_S = 60
POLL_S = 0.5
NUMBER = "+8613400001234"


def first_block(name: str, language: str, servers: str) -> str:
    """A page's first block of a language, with the address of the hub that is there."""
    return filled(blocks(name, language)[0], {"127.0.0.1:9092": servers})


def test_the_diagram_is_the_table() -> None:
    """The state diagram of the concepts is drawn from the lifecycle table."""
    assert f"```mermaid\n{diagram()}\n```" in page("concepts")


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[LocalHub]:
    with borrowed() as kafka:
        async with LocalHub(tmp_path / "hub", bootstrap_servers=kafka.bootstrap_servers) as running:
            yield running


def _prepare(folder: Path) -> None:
    """What an operator has before it reads its page, and the platform's database."""
    signer = Signer.generate("north-1", "local-hub")
    signer.save(folder / "north.pem")
    public = Ed25519PublicKey.from_public_bytes(signer.public)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "north.pub").write_bytes(pem)
    now = datetime.now(UTC)
    day = timedelta(days=1)
    times = [one.isoformat() for one in (now, now + 60 * day, now + 70 * day)]
    header = "event_id,number,type,occurred_at,cooling_until,reissue_not_before,"
    header += "bound_before,reason,ported,reminders,supersedes"
    rows = [
        f"6a54af9a-7b0c-4d35-93d8-6f33a0f9a001,{NUMBER},COOLING,{','.join(times)},,USER_REQUEST,false,,",
        "6a54af9a-7b0c-4d35-93d8-6f33a0f9a002,+8613400001235,COOLING,yesterday,,,,,,,",
    ]
    (folder / "events.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    with sqlite3.connect(folder / "app.sqlite") as database:
        database.execute("CREATE TABLE users (id TEXT PRIMARY KEY, phone TEXT, phone_bound_at TEXT, frozen INT)")
        database.execute("CREATE INDEX users_phone ON users (phone)")
        database.execute("INSERT INTO users VALUES ('ann', '134 0000 1234', '2020-01-01 00:00:00', 0)")
    database.close()


async def _join(folder: Path, servers: str) -> None:
    """The platform makes its file and key; the registrar puts everybody on the roster, as their pages say."""
    made = ("--platform", "panbox", "--bootstrap-servers", servers, "--database", "sqlite:///app.sqlite")
    await _ended(await _start("-m", "hub", "platform", "init", "--yes", "--sector", "drive", *made, folder=folder))
    (folder / "record.json").rename(folder / "panbox.json")
    script = f'unbind-hub() {{ "{sys.executable}" -m hub "$@"; }}\n' + first_block("registrar", "sh", servers)
    listed = await _ended(await asyncio.create_subprocess_exec("bash", "-ec", script, cwd=folder, stdout=PIPE))
    assert "gymnow" in listed


def by_file(folder: Path, servers: str) -> tuple[str, ...]:
    """The platform runs the adapter with the page's file."""
    (folder / "platform.yaml").write_text(first_block("platform-sql", "yaml", servers), encoding="utf-8")
    return ("-m", "hub", "platform", "run")


def by_program(_: Path, servers: str) -> tuple[str, ...]:
    """The platform runs the page's program."""
    return ("-c", first_block("platform-sql", "python", servers))


@pytest.mark.broker
@pytest.mark.parametrize("connected", [by_file, by_program])
async def test_what_the_pages_show_runs(
    hub: LocalHub, tmp_path: Path, connected: Callable[[Path, str], tuple[str, ...]]
) -> None:
    """Registrar, operator and platform, copied from their pages, bring a release to a frozen account."""
    servers = hub.address.bootstrap_servers
    _prepare(tmp_path)
    await _join(tmp_path, servers)
    sent = await _ended(await _start("-c", first_block("operator", "python", servers), folder=tmp_path))
    assert "ACCEPTED  1" in sent
    assert "line 3: " in sent
    platform = await _start(*connected(tmp_path, servers), folder=tmp_path)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while (answers := await _answers(servers)).get("panbox") != ("FROZEN", "frozen"):
            assert time.monotonic() < deadline, answers
            assert platform.returncode is None
            await asyncio.sleep(POLL_S)
    finally:
        platform.kill()
        await platform.wait()
    assert answers["gymnow"] == (None, "not_connected")
    assert _frozen(tmp_path) == [("ann", 1)]
    await _look(servers, tmp_path)
    _no_number_leaks(hub)


def _no_number_leaks(hub: LocalHub) -> None:
    """No phone number in any metric's label or in the worker's log."""
    with urllib.request.urlopen(hub.metrics_url(), timeout=DEADLINE_S) as answer:
        metrics = answer.read().decode()
    assert 'hub_intake_decided_total{decision="ACCEPTED",operator="north"} 1.0' in metrics
    assert 'hub_in_force{platform="gymnow"} 1.0' in metrics
    for said in (metrics, (hub.data_dir / "worker-1.log").read_text(encoding="utf-8")):
        assert NUMBER[3:] not in said


def _frozen(folder: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(folder / "app.sqlite") as database:
        rows = database.execute("SELECT id, frozen FROM users").fetchall()
    database.close()
    return rows


async def _look(servers: str, folder: Path) -> None:
    """The commands of "Looking" say the same, as JSON; nobody's number is in what they say of refusals."""

    async def say(*words: str) -> Any:
        command = ("-m", "hub", *words, "--bootstrap-servers", servers, "--json")
        return json.loads(await _ended(await _start(*command, folder=folder)))

    (panbox,) = [one for one in await say("coverage") if one["platform"] == "panbox"]
    assert (panbox["in_force"], panbox["resolved"], panbox["gaps"]) == (1, 0, {"frozen": 1})
    async with asyncio.timeout(DEADLINE_S):  # what only the universe moved is published every few seconds
        while not (found := await say("gaps", "--unconnected")):
            await asyncio.sleep(POLL_S)
    (blind,) = found
    assert (blind["platform"], blind["sure"]) == ("gymnow", "rough")
    (case,) = await say("case", NUMBER)
    assert (case["operator"], case["stage"], round(case["days_to_reissue"])) == ("north", "cooling", 70)
    assert await say("rejected") == []
    assert await say("recount") == []


async def _start(*command: str, folder: Path) -> Process:
    environment = {**os.environ, "DATABASE_URL": "sqlite:///app.sqlite"}
    return await asyncio.create_subprocess_exec(sys.executable, *command, cwd=folder, env=environment, stdout=PIPE)


async def _ended(process: Process) -> str:
    """What a process prints; it has to end well."""
    printed, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 0
    return printed.decode()


async def _answers(servers: str) -> dict[str, tuple[str | None, str | None]]:
    (case,) = await look.cases(servers, NUMBER)
    return {one["platform"]: (one["answer"], one["gap"]) for one in case["platforms"]}
