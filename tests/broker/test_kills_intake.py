"""Workers die while operators send: every message is decided once, and as if nothing had happened."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.wire import contracts
from tests.broker import scene as scenes
from tests.broker import verdicts
from tests.broker.killing import Killer
from tests.broker.scene import say
from tests.broker.traffic import Traffic

pytestmark = pytest.mark.broker

SHARE_S = 1.0
"""About as long as the hub needs for a share: kills come in the middle of its work."""


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
        killer = Killer(scene, contracts.EVENTS, rng, SHARE_S)
        killer.run(traffic.messages(size.events), size.kills, lose_state=size.lose_state)
        taken = time.monotonic() - began
        wrong = verdicts.differences(scene) + killer.unasked_deaths()
        say(f"{size.events} events, kills {killer.kills}, {taken:.0f} s, wrong: {len(wrong)} {str(wrong)[:80]}")
        assert wrong == []
