"""A worker that stops in the middle of its work, loses its partitions, and wakes up: it may harm nothing."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from hub import contracts
from hub.core.model import Decision
from tests.broker import ledger, verdicts
from tests.broker import scene as scenes
from tests.broker.acking_crowd import Crowd
from tests.broker.scene import Scene, mobile_numbers, random_delay, wait_until
from tests.broker.traffic import Traffic

pytestmark = pytest.mark.broker

CASES = 600
ROUNDS = 2
EVENTS_A_ROUND = 1_500
ACKS_A_ROUND = 1_500
DELAY_MOST_S = 0.3


def sleepwalk(scene: Scene, crowd: Crowd, traffic: Traffic, rng: random.Random) -> None:
    """Stop the first worker in the middle of a burst; wake it once the others have done all of it."""
    zombie = scene.hub.workers[0]
    before = sum(scene.ends(contracts.RELEASES))
    scene.send(crowd.messages(ACKS_A_ROUND))
    scene.send(traffic.messages(EVENTS_A_ROUND))
    wait_until("the burst is being worked on", lambda: sum(scene.ends(contracts.RELEASES)) > before)
    random_delay(rng, DELAY_MOST_S)
    zombie.send(signal.SIGSTOP)
    try:
        scene.flush()
        scene.settle(contracts.EVENTS, contracts.ACKS)
    finally:
        zombie.send(signal.SIGCONT)
    scene.send(crowd.messages(ACKS_A_ROUND // 10))
    scene.send(traffic.messages(EVENTS_A_ROUND // 10))
    scene.flush()
    wait_until("both workers are in the group", lambda: scene.members() == 2)
    scene.settle(contracts.EVENTS, contracts.ACKS)


def test_a_zombie_unsets_nothing_and_opens_nothing_twice(tmp_path: Path) -> None:
    """A worker stopped until another took over, then woken, changes no figure, no receipt and no case."""
    rng = random.Random(3)
    with scenes.running(tmp_path, workers=2) as scene:
        scene.put_operator("north", "+86135")
        crowd = Crowd(scene, CASES, rng)
        traffic = Traffic(scene, CASES, rng, prefixes={"north": "+861351", "south": "+86136"})
        for _ in range(ROUNDS):
            sleepwalk(scene, crowd, traffic, rng)
        assert verdicts.differences(scene) == []
        crowd.ledger.cases = verdicts.cases(scene)
        coverages = scene.final_coverage(crowd.platforms)
        assert ledger.differences(crowd.ledger, coverages.values(), scene.read(contracts.TILES)) == []
        assert all(worker.running for worker in scene.hub.workers)
        fresh = scene.open_cases(mobile_numbers(24, "+861359"))
        accepted = {one.position for one in scene.receipts("north") if one.decision is Decision.ACCEPTED}
        assert set(fresh.values()) <= accepted
