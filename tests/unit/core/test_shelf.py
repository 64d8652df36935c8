"""The coverage stage's decisions, carried out without a broker: killed at any step, it shows what the logs say."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hub.core.model import Judged, Received
from hub.core.shelf import Shelf
from hub.wire.contracts import ACKS, PLATFORMS
from tests.driver.coverage import CoverageDriver
from tests.unit.adversary_logs import PARTITIONS, World

STEPS = 80
SEEDS = [*range(25), 88, 133, 208, 231, 267, 279, 334, 395, 820]
"""The last ones are worlds in which a key counts otherwise across a takeover, in one of every few hundred."""


class AcksEarly(CoverageDriver):
    """Acks a chunk when it is merged."""

    def take(self, partition: int, count: int) -> None:
        super().take(partition, count)
        self.commit(partition, self.shelves[partition].next_ack)


class WritesNoReceived(CoverageDriver):
    """Does not write how far platforms received."""

    def flush(self, partition: int, *, steps: int | None = None) -> None:
        super().flush(partition, steps=steps)
        for key in [key for key, value in self.tiles[partition].items() if isinstance(value, Received)]:
            del self.tiles[partition][key]


class KnowsOneEpoch(CoverageDriver):
    """Takes in the tiles of one epoch alone when it takes a partition over."""

    def acquire(self, partition: int) -> Shelf:
        kept = self.tiles[partition]
        newest = max((key.rpartition(b"/")[2] for key in kept), default=b"")
        self.tiles[partition] = {key: value for key, value in kept.items() if key.endswith(newest)}
        return super().acquire(partition)


class RemovesTooMuch(CoverageDriver):
    """Removes the tiles of every other epoch with each flush, whatever was written in their place."""

    def flush(self, partition: int, *, steps: int | None = None) -> None:
        super().flush(partition, steps=steps)
        newest = max((key.rpartition(b"/")[2] for key in self.tiles[partition]), default=b"")
        for key in [key for key in self.tiles[partition] if not key.endswith(newest)]:
            del self.tiles[partition][key]


class AskedForNoDigest(CoverageDriver):
    """Counts acknowledgements whatever digest they give."""

    def acquire(self, partition: int) -> Shelf:
        shelf = super().acquire(partition)
        shelf.digests = _AnyDigest()
        return shelf


class _Anything(bytes):
    """Bytes that differ from no others."""

    def __ne__(self, other: object) -> bool:
        return False


class _AnyDigest:
    """Says of every notice what is hoped for."""

    def digest_of(self, _partition: int, _offset: int) -> bytes:
        return _Anything()


class NeverAgain(CoverageDriver):
    """Holds what it merged for right, whatever the roster says later."""

    def settle(self, shelf: Shelf) -> bool:
        shelf.sync_roster(self._roster_place())
        for platform in shelf.unsettled():
            shelf.settle(platform)
        return True


class ForgetsWhoJudged(CoverageDriver):
    """Does not write by which keys it judged, as stages of before did not."""

    def flush(self, partition: int, *, steps: int | None = None) -> None:
        super().flush(partition, steps=steps)
        for key in [key for key, value in self.tiles[partition].items() if isinstance(value, Judged)]:
            del self.tiles[partition][key]


class LooksToTheCommitted(CoverageDriver):
    """Judges again what was committed alone, although tiles may hold more."""

    def settle(self, shelf: Shelf) -> bool:
        held_to, shelf.exact_from = shelf.exact_from, 0
        try:
            return super().settle(shelf)
        finally:
            shelf.exact_from = held_to


def drive(seed: int, drives: type[CoverageDriver] = CoverageDriver) -> CoverageDriver:
    """A world, and a worker of its acknowledgements that dies now and then; in the end everything was read."""
    rng = random.Random(seed)
    world = World(rng)
    driver = drives(world, rng)
    zombies: list[tuple[Shelf, int]] = []
    for _ in range(STEPS):
        for _ in range(rng.randrange(3)):
            world.step()
        _do_something(driver, rng, zombies)
    _read_everything(driver)
    return driver


def _do_something(driver: CoverageDriver, rng: random.Random, zombies: list[tuple[Shelf, int]]) -> None:
    partition = rng.randrange(PARTITIONS)
    known = driver.known
    doing: dict[Callable[[], object], int] = {
        lambda: driver.take(partition, rng.randrange(1, 6)): 8,
        lambda: driver.flush(partition): 4,
        lambda: driver.refresh(partition): 2,
        lambda: known.read_on(*rng.choice([one for one in known.places if one[0] != ACKS]), rng.randrange(6)): 6,
        lambda: _die(driver, rng, partition, zombies): 2,
        lambda: driver.wake(*rng.choice(zombies)) if zombies else None: 1,
    }
    rng.choices(list(doing), list(doing.values()))[0]()


def _die(driver: CoverageDriver, rng: random.Random, partition: int, zombies: list[tuple[Shelf, int]]) -> None:
    """Die at any step of a flush, or between two of them; some live on as zombies."""
    if rng.random() < 0.7:
        driver.flush(partition, steps=rng.randrange(12))
    old = driver.kill(partition)
    if rng.random() < 0.5:
        zombies.append((old, partition))


def _read_everything(driver: CoverageDriver) -> None:
    driver.world.now_ms += 60_000  # what names too much is refused by now
    for topic, _ in driver.known.places:
        if topic != ACKS:
            driver.known.read_all(topic)
    for partition in range(PARTITIONS):
        driver.kill(partition)
        end = len(driver.world.logs[ACKS][partition])
        while driver.shelves[partition].next_ack < end:
            before = driver.shelves[partition].next_ack
            driver.take(partition, end)
            assert driver.shelves[partition].next_ack > before, "nothing waits for ever"
        assert driver.settle(driver.shelves[partition])
        driver.flush(partition)
        driver.refresh(partition)


def test_killed_at_any_step_it_shows_what_the_logs_say() -> None:
    """Whatever dies when, whatever keys are revoked and whatever a zombie writes: each figure is the recount's."""
    driven = [drive(seed) for seed in SEEDS]
    assert [difference for one in driven for difference in one.differences] == []
    assert sum(one.kills for one in driven) > 100
    assert sum(one.checked for one in driven) > 200
    assert {reason for one in driven for reason in one.refused.values()} >= {
        "BAD_SIGNATURE",
        "BEYOND_LOG",
        "WRONG_DIGEST",
    }


def test_a_marker_at_the_end_of_the_log_keeps_nothing_back() -> None:
    """Offsets that hold no message are acked too, and what was read up to them is the end: figures are exact there."""
    driver = drive(1)
    partition = next(one for one in range(PARTITIONS) if driver.world.logs[ACKS][one])
    end = driver.shelves[partition].next_ack
    shelf = driver.acquire(partition)
    shelf.begin(driver.known.places[PLATFORMS, 0], next_ack=end, exact_from=end + 2)
    assert not shelf.exact
    taken = shelf.take([], end + 2, lambda: driver.commit(partition, end + 2))
    assert (taken.messages, shelf.exact, shelf.next_ack) == ({}, True, end + 2)
    plan = shelf.flush()
    assert plan is not None
    assert (plan.refused, plan.at_ms) == ([], None)
    assert [one for one in plan.writes if not isinstance(one.value, Judged)] == []
    driver.carry_out(partition, plan, None)
    assert driver.committed[partition] == end + 2


@pytest.mark.soak
def test_killed_at_any_step_in_a_thousand_worlds() -> None:
    """The same over a thousand worlds."""
    assert [difference for seed in range(1_000) for difference in drive(seed).differences] == []


SPOILT = [AcksEarly, WritesNoReceived, KnowsOneEpoch, RemovesTooMuch, AskedForNoDigest, NeverAgain]
SPOILT += [ForgetsWhoJudged, LooksToTheCommitted]


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_stage_that_breaks_a_promise_is_noticed(spoilt: type[CoverageDriver]) -> None:
    """A stage that acks early, forgets a tile, compares no digest or never judges again differs from the recount."""
    assert any(drive(seed, spoilt).differences for seed in reversed(SEEDS))
