"""PairsNow under kill -9: however often it dies, it knows what a fresh fold of the logs knows, and coverage says."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub.clearance.pair_state import PairStore
from hub.clearance.pairs import PairsNow, following_pairs
from hub.core.model import DAY_MS, Outcome, Positions
from hub.local.children import Child
from hub.settings import WorkerSettings
from tests.broker import scene as scenes
from tests.broker import standing_child
from tests.broker.acking_crowd import Crowd
from tests.broker.scene import Feeder, Scene, now_ms, random_delay, wait_until

pytestmark = pytest.mark.broker

REACH_S = 120.0
LIFE_S = 4.0
"""A process takes about two seconds to its first merge, and writes every second. Half of them begin once it wrote."""

KILLS = [pytest.param(6, 4_000, id="short"), pytest.param(50, 40_000, id="full", marks=[pytest.mark.soak])]


def known(standings: PairsNow) -> dict[str, Any]:
    """Everything that is kept of the acks, as plain values."""
    state = standings.state
    return {
        "said": {
            (name, key, outcome): list(bits)
            for name, book in state.books.items()
            for key, tile in book.tiles.items()
            for outcome, bits in tile.said.items()
        },
        "received": {name: book.received for name, book in state.books.items() if book.received},
        "hours": {cohort: list(one) for cohort, one in state.cohorts.hours.items()},
    }


async def read_to_end(scene: Scene, folder: Path) -> tuple[Positions, dict[str, Any], dict[str, tuple[int, int]]]:
    """What a follower over a folder knows at the ends of the logs; and per platform what its cohorts add up to."""
    settings = WorkerSettings(scene.hub.address.bootstrap_servers, folder, "web-1")
    async with following_pairs(settings, scene.hub_log) as standings:
        assert await standings.reach(REACH_S)
        assert set((await standings.behind()).values()) == {0}
        days = [now_ms() // DAY_MS - day for day in range(3)]
        sums: dict[str, tuple[int, int]] = {}
        for one in standings.platforms:
            cells = standings.cells(one.id, days)
            sums[one.id] = (sum(cell.in_force for cell in cells), sum(cell.resolved for cell in cells))
        return standings.positions(), known(standings), sums


def live_and_die(command: list[str], console: Path, rng: random.Random, *, merges: bool) -> None:
    """One life of a follower, ended at a random moment by kill -9."""
    child = Child(command, console)
    if merges:
        wait_until(
            "it has written what it merged",
            lambda: standing_child.MERGING in console.read_text(encoding="utf-8"),
            REACH_S,
        )
    random_delay(rng, LIFE_S)
    assert not child.ended.is_set(), console.read_text(encoding="utf-8")
    child.end(signal.SIGKILL, 20.0)


@pytest.mark.parametrize(("kills", "acks"), KILLS)
def test_killed_at_any_moment_it_knows_what_a_fresh_fold_knows(tmp_path: Path, kills: int, acks: int) -> None:
    """Tiles, places and first effects survive kill -9 together: nothing is lost, and no first effect counts twice."""
    rng = random.Random(kills)
    with scenes.running(tmp_path / "hub") as scene:
        scene.put_operator("north", "+86135")
        crowd = Crowd(scene, 600, rng)
        feeder = Feeder(scene, crowd.messages(acks), per_second=acks / (kills * LIFE_S))
        folder = tmp_path / "killed"
        command = [sys.executable, "-m", standing_child.__name__, scene.hub.address.bootstrap_servers, str(folder)]
        for number in range(kills):
            # Every other one dies while it merges and writes, the rest at any moment of their start.
            live_and_die(command, tmp_path / f"child-{number}.log", rng, merges=number % 2 == 1)
        feeder.done()
        store = PairStore(folder / "standings" / "acks", scene.hub_log.log_id)
        read_before = sum(store.places(scene.hub_log.partitions).values())
        store.close()
        assert read_before > 0, "no life was long enough to write anything"
        killed_at, killed, sums = asyncio.run(read_to_end(scene, folder))
        fresh_at, fresh, fresh_sums = asyncio.run(read_to_end(scene, tmp_path / "fresh"))
        published = scene.final_coverage(crowd.platforms)
    assert killed_at._replace(now_ms=0) == fresh_at._replace(now_ms=0)
    assert killed == fresh
    assert Counter(outcome for _, _, outcome in fresh["said"]).keys() == set(Outcome)
    assert sums == fresh_sums == {one: (of.in_force, of.resolved) for one, of in published.items()}
