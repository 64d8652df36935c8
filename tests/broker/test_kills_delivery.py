"""Delivery dies while it delivers: no receiver misses a notice, and none is said to have what it did not answer for."""

from __future__ import annotations

import csv
import io
import random
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from hub.core.model import DAY_MS, Acknowledgement, EventType
from hub.errors import UnbindError
from hub.sdk.http_client import HttpPlatform
from hub.wire import contracts
from hub.wire.contracts import decode
from tests.broker import scene as scenes
from tests.broker.delivering import Delivering, delivering, publish_past
from tests.broker.scene import DEADLINE_S, Message, Scene, event, mobile_numbers, now_ms, random_delay, say, wait_until
from tests.receiver import OK, Receiver

pytestmark = pytest.mark.broker

LIFE_S_MAX = 2.5
"""A kill comes at any moment from the start of the process on: while it reads, while it delivers."""

FLAPS_EVERY = 3
THINKS_S = 0.4
"""Between taking a message and answering: where a kill leaves a message received and not known to be."""

QUICKLY = ("--spread-s", "0.2", "--backoff-s", "0.05", "--backoff-max-s", "0.5")
WEBHOOKS = ("steady", "flaps", "late")
DAILY = "daily"
NOTICES_A_DAY = 12
TURNS, HELD, FETCHED = 3, 1, 2
"""Of three kills one comes while an answer is held back, one right after a day's file is fetched."""

POLL_S = 0.05


@dataclass(frozen=True)
class Size:
    """How long a run is. Before each kill a share of the events is sent."""

    kills: int
    events: int


SHORT, FULL = Size(10, 900), Size(100, 12_000)
SIZES = [pytest.param(SHORT, id="short"), pytest.param(FULL, id="full", marks=[pytest.mark.soak])]


class Fetcher(threading.Thread):
    """A receiver that comes for files, a day whenever it may, again and again until it has it."""

    def __init__(self, delivery: Delivering, days: Sequence[str], folder: Path) -> None:
        super().__init__(name="fetcher", daemon=True)
        self.may_fetch = threading.Semaphore(0)
        self.failed = 0
        self.first: dict[str, bytes] = {}
        self._delivery = delivery
        self._days = days
        self._folder = folder

    def run(self) -> None:
        """Fetch the days in their order."""
        for day in self._days:
            self.may_fetch.acquire()
            while day not in self.first:
                try:
                    self.first[day] = self.fetch(day, self._folder)
                except (UnbindError, OSError, KeyError, ValueError):  # it is dead, or just born
                    self.failed += 1
                    time.sleep(POLL_S)

    def fetch(self, day: str, folder: Path) -> bytes:
        """A day's file, receipted."""
        where, signer = self._delivery.where, self._delivery.scene.signer(f"{DAILY}-1")
        with HttpPlatform(f"http://127.0.0.1:{where['port']}", DAILY, signer, where["public_key"]) as hub:
            return hub.fetch(day, folder).read_bytes()

    def has_days(self, count: int) -> bool:
        """Whether it has so many files, the last one perhaps without its receipt."""
        return len(list(self._folder.glob("*.csv"))) >= count

    def through(self) -> dict[int, int]:
        """By partition, the last position in the files it has kept."""
        found: dict[int, int] = {}
        for path in sorted(self._folder.glob("*.csv")):
            for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))):
                partition, _, offset = row["position"].partition("-")
                assert int(offset) == found.get(int(partition), -1) + 1, "a hole between files"
                found[int(partition)] = int(offset)
        return found


def said_received(scene: Scene) -> dict[str, dict[int, int]]:
    """How far `acks` says that each platform has received."""
    found: dict[str, dict[int, int]] = {name: {} for name in (*WEBHOOKS, DAILY)}
    for record in scene.read(contracts.ACKS):
        ack = decode(record.value, Acknowledgement)
        for one in ack.received:
            known = found[ack.platform].get(one.partition, -1)
            found[ack.platform][one.partition] = max(known, one.through)
    return found


def beyond(scene: Scene, receivers: Mapping[str, Receiver | Fetcher]) -> list[str]:
    """Where a receipt says more than its receiver answered 2xx for, or has as a whole file."""
    said = said_received(scene)  # first: what is answered after this only adds
    has = {name: one.through() for name, one in receivers.items()}
    return [
        f"{name} {partition}: {through} said, {has[name].get(partition)} answered"
        for name, received in said.items()
        for partition, through in received.items()
        if has[name].get(partition, -1) < through
    ]


class Killing(NamedTuple):
    """Whom delivery tells while it is killed."""

    delivery: Delivering
    steady: Receiver
    fetcher: Fetcher
    everyone: Mapping[str, Receiver | Fetcher]

    def run(self, shares: Sequence[Sequence[Message]], rng: random.Random) -> None:
        """`kill -9` after each share of the events: by turns at a random moment, when an answer is on its way, and
        when a day's file is fetched and its receipt is on its way."""
        for index, share in enumerate(shares):
            self.delivery.scene.send(share)
            if index % TURNS == HELD:
                self.steady.may_answer.clear()
                wait_until("something is taken and not answered", partial(took_more, self.steady, len(self.steady.got)))
            elif index % TURNS == FETCHED:
                self.fetcher.may_fetch.release()
                wait_until("a day is fetched", partial(self.fetcher.has_days, index // TURNS + 1))
            else:
                random_delay(rng, LIFE_S_MAX)
            before = self.delivery.program.restarts
            self.delivery.program.send(signal.SIGKILL)
            wait_until("it is started again", partial(started_again, self.delivery, before))
            self.steady.may_answer.set()
            if index % 5 == 0:
                assert beyond(self.delivery.scene, self.everyone) == []


def took_more(receiver: Receiver, than: int) -> bool:
    return len(receiver.got) > than


def started_again(delivery: Delivering, before: int) -> bool:
    return delivery.program.restarts > before and delivery.program.running


def has(receiver: Receiver | Fetcher, wanted: dict[int, int]) -> bool:
    return receiver.through() == wanted


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("size", SIZES)
def test_kills_of_delivery_lose_nothing_and_invent_nothing(tmp_path: Path, size: Size) -> None:
    """Killed at random moments, it tells every receiver every position, under ids that never change their content."""
    rng, today = random.Random(size.kills), now_ms() // DAY_MS * DAY_MS
    agos = range(size.kills // TURNS + 1, 1, -1)  # yesterday's file may not be made yet
    past = {today - ago * DAY_MS: mobile_numbers(NOTICES_A_DAY, f"+86135{ago:03d}") for ago in agos}
    with scenes.running(tmp_path / "hub", clock="world") as scene:
        scene.put_operator("north", "+86135", "+86136")
        publish_past(scene, past)
        with delivering(scene, *QUICKLY) as delivery:
            key, over = delivery.where["public_key"], delivery.full()
            receivers = {
                "steady": Receiver(key, thinks_s=THINKS_S),
                "flaps": Receiver(key, lambda number: OK if number % FLAPS_EVERY == 0 else 500),
                "late": Receiver(key, lambda _: OK if delivery.program.restarts > size.kills / 3 else 503),
            }
            days = [str(datetime.fromtimestamp(at / 1_000, UTC).date()) for at in past]
            fetcher = Fetcher(delivery, days, tmp_path / "days")
            fetcher.start()
            everyone: dict[str, Receiver | Fetcher] = {**receivers, DAILY: fetcher}
            scene.put_platforms(*(delivery.platform(name, f"webhook {receivers[name].url}") for name in WEBHOOKS))
            scene.put_platforms(delivery.platform(DAILY, "file"))
            numbers = mobile_numbers(size.events, "+86136")
            messages = [scene.event_message(event(one, EventType.COOLING)) for one in numbers]
            shares = [messages[index :: size.kills] for index in range(size.kills)]
            Killing(delivery, receivers["steady"], fetcher, everyone).run(shares, rng)
            scene.flush()
            scene.settle(contracts.EVENTS)
            wanted = dict.fromkeys(WEBHOOKS, delivery.full()) | {DAILY: over}
            for name, receiver in everyone.items():
                wait_until(f"{name} has all", partial(has, receiver, wanted[name]), 180)
            wait_until("all is said", lambda: said_received(scene) == wanted)
            assert beyond(scene, everyone) == []
            scene.settle(contracts.ACKS)
            assert {name: delivery.received(name) for name in everyone} == wanted
            for name, one in receivers.items():
                assert one.bad == 0
                check_ids(one)
                say(f"{name}: {len(one.got)} messages answered 2xx, {repeats_of(one)} of them repeats")
                one.close()
            fetcher.join(DEADLINE_S)
            again = {day: fetcher.fetch(day, tmp_path / "again") for day in days}
            assert again == fetcher.first, "a file made again has other bytes"
            say(f"{DAILY}: {len(days)} files fetched, {fetcher.failed} attempts failed")
            assert scene.rejected() == {}
            assert repeats_of(receivers["steady"]) >= size.kills // TURNS, "what was taken and not answered came again"


def repeats_of(receiver: Receiver) -> int:
    return len(receiver.got) - len({one.id for one in receiver.got})


def check_ids(receiver: Receiver) -> None:
    """Whoever drops what has an id it has seen has every position exactly once."""
    bodies: dict[str, bytes] = {}
    seen: dict[tuple[int, int], str] = {}
    for one in receiver.got:
        assert bodies.setdefault(one.id, one.body) == one.body, "one id, two contents"
        for offset in range(one.first, one.last + 1):
            assert seen.setdefault((one.partition, offset), one.id) == one.id, "one position under two ids"
