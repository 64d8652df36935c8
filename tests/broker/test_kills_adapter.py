"""`kill -9` of `unbind-hub platform run` at random points: nothing missed, nothing done twice, no word too early."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.local.kafka import EmbeddedKafka
from tests.broker.adapter_scene import (
    BATCH_MAX,
    PLATFORMS,
    Platform,
    Twin,
    Wires,
    history,
    start,
    through,
    write_config,
)
from tests.broker.scene import DEADLINE_S, random_delay, say, wait_until
from tests.clusters import borrowed
from tests.unit.adapter_driver import Log, openers, said_in

pytestmark = pytest.mark.broker

KILL_S = 20.0
WORK_S = 0.5
NOTICES_A_KILL = 250
END_BATCH_MAX = 500


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    with borrowed() as running:
        yield running


class Trial:
    """One platform, killed again and again, beside its undisturbed twin."""

    def __init__(self, wires: Wires, platform: Platform, log: Log, twin: Twin, config: Path) -> None:
        self.wires = wires
        self.platform = platform
        self.log = log
        self.twin = twin
        self.config = config
        self.kills = 0
        self.amid = 0
        self.ends = Counter(one.position.partition for one in log.notices)

    def kill_once(self, rng: random.Random) -> None:
        """Start it, kill it at a random moment: of its start, or of its work."""
        child = start(self.config)
        if rng.random() < 0.8:
            before = self.platform.look().places
            self._wait(lambda: child.ended.is_set() or self.platform.look().places != before)
        random_delay(rng, WORK_S)
        assert not child.ended.is_set(), self._words()
        child.end(signal.SIGKILL, KILL_S)
        self.kills += 1
        self.compare()
        self.amid += self.platform.look().places != self.ends

    def compare(self) -> None:
        """What the adapter said is committed; the accounts are as the twin's are at the same places."""
        acks = asyncio.run(self.wires.acks())
        look = self.platform.look()
        early = {one: end for one, end in through(acks).items() if end >= look.places.get(one, 0)}
        assert early == {}, "acknowledged before it was committed"
        accounts = self.twin.go_to(look.places)
        if self.platform.exact:
            assert look.accounts == accounts
        said = said_in(acks, openers(self.log))
        beyond = {case: outcomes for case, outcomes in said.items() if not outcomes <= self.twin.said.get(case, set())}
        assert beyond == {}, "said what an undisturbed adapter never says"

    def end(self) -> None:
        """Let it finish, in larger batches, and compare everything."""
        write_config(self.config.parent, self.wires.servers, self.platform, batch_max=END_BATCH_MAX)
        child = start(self.config)
        self._wait(lambda: child.ended.is_set() or self._is_done(), 180.0)
        assert child.end(signal.SIGTERM, KILL_S), "it does not end when told"
        assert child.process.returncode == 0, self._words()
        look = self.platform.look()
        assert look.accounts == self.twin.go_to(self.ends)
        assert said_in(asyncio.run(self.wires.acks()), openers(self.log)) == self.twin.said
        # In one database nothing is done again. A service is asked again for the batch a kill left undone, no more.
        again = len(look.deeds) - len(set(look.deeds))
        assert again <= (0 if self.platform.exact else self.kills * BATCH_MAX)

    def _wait(self, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
        try:
            wait_until("the adapter goes on", condition, deadline_s)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self._words()}") from None

    def _is_done(self) -> bool:
        if self.platform.look().places != self.ends:
            return False
        return through(asyncio.run(self.wires.acks())) == {one: end - 1 for one, end in self.ends.items()}

    def _words(self) -> str:
        log = self.config.parent / "adapter.log"
        return log.read_text(errors="replace", encoding="utf-8")[-1_500:] if log.exists() else "it does not start"


def _through_kills(kind: str, kafka: EmbeddedKafka, folder: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    log, accounts = history(rng, numbers=40 * kills, notices=NOTICES_A_KILL * kills)
    platform: Platform = PLATFORMS[kind](folder)
    try:
        platform.fill(accounts)
        wires = Wires(kafka.bootstrap_servers)
        asyncio.run(wires.make(log))
        trial = Trial(wires, platform, log, Twin(log, accounts), write_config(folder, wires.servers, platform))
        for _ in range(kills):
            trial.kill_once(rng)
        left = sum(trial.ends.values()) - sum(platform.look().places.values())
        trial.end()
        say(f"{kind}: {kills} kills over {len(log.notices)} notices, {trial.amid} amid them, {left} left for the end")
        assert trial.amid > 0, "all kills came after the work"
    finally:
        platform.close()


@pytest.mark.parametrize("kind", PLATFORMS)
def test_a_killed_adapter_goes_on_as_if_nothing_had_been(kind: str, kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Ten kills at random points: accounts and words end as an undisturbed adapter's do, no deed is done twice."""
    _through_kills(kind, kafka, tmp_path, kills=10, seed=4)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", PLATFORMS)
def test_an_adapter_killed_a_hundred_times(kind: str, kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """The same over a hundred kills."""
    _through_kills(kind, kafka, tmp_path, kills=100, seed=5)
