"""A worker that stops in the middle of its work, loses its partitions, and wakes up: it may harm nothing."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.core.model import Decision
from hub.local.children import Child
from hub.wire import contracts
from tests.broker import ledger, verdicts
from tests.broker import scene as scenes
from tests.broker.acking_crowd import Crowd
from tests.broker.killing import spoilt
from tests.broker.scene import Scene, mobile_numbers, random_delay, say, wait_until
from tests.broker.traffic import Traffic

pytestmark = pytest.mark.broker

CASES = 600
BURST = 900
ROUNDS = 5
DELAY_MOST_S = 0.3


@dataclass
class Town:
    """A hub under load: platforms that acknowledge, operators that send."""

    scene: Scene
    crowd: Crowd
    traffic: Traffic

    def burst(self, count: int) -> None:
        """So many events and as many acknowledgements, all at once."""
        self.scene.send(self.crowd.messages(count))
        self.scene.send(self.traffic.messages(count))
        self.scene.flush()

    def settle(self) -> None:
        """Wait until everything is decided and counted."""
        self.scene.settle(contracts.EVENTS, contracts.ACKS)

    def wrong(self) -> list[str]:
        """What is not as it must be: decisions, cases, figures, tiles."""
        found = verdicts.differences(self.scene)
        self.crowd.ledger.cases = verdicts.cases(self.scene)
        coverages = self.scene.final_coverage(self.crowd.platforms).values()
        return found + ledger.differences(self.crowd.ledger, coverages, self.scene.read(contracts.TILES))

    def published_twice(self) -> int:
        """Notices that lie in the log and count for nothing."""
        return sum(self.scene.ends(contracts.RELEASES)) - len(verdicts.live_run(self.scene)[1])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A hub with one worker."""
    rng = random.Random(3)
    with scenes.running(tmp_path_factory.mktemp("hub")) as scene:
        scene.put_operator("north", "+86135")
        crowd = Crowd(scene, CASES, rng)
        yield Town(scene, crowd, Traffic(scene, CASES, rng, prefixes={"north": "+861351", "south": "+86136"}))


def is_stopped(child: Child) -> bool:
    """Whether a process is stopped by a signal (`man 5 proc`, the state in `stat`)."""
    try:
        stat = Path(f"/proc/{child.process.pid}/stat").read_text(encoding="utf-8")
    except OSError:  # it is gone
        return False
    return stat.rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize(
    "topic",
    [
        contracts.RELEASES,
        contracts.TILES,
        pytest.param(contracts.receipts_topic("north"), marks=[pytest.mark.soak]),
    ],
)
def test_a_zombie_that_wakes_in_the_middle_of_writing_harms_nothing(town: Town, topic: str) -> None:
    """A worker stopped before it writes, woken after another did its work, unsets nothing, opens nothing twice."""
    scene, twice = town.scene, town.published_twice()
    with spoilt(scene, "zombie", f"stop:{topic}") as zombie:
        wait_until("both workers are in the group", lambda: scene.members() == 2)
        town.burst(BURST)
        wait_until("it has stopped", lambda: is_stopped(zombie))
        town.settle()
        zombie.process.send_signal(signal.SIGCONT)
        wait_until("it is back in the group", lambda: scene.members() == 2)
        town.burst(BURST // 9)
        town.settle()
        wrong = town.wrong()
        assert wrong == []
        assert not zombie.ended.is_set()
    assert scene.restarts() == [0]
    assert topic != contracts.RELEASES or town.published_twice() > twice, "the zombie did not do what it is for"
    number = mobile_numbers(1, f"+86135{9 - len(topic) % 4}9")
    opened = scene.open_cases(number)
    accepted = {one.position for one in scene.receipts("north") if one.decision is Decision.ACCEPTED}
    assert set(opened.values()) <= accepted


@pytest.mark.soak
def test_a_worker_that_sleeps_at_random_moments_harms_nothing(tmp_path: Path) -> None:
    """SIGSTOP at any moment of a burst, a takeover, SIGCONT: again and again, and every figure is right."""
    rng = random.Random(4)
    with scenes.running(tmp_path, workers=2) as scene:
        scene.put_operator("north", "+86135")
        crowd = Crowd(scene, CASES, rng)
        busy = Town(scene, crowd, Traffic(scene, CASES, rng, prefixes={"north": "+861351", "south": "+86136"}))
        for _ in range(ROUNDS):
            sleepwalk(busy, rng)
        say(f"{ROUNDS} sleepwalks: {busy.published_twice()} notices published twice, and ignored")
        assert busy.wrong() == []
        assert all(worker.running for worker in scene.hub.workers)


def sleepwalk(town: Town, rng: random.Random) -> None:
    """Stop a worker in the middle of a burst; wake it once the other has done all of it."""
    scene = town.scene
    worker = rng.choice(scene.hub.workers)
    before = sum(scene.ends(contracts.RELEASES))
    town.burst(BURST)
    wait_until("the burst is being worked on", lambda: sum(scene.ends(contracts.RELEASES)) > before)
    random_delay(rng, DELAY_MOST_S)
    worker.send(signal.SIGSTOP)
    try:
        town.settle()
    finally:
        worker.send(signal.SIGCONT)
    wait_until("both workers are in the group", lambda: scene.members() == len(scene.hub.workers))
    town.burst(BURST // 9)
    town.settle()
