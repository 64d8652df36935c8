"""Delivery dies while it delivers: no receiver misses a notice, and none is said to have what it did not answer for."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from hub import contracts
from hub.contracts import decode
from hub.core.model import Acknowledgement, EventType
from tests.broker import scene as scenes
from tests.broker.delivering import Delivering, delivering
from tests.broker.scene import Feeder, Scene, event, mobile_numbers, random_delay, say, wait_until
from tests.receiver import OK, Receiver

pytestmark = pytest.mark.broker

LIFE_S_MAX = 2.5
"""A kill comes at any moment from the start of the process on: while it reads, while it delivers."""

EVENTS_PER_S = 60.0
FLAPS_EVERY = 3
THINKS_S = 0.4
"""Between taking a message and answering: where a kill leaves a message received and not known to be."""

QUICKLY = ("--spread-s", "0.2", "--backoff-s", "0.05", "--backoff-max-s", "0.5")
PLATFORMS = ("steady", "flaps", "late")


@dataclass(frozen=True)
class Size:
    """How long a run is."""

    kills: int
    events: int


SHORT, FULL = Size(10, 900), Size(100, 12_000)
SIZES = [pytest.param(SHORT, id="short"), pytest.param(FULL, id="full", marks=[pytest.mark.soak])]


def said_received(scene: Scene) -> dict[str, dict[int, int]]:
    """How far `acks` says that each platform has received."""
    found: dict[str, dict[int, int]] = {name: {} for name in PLATFORMS}
    for record in scene.read(contracts.ACKS):
        ack = decode(record.value, Acknowledgement)
        for one in ack.received:
            known = found[ack.platform].get(one.partition, -1)
            found[ack.platform][one.partition] = max(known, one.through)
    return found


def beyond(scene: Scene, receivers: dict[str, Receiver]) -> list[str]:
    """Where a receipt says more than its receiver answered 2xx for."""
    said = said_received(scene)  # first: what is answered after this only adds
    return [
        f"{name} {partition}: {through} said, {receivers[name].through().get(partition)} answered"
        for name, received in said.items()
        for partition, through in received.items()
        if receivers[name].through().get(partition, -1) < through
    ]


def kill_and_look(desk: Delivering, receivers: dict[str, Receiver], kills: int, rng: random.Random) -> None:
    """`kill -9` so many times, each at a random moment of the program's life."""
    for index in range(kills):
        random_delay(rng, LIFE_S_MAX)
        before = desk.program.restarts
        desk.program.send(signal.SIGKILL)
        wait_until("it is started again", partial(started_again, desk, before))
        if index % 5 == 0:
            assert beyond(desk.scene, receivers) == []


def started_again(desk: Delivering, before: int) -> bool:
    return desk.program.restarts > before and desk.program.running


def has_all(receiver: Receiver, desk: Delivering) -> bool:
    return receiver.through() == desk.full()


@pytest.mark.parametrize("size", SIZES)
def test_kills_of_delivery_lose_nothing_and_invent_nothing(tmp_path: Path, size: Size) -> None:
    """Killed at random moments, it tells every receiver every position, under ids that never change their content."""
    rng = random.Random(size.kills)
    with scenes.running(tmp_path / "hub") as scene, delivering(scene, *QUICKLY) as desk:
        scene.put_operator("north", "+86135")
        key = desk.where["public_key"]
        receivers = {
            "steady": Receiver(key, thinks_s=THINKS_S),
            "flaps": Receiver(key, lambda number: OK if number % FLAPS_EVERY == 0 else 500),
            "late": Receiver(key, lambda _: OK if time.monotonic() > late_until else 503),
        }
        late_until = time.monotonic() + size.kills * LIFE_S_MAX / 3
        scene.put_platforms(*(desk.platform(name, f"webhook {receivers[name].url}") for name in PLATFORMS))
        numbers = mobile_numbers(size.events)
        feeder = Feeder(scene, (scene.event_message(event(one, EventType.COOLING)) for one in numbers), EVENTS_PER_S)
        kill_and_look(desk, receivers, size.kills, rng)
        feeder.done()
        scene.settle(contracts.EVENTS)
        for name, receiver in receivers.items():
            wait_until(f"{name} has all", partial(has_all, receiver, desk), 180)
        wait_until("all is said", lambda: said_received(scene) == dict.fromkeys(PLATFORMS, desk.full()))
        assert beyond(scene, receivers) == []
        scene.settle(contracts.ACKS)
        assert {name: desk.received(name) for name in PLATFORMS} == dict.fromkeys(PLATFORMS, desk.full())
        for name, receiver in receivers.items():
            assert receiver.bad == 0
            check_ids(receiver)
            repeats = len(receiver.got) - len({one.id for one in receiver.got})
            say(f"{name}: {len(receiver.got)} messages answered 2xx, {repeats} of them repeats")
            receiver.close()
        assert scene.rejected() == {}
        assert repeats_of(receivers) > 0, "no kill came between a receiver's taking and its answer"


def repeats_of(receivers: dict[str, Receiver]) -> int:
    return sum(len(one.got) - len({got.id for got in one.got}) for one in receivers.values())


def check_ids(receiver: Receiver) -> None:
    """Whoever drops what has an id it has seen has every position exactly once."""
    bodies: dict[str, bytes] = {}
    seen: dict[tuple[int, int], str] = {}
    for one in receiver.got:
        assert bodies.setdefault(one.id, one.body) == one.body, "one id, two contents"
        for offset in range(one.first, one.last + 1):
            assert seen.setdefault((one.partition, offset), one.id) == one.id, "one position under two ids"
