"""A platform that only fetches files, through a real hub whose records lie on days that are over."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer

from hub import contracts
from hub.core.model import DAY_MS, EventType, Outcome
from hub.errors import PlatformError
from hub.sdk.http_client import HttpPlatform
from tests.broker import scene as scenes
from tests.broker.delivering import Delivering, delivering
from tests.broker.scene import DEADLINE_S, Scene, event, mobile_numbers, now_ms, wait_until

pytestmark = pytest.mark.broker
DAYS = (5, 4, 2)
"""So many days ago there were events; three days ago there were none."""


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A hub on a world's clock, with events of three days."""
    with scenes.running(tmp_path_factory.mktemp("hub"), clock="world") as scene:
        scene.put_operator("north", "+86135")
        producer = Producer({"bootstrap.servers": scene.hub.address.bootstrap_servers})
        for index, ago in enumerate(DAYS):
            at = now_ms() - ago * DAY_MS
            for number in mobile_numbers(30, f"+86135{index}"):
                one = scene.event_message(event(number, EventType.COOLING, occurred_at=at))
                place = {"key": one.key, "partition": one.partition, "timestamp": at}
                producer.produce(one.topic, one.value, headers=list(one.headers), **place)
        assert producer.flush(DEADLINE_S) == 0
        scene.settle(contracts.EVENTS)
        yield scene


@pytest.fixture(scope="module")
def desk(past: Scene) -> Iterator[Delivering]:
    """A delivery program beside it."""
    with delivering(past) as made:
        yield made


def day(ago: int) -> str:
    return str(datetime.fromtimestamp(now_ms() / 1_000 - ago * DAY_MS / 1_000, UTC).date())


def test_days_are_fetched_in_order_and_their_receipts_move_received(
    past: Scene, desk: Delivering, tmp_path: Path
) -> None:
    """Each position is in one file, a file is a receipt once its digest came back, and never before an earlier one."""
    past.put_platforms(desk.platform("filer", "file"))
    with HttpPlatform(desk.url, "filer", past.signer("filer-1"), desk.where["public_key"]) as filer:
        wait_until("there is a courier", lambda: desk.status("filer")["state"] == "HEALTHY")
        assert [(one["day"], one["positions"]) for one in filer.days()] == [(day(ago), 30) for ago in DAYS]
        with pytest.raises(PlatformError, match=f"NOT_IN_ORDER: the next file is that of {day(5)}"):
            filer.fetch(day(2), tmp_path)
        assert desk.received("filer") == {}
        files = [filer.fetch(day(ago), tmp_path).read_bytes() for ago in DAYS]
        wait_until("the hub has the receipts", lambda: desk.received("filer") == desk.full())
        assert all(one["received"] for one in filer.days())
    rows = [row for one in files for row in csv.DictReader(io.StringIO(one.decode()))]
    assert sorted(row["position"] for row in rows) == sorted(str(where) for where, _ in past.notices())
    assert {row["number"] for row in rows} == {notice.subject.value for _, notice in past.notices()}
    made = desk.folder / "files"
    for path in made.glob("*.csv"):
        path.unlink()
    with HttpPlatform(desk.url, "filer", past.signer("filer-1"), desk.where["public_key"]) as filer:
        again = [filer.fetch(day(ago), tmp_path / "again").read_bytes() for ago in DAYS]
    assert again == files, "a file made again has other bytes"


def test_two_commands_are_a_small_platforms_whole_day(past: Scene, desk: Delivering, tmp_path: Path) -> None:
    """`daily fetch` brings the files, `daily send` an outcomes file: its gaps close by its own signature."""
    past.put_platforms(desk.platform("shoplet", "file"))
    key = tmp_path / "shoplet.pem"
    past.signer("shoplet-1").save(key)
    options = ["--url", desk.url, "--hub-id", past.hub.address.hub_id, "--hub-key", desk.where["public_key"]]
    options += ["--platform", "shoplet", "--key", str(key), "--key-id", "shoplet-1"]

    def daily(*words: str) -> str:
        command = [sys.executable, "-m", "hub", "daily", *words, *options]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE_S).stdout

    wait_until("there is a courier", lambda: desk.status("shoplet")["state"] == "HEALTHY")
    assert daily("fetch", str(tmp_path / "days")).count("30 notices") == 3
    assert daily("fetch", str(tmp_path / "days")) == "Nothing new.\n"
    found = [row for path in sorted((tmp_path / "days").glob("*.csv")) for row in csv.DictReader(path.open())]
    assert len(found) == 90
    (tmp_path / "done.csv").write_text(f"{found[0]['case']},UNBOUND\n{found[1]['case']},FROZEN\nrest,NOT_BOUND\n")
    said = daily("send", str(tmp_path / "done.csv"), "--yes")
    assert "FROZEN: 1 positions; NOT_BOUND: 88 positions; UNBOUND: 1 positions" in said
    past.settle(contracts.ACKS)
    coverage = past.final_coverage(["shoplet"])["shoplet"]
    shown = {one.outcome: one.pairs for one in coverage.outcomes}
    assert shown == {Outcome.UNBOUND: 1, Outcome.FROZEN: 1, Outcome.NOT_BOUND: 88}
    assert coverage.resolved == 89
