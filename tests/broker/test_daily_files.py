"""A platform that only fetches files, through a real hub whose records lie on days that are over."""

from __future__ import annotations

import asyncio
import csv
import io
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.core.model import DAY_MS, Outcome, PlatformState, Report, ReportKind, Stage
from hub.errors import PlatformError
from hub.sdk.http_client import HttpPlatform
from hub.sdk.reports import send_report
from hub.wire import contracts
from tests.broker import scene as scenes
from tests.broker.delivering import Delivering, delivering, publish_past
from tests.broker.scene import DEADLINE_S, Scene, mobile_numbers, now_ms, wait_until
from tests.pages import block, filled, run

pytestmark = pytest.mark.broker
DAYS = (5, 4, 2)
"""So many days ago there were events; three days ago there were none."""
BEGUN_MS = now_ms()
PAGE = "platform-file"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A hub on a world's clock, with events of three days."""
    with scenes.running(tmp_path_factory.mktemp("hub"), clock="world") as scene:
        scene.put_operator("north", "+86135")
        past_days = {BEGUN_MS - ago * DAY_MS: mobile_numbers(30, f"+86135{index}") for index, ago in enumerate(DAYS)}
        publish_past(scene, past_days)
        yield scene


@pytest.fixture(scope="module")
def delivery(past: Scene) -> Iterator[Delivering]:
    """A delivery program beside it."""
    with delivering(past) as made:
        yield made


def day(ago: int) -> str:
    return str(datetime.fromtimestamp((BEGUN_MS - ago * DAY_MS) / 1_000, UTC).date())


def as_platform(name: str, past: Scene, delivery: Delivering, folder: Path) -> list[str]:
    """The options of `daily` that say who calls, its key among them."""
    key = folder / f"{name}.pem"
    past.signer(f"{name}-1").save(key)
    options = ["--url", delivery.url, "--hub-id", past.hub.address.hub_id, "--hub-key", delivery.where["public_key"]]
    return [*options, "--platform", name, "--key", str(key), "--key-id", f"{name}-1"]


def test_days_are_fetched_in_order_and_their_receipts_move_received(
    past: Scene, delivery: Delivering, tmp_path: Path
) -> None:
    """Each position is in one file, a file is a receipt once its digest came back, and never before an earlier one."""
    past.put_platforms(delivery.platform("filer", "file"))
    with HttpPlatform(delivery.url, "filer", past.signer("filer-1"), delivery.where["public_key"]) as filer:
        wait_until("there is a courier", lambda: delivery.status("filer")["state"] == "HEALTHY")
        assert [(one["day"], one["positions"]) for one in filer.days()] == [(day(ago), 30) for ago in DAYS]
        assert filer.days(limit=1) == filer.days(), "a long list comes in pages"
        with pytest.raises(PlatformError, match=f"NOT_IN_ORDER: the next file is that of {day(5)}"):
            filer.fetch(day(2), tmp_path)
        assert delivery.received("filer") == {}
        files = [filer.fetch(day(ago), tmp_path).read_bytes() for ago in DAYS]
        wait_until("the hub has the receipts", lambda: delivery.received("filer") == delivery.full())
        assert all(one["received"] for one in filer.days())
    rows = [row for one in files for row in csv.DictReader(io.StringIO(one.decode()))]
    assert sorted(row["position"] for row in rows) == sorted(str(where) for where, _ in past.notices())
    assert {row["number"] for row in rows} == {notice.subject.value for _, notice in past.notices()}
    made = delivery.folder / "files"
    for path in made.glob("*.csv"):
        path.unlink()
    with HttpPlatform(delivery.url, "filer", past.signer("filer-1"), delivery.where["public_key"]) as filer:
        again = [filer.fetch(day(ago), tmp_path / "again").read_bytes() for ago in DAYS]
    assert again == files, "a file made again has other bytes"


def test_two_commands_are_a_small_platforms_whole_day(past: Scene, delivery: Delivering, tmp_path: Path) -> None:
    """`daily fetch` brings the files, `daily send` an outcomes file: its gaps close by its own signature."""
    past.put_platforms(delivery.platform("shoplet", "file"))
    options = as_platform("shoplet", past, delivery, tmp_path)

    def daily(*words: str) -> str:
        command = [sys.executable, "-m", "hub", "daily", *words, *options]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=DEADLINE_S).stdout

    wait_until("there is a courier", lambda: delivery.status("shoplet")["state"] == "HEALTHY")
    assert daily("fetch", str(tmp_path / "days")).count("30 notices") == 3
    assert daily("fetch", str(tmp_path / "days")) == "Nothing new.\n"
    found = [
        row for path in sorted((tmp_path / "days").glob("*.csv")) for row in csv.DictReader(path.open(encoding="utf-8"))
    ]
    assert len(found) == 90
    (tmp_path / "done.csv").write_text(
        f"{found[0]['case']},UNBOUND\n{found[1]['case']},FROZEN\nrest,NOT_BOUND\n", encoding="utf-8"
    )
    said = daily("send", str(tmp_path / "done.csv"), "--yes")
    assert "FROZEN: 1 positions; NOT_BOUND: 88 positions; UNBOUND: 1 positions" in said
    past.settle(contracts.ACKS)
    coverage = past.final_coverage(["shoplet"])["shoplet"]
    shown = {one.outcome: one.pairs for one in coverage.outcomes}
    assert shown == {Outcome.UNBOUND: 1, Outcome.FROZEN: 1, Outcome.NOT_BOUND: 88}
    assert coverage.resolved == 89


def test_files_are_fetched_though_no_receipt_of_them_counts(past: Scene, delivery: Delivering, tmp_path: Path) -> None:
    """A suspended platform hears why, fetches every day all the same, and its people's reports with them."""
    past.put_platforms(delivery.platform("halted", "file", state=PlatformState.SUSPENDED))
    options = as_platform("halted", past, delivery, tmp_path)
    command = [sys.executable, "-m", "hub", "daily", "fetch", str(tmp_path / "days"), *options]
    wait_until(
        "it may fetch", lambda: delivery.status("halted")["todo"] == "Nothing is sent while its state is SUSPENDED."
    )
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=DEADLINE_S)
    assert done.returncode != 0
    assert done.stderr.count("NOT_DELIVERED_TO") == len(DAYS) + 1, "each day's, and the command's own end"
    assert "Nothing is sent while its state is SUSPENDED." in done.stderr
    assert len(list((tmp_path / "days").glob("*.csv"))) == len(DAYS)


FREEZE = ("FROZEN", ("+8613500000001", True, False))
UNBIND = ("UNBOUND", (None, True, True))
UNDO = ("REINSTATED", ("+8613500000001", False, False))
"""What the program of the page says, and how the account then is."""


def users(folder: Path, rows: list[tuple[str, str, int]]) -> None:
    """The table that the page is about."""
    with sqlite3.connect(folder / "app.sqlite") as app:
        columns = "id TEXT PRIMARY KEY, phone TEXT, bound_at INTEGER, frozen TEXT, unbound TEXT, undone TEXT"
        app.execute(f"CREATE TABLE users ({columns})")
        app.executemany("INSERT INTO users VALUES (?, ?, ?, NULL, NULL, NULL)", rows)


def user(folder: Path, account: str) -> tuple[str | None, bool, bool]:
    """An account's number, and whether it is frozen, and whether its number was taken off."""
    with sqlite3.connect(folder / "app.sqlite") as app:
        query = "SELECT phone, frozen IS NOT NULL, unbound IS NOT NULL FROM users WHERE id = ?"
        phone, frozen, unbound = app.execute(query, (account,)).fetchone()
    return phone, bool(frozen), bool(unbound)


def test_the_program_of_the_page_runs_on_days_that_are_over(past: Scene, delivery: Delivering, tmp_path: Path) -> None:
    """The days are fetched, what is old is frozen and what is new left alone, and the hub counts both."""
    past.put_platforms(delivery.platform("panbox", "file"))
    wait_until("there is a courier", lambda: delivery.status("panbox")["state"] == "HEALTHY")
    past.signer("panbox-1").save(tmp_path / "panbox.pem")
    (tmp_path / "deeds.py").write_text(block(PAGE, "python"), encoding="utf-8")
    old, new = mobile_numbers(1, "+861350")[0], mobile_numbers(1, "+861351")[0]
    users(tmp_path, [("old", old, BEGUN_MS - 900 * DAY_MS), ("new", new, BEGUN_MS)])
    exports = [one for one in block("platform-webhook", "sh", "daily").splitlines() if "export" in one]
    words = {"https://delivery.hub.example": delivery.url, "whpk_…": delivery.where["public_key"]}
    exported = filled("\n".join(exports), {**words, "local-hub": past.hub.address.hub_id}) + "\n"
    commands = exported + filled(block(PAGE, "sh"), {"outcomes.csv": "outcomes.csv --yes"})
    told = Report(uuid.uuid4().bytes, "north", old, "panbox", ReportKind.DEBT_CALLS, now_ms())
    asyncio.run(send_report(told, past.signer("north-1"), past.hub.address))
    said = run(commands, tmp_path)
    assert f"report {told.report_id.hex()}: DEBT_CALLS about {old}; answer it until" in said
    assert said.count("30 notices") == len(DAYS)
    assert "panbox says: FROZEN: 1 positions; NOT_BOUND: 89 positions" in said
    assert [user(tmp_path, one) for one in ("old", "new")] == [(old, True, False), (new, False, False)]
    wait_until("the hub has the receipts", lambda: delivery.received("panbox") == delivery.full())
    past.settle(contracts.ACKS)
    shown = {one.outcome: one.pairs for one in past.final_coverage(["panbox"])["panbox"].outcomes}
    assert shown == {Outcome.FROZEN: 1, Outcome.NOT_BOUND: 89}
    answer = f"unbind-hub daily answer {told.report_id.hex()} FROZEN"
    assert "written at answers" in run(exported + answer, tmp_path)
    past.settle(contracts.ANSWERS)
    assert "Nothing new." in run(commands, tmp_path)
    past.settle(contracts.ACKS)
    assert {one.outcome: one.pairs for one in past.final_coverage(["panbox"])["panbox"].outcomes} == shown


def test_the_program_of_the_page_knows_every_stage(tmp_path: Path) -> None:
    """A day after the other: frozen, taken off, put back; days done before change nothing, and are said again."""
    (tmp_path / "deeds.py").write_text(block(PAGE, "python"), encoding="utf-8")
    (tmp_path / "notices").mkdir()
    users(tmp_path, [("old", "+8613500000001", 5)])
    stages = {"COOLING": FREEZE, "SCHEDULED": UNBIND, "RELEASED": UNBIND, "REASSIGNED": UNBIND, "WITHDRAWN": UNDO}
    assert {*stages, "RESTORED"} == {str(one) for one in Stage} - {"UNKNOWN"}
    for day, (stage, came) in enumerate(stages.items()):
        row = f"case,stage,number,bound_before\n0-7,{stage},+8613500000001,9\n"
        (tmp_path / "notices" / f"2026-01-0{day}.csv").write_text(row, encoding="utf-8")
        run("python deeds.py", tmp_path)
        told = (tmp_path / "outcomes.csv").read_text(encoding="utf-8").splitlines()
        assert told == ["case,outcome", f"0-7,{came[0]}", "rest,NOT_BOUND"]
        assert user(tmp_path, "old") == came[1]
        (tmp_path / "outcomes.csv").unlink()  # what could not be sent is said again
        run("python deeds.py", tmp_path)
        assert (tmp_path / "outcomes.csv").read_text(encoding="utf-8").splitlines() == told
        assert user(tmp_path, "old") == came[1]
