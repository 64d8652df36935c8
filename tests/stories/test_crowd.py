"""A crowd of old owners, new owners and ordinary people at a login, without the hub and with it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from hub import contracts
from hub.core.model import Outcome
from hub.sdk.login_check import LoginCheck
from tests.broker import scene as scenes
from tests.broker.scene import Scene, mobile_numbers, now_ms, say
from tests.stories.app import DriveApp, serving
from tests.stories.crowd import GONE, ORDINARY, Crowd, Fate, Life, Tally, accounts, events, fates
from tests.stories.joined import joined, open_database
from tests.stories.post import Post

pytestmark = pytest.mark.broker

SIZES = [
    pytest.param(2_000, id="short"),
    pytest.param(100_000, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3_600)]),
]
SEED = 20_261_122


@pytest.mark.parametrize("recycled", SIZES)
def test_no_stranger_gets_in_and_no_owner_stays_out(tmp_path: Path, recycled: int) -> None:
    """The same crowd, with and without the hub: with it no stranger gets in, no owner is left outside."""
    numbers = mobile_numbers(recycled * 2)
    world = fates(recycled, random.Random(SEED), numbers.__getitem__)
    without = _without(tmp_path, world)
    _show(f"without the hub, {recycled} recycled numbers", without)
    with scenes.running(tmp_path / "hub") as scene:
        scene.put_operator("north", "+86135")
        found, seconds = _with_hub(scene, tmp_path, world)
    _show(f"with it (notices through the hub in {seconds:.0f} s)", found)
    assert without.strangers_in.total() > recycled // 2
    assert without.locked_out.total() > 0
    assert (found.strangers_in.total(), found.locked_out.total()) == (0, 0)
    _nobody_is_bothered_in_vain(world, found)


def _nobody_is_bothered_in_vain(world: list[Fate], found: Tally) -> None:
    """Of ordinary people those alone are asked who come by an unknown phone and of whose binding nothing is sure."""
    sure = [one for one in world if one.life is Life.ORDINARY_NEW]
    unsure = [one for one in world if one.life is Life.ORDINARY and one.new_phone]
    assert len(sure) > len(world) // 10
    assert found.asked[Life.ORDINARY_NEW] == 0
    assert found.asked[Life.ORDINARY] == len(unsure)
    told = [one for one in world if one.life in GONE and one.bound_days is not None]
    asked = sum(found.asked[life] for life in GONE)
    assert asked == sum(one.life in GONE for one in world) - len(told)


def _without(folder: Path, world: list[Fate]) -> Tally:
    app = DriveApp(open_database(f"sqlite:///{folder / 'without.db'}"), Post())
    app.add_accounts(accounts(world, now_ms()))
    return _crowd_at(app, world)


def _with_hub(scene: Scene, folder: Path, world: list[Fate]) -> tuple[Tally, float]:
    """The crowd after everything the operator had to say went through the hub and the adapter acted on it."""
    engine = open_database(f"sqlite:///{folder / 'with.db'}")
    app = DriveApp(engine, Post(), LoginCheck(engine).check)
    at = now_ms()
    app.add_accounts(accounts(world, at))
    began = time.monotonic()
    with joined(scene, "drive", engine, fuse_unbinds_per_day=None) as beside:
        rng = random.Random(SEED)
        scene.send(scene.event_message(one) for fate in world for one in events(fate, at, rng, "north"))
        scene.flush()
        scene.settle(contracts.EVENTS)
        beside.catch_up(deadline_s=1_200)
        taken = time.monotonic() - began
        assert scene.rejected() == {}
        tally = _crowd_at(app, world)
        _said(scene, world)
    return tally, taken


def _said(scene: Scene, world: list[Fate]) -> None:
    """The hub knows of each of these numbers: nothing is left but what is frozen, for its owner's sake."""
    scene.settle(contracts.ACKS)
    coverage = scene.final_coverage(["drive"])["drive"]
    undone = (Life.RESTORED, Life.RESTORED_LATE, Life.WITHDRAWN, *ORDINARY)
    in_force = sum(one.life not in undone for one in world)
    frozen = sum(pairs for outcome, pairs in coverage.outcomes if outcome is Outcome.FROZEN)
    assert (coverage.in_force, coverage.in_force - coverage.resolved) == (in_force, frozen)


def _crowd_at(app: DriveApp, world: list[Fate]) -> Tally:
    new = [one for one in world if one.life is Life.ORDINARY_NEW]
    app.add_accounts((one.old, one.number, now_ms(), f"{one.old}@mail.example") for one in new)
    with serving(app.web) as url, httpx.Client(base_url=url, timeout=60) as http:
        return Crowd(app, http, world).come(random.Random(SEED))


def _show(title: str, tally: Tally) -> None:
    row: Callable[..., str] = "{:>9} {:>12} {:>10} {:>7}  {}".format
    counts = (tally.people, tally.strangers_in, tally.locked_out, tally.asked)
    lines = [title, row("people", "strangers in", "locked out", "asked", "whose number is")]
    lines += [row(*(count[life] for count in counts), life.value) for life in Life]
    lines.append(row(*(count.total() for count in counts), "all; ordinary people asked: " + str(tally.bothered())))
    say("\n".join(lines))
