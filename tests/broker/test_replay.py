"""Worlds through the real thing: the report equals what other code worked out, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from hub.local.children import Supervised
from hub.local.replay import Replay
from hub.local.worlds import make_world
from tests.oracle.world_oracle import expected_report
from tests.places import SAMPLES

pytestmark = pytest.mark.broker

sample = pytest.mark.skipif(not (SAMPLES / "world").is_dir(), reason=f"the sample world is not at {SAMPLES}")
SESSION_TIMEOUT_S = 3.0
SEED = 11


async def _replayed(world: Path, folder: Path, *, kills: int = 0, adapter_kills: int = 0) -> dict[str, Any]:
    """The report of a replay during which processes were killed; recount has agreed."""
    trouble: list[asyncio.Task[None]] = []
    replay = Replay(
        world,
        folder,
        adapter_groups=3 if adapter_kills else 1,
        recount=True,
        session_timeout_s=SESSION_TIMEOUT_S,
        on_start=(lambda run: trouble.append(asyncio.create_task(_kill(run, kills, adapter_kills)))) if kills else None,
    )
    report = await replay.run()
    for task in trouble:
        assert task.done(), "the world was over before every kill was made"
        task.result()
    assert replay.differences == []
    logs = [*folder.glob("*.log"), *folder.glob("hub/*.log")]
    assert len(logs) >= 2
    for log in logs:
        found = re.search(r"(?<![\d.])(86)?1[3-9]\d{9}(?!\d)", log.read_text(encoding="utf-8"))
        assert not found, f"a phone number in {log.name}"
    return report


async def _kill(run: Replay, kills: int, adapter_kills: int) -> None:
    """Kill the worker and adapters as the world goes by, spread over its events at random."""
    rng = random.Random(SEED)
    total = sum(1 for one in run.world.timeline() if one.event is not None)
    moments = sorted(rng.randrange(total) for _ in range(kills + adapter_kills))
    victims = ["worker"] * kills + ["adapter"] * adapter_kills
    rng.shuffle(victims)
    without_state = rng.choice([index for index, victim in enumerate(victims) if victim == "worker"])
    groups = iter(run.adapters)
    for index, (moment, victim) in enumerate(zip(moments, victims, strict=True)):
        while run.sent < moment:
            await asyncio.sleep(0.02)
        if victim == "worker" and index == without_state:
            await _replace_without_state(run)
        else:
            await _kill_one(run.hub.workers[-1] if victim == "worker" else next(groups))


async def _kill_one(process: Supervised) -> None:
    restarts = process.restarts
    while process.restarts == restarts:
        process.send(signal.SIGKILL)
        await asyncio.sleep(0.02)


async def _replace_without_state(run: Replay) -> None:
    worker = run.hub.workers[-1]
    worker.send(signal.SIGKILL)
    await asyncio.to_thread(worker.stop)
    shutil.rmtree(run.hub.data_dir / worker.name)
    run.hub.add_worker(worker.name)


@sample
@pytest.mark.timeout(900)
async def test_the_sample_world_equals_its_expected_report(tmp_path: Path) -> None:
    """The sample world, replayed, gives exactly the report that independent code worked out, and recount agrees."""
    expected = json.loads((SAMPLES / "world-expected.json").read_text(encoding="utf-8"))
    assert await _replayed(SAMPLES / "world", tmp_path / "run") == expected


@pytest.mark.timeout(900)
async def test_a_new_world_equals_the_oracle_under_kills(tmp_path: Path) -> None:
    """A made-up world with every trouble gives the oracle's report though worker and adapters were killed meanwhile."""
    make_world(tmp_path / "world", seed=SEED, cases=300)
    report = await _replayed(tmp_path / "world", tmp_path / "run", kills=3, adapter_kills=2)
    assert report == expected_report(tmp_path / "world")


@sample
@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_the_sample_world_under_kills(tmp_path: Path) -> None:
    """Worker killed five times, two adapters once, RocksDB deleted once in between: the very same report."""
    expected = json.loads((SAMPLES / "world-expected.json").read_text(encoding="utf-8"))
    assert await _replayed(SAMPLES / "world", tmp_path / "run", kills=5, adapter_kills=2) == expected


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_other_worlds_equal_the_oracle(tmp_path: Path, seed: int) -> None:
    """Other made-up worlds give the oracle's report as well."""
    make_world(tmp_path / "world", seed=seed, cases=600)
    assert await _replayed(tmp_path / "world", tmp_path / "run") == expected_report(tmp_path / "world")
