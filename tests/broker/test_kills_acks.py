"""Workers die while platforms acknowledge: no answer may be lost, none invented."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.wire import contracts
from tests.broker import scene as scenes
from tests.broker import spoilt_worker
from tests.broker.acking_crowd import Crowd
from tests.broker.killing import Killer
from tests.broker.ledger import differences
from tests.broker.scene import say

pytestmark = pytest.mark.broker

SHARE_S = 2.0
"""Tiles are flushed once a second: a kill comes at any moment between two flushes."""


@dataclass(frozen=True)
class Size:
    """How long a run is."""

    acks: int
    kills: int
    cases: int
    lose_state: bool = False


SHORT = Size(acks=10_000, kills=3, cases=2_400)
FULL = Size(acks=100_000, kills=10, cases=4_800, lose_state=True)
SIZES = [pytest.param(SHORT, id="short"), pytest.param(FULL, id="full", marks=[pytest.mark.soak])]
BAD_BUILD = Size(acks=10_000, kills=5, cases=2_400)
BAD_BUILD_RUNS = 3


def run_kills(data_dir: Path, size: Size, *, seed: int, fault: str | None = None) -> list[str]:
    """Acknowledge and kill; what is wrong at the end."""
    rng = random.Random(seed)
    program = ("-m", "hub") if fault is None else spoilt_worker.program(fault)
    with scenes.running(data_dir, worker_program=program) as scene:
        scene.put_operator("north", "+86135")
        crowd = Crowd(scene, size.cases, rng)
        began = time.monotonic()
        killer = Killer(scene, contracts.ACKS, rng, SHARE_S)
        killer.run(crowd.messages(size.acks), size.kills, lose_state=size.lose_state)
        taken = time.monotonic() - began
        wrong = differences(crowd.ledger, scene.final_coverage(crowd.platforms).values(), scene.read(contracts.TILES))
        wrong += [f"refused: {where} {one.reason}" for where, one in scene.rejected().items()]
        wrong += killer.unasked_deaths()
        say(f"{size.acks} acks, kills {killer.kills}, {taken:.0f} s, wrong: {len(wrong)} {str(wrong)[:80]}")
        return wrong


@pytest.mark.parametrize("size", SIZES)
def test_no_acknowledgement_is_lost_or_counted_twice_when_workers_are_killed(tmp_path: Path, size: Size) -> None:
    """Coverage after kill -9, takeovers and a lost disk is the union of what platforms said."""
    assert run_kills(tmp_path, size, seed=1) == []


@pytest.mark.soak
def test_the_kill_test_sees_a_build_that_commits_before_its_tiles_are_durable(tmp_path: Path) -> None:
    """With the durability step taken out the same run loses answers, and the checker says so."""
    noticed = [
        bool(run_kills(tmp_path / str(seed), BAD_BUILD, seed=seed, fault="ack-early")) for seed in range(BAD_BUILD_RUNS)
    ]
    say(f"bad build noticed in {sum(noticed)} of {len(noticed)} runs")
    assert all(noticed)
