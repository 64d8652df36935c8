"""Workers die while operators send: every message is decided once, and as if nothing had happened."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub import contracts
from tests.broker import scene as scenes
from tests.broker import verdicts
from tests.broker.killing import Killer
from tests.broker.scene import Feeder, say
from tests.broker.traffic import Traffic

pytestmark = pytest.mark.broker

SECONDS_PER_KILL = 4.0
DELAY_MOST_S = 0.25
"""What came in while a worker was down is decided in about this time: kills come in the middle of it."""


@dataclass(frozen=True)
class Size:
    """How long a run is."""

    events: int
    numbers: int
    kills: int
    lose_state: bool = False


SHORT = Size(events=6_000, numbers=1_200, kills=3)
FULL = Size(events=100_000, numbers=20_000, kills=10, lose_state=True)
SIZES = [pytest.param(SHORT, id="short"), pytest.param(FULL, id="full", marks=[pytest.mark.soak])]


@pytest.mark.parametrize("size", SIZES)
def test_every_event_is_decided_once_when_workers_are_killed(tmp_path: Path, size: Size) -> None:
    """Receipts, notices that count, positions and dead letters are those of a run without a crash."""
    rng = random.Random(2)
    with scenes.running(tmp_path) as scene:
        traffic = Traffic(scene, size.numbers, rng)
        began = time.monotonic()
        feeder = Feeder(scene, traffic.messages(size.events), size.events / (size.kills * SECONDS_PER_KILL))
        killer = Killer(scene, rng, lambda: sum(scene.ends(contracts.RELEASES)), DELAY_MOST_S)
        killer.run(size.kills, lose_state=size.lose_state, flowing=feeder.is_alive)
        feeder.done()
        scene.settle(contracts.EVENTS)
        taken = time.monotonic() - began
        wrong = verdicts.differences(scene) + killer.unasked_deaths()
        extra = sum(scene.ends(contracts.RELEASES)) - len(verdicts.live_run(scene)[1])
        say(f"{size.events} events, kills {killer.kills}, {taken:.0f} s, {extra} notices published twice, wrong: {wrong[:3]}")
        assert wrong == []
