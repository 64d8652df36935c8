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
from hub.sdk.adapter.settings import Listening, always_act
from hub.sdk.login.check import EVERYBODY, LoginCheck, LoginCheckSettings
from tests.broker import scene as scenes
from tests.broker.scene import Scene, mobile_numbers, now_ms, say
from tests.stories.app import DriveApp, serving
from tests.stories.crowd import COLUMNS, GONE, ORDINARY, Crowd, Fate, Life, Tally, accounts, events, fates
from tests.stories.joined import joined, open_database
from tests.stories.post import Post

pytestmark = pytest.mark.broker

SIZES = [
    pytest.param(2_000, id="short"),
    pytest.param(100_000, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3_600)]),
]
SEED = 20_261_122
FEW = 400


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
    assert without.count("strangers in") == sum(one.life in GONE for one in world)
    assert without.count("locked out") > recycled // 50
    assert (found.count("strangers in"), found.count("locked out")) == (0, 0)
    _nobody_is_bothered_in_vain(world, found)


@pytest.mark.parametrize("alone", ["the adapter", "the login check"])
def test_each_of_the_two_keeps_strangers_out_by_itself(tmp_path: Path, alone: str) -> None:
    """Frozen and unbound in time, no check is needed; and where nothing was unbound, the check alone is enough."""
    world = fates(FEW, random.Random(SEED), mobile_numbers(FEW * 2).__getitem__)
    engine = open_database(f"sqlite:///{tmp_path / 'drive.db'}")
    checked = alone == "the login check"
    app = DriveApp(engine, Post(), LoginCheck(engine, LoginCheckSettings(served=EVERYBODY)).check if checked else None)
    app.add_accounts(accounts(world, now_ms()))
    with scenes.running(tmp_path / "hub") as scene:
        scene.put_operator("north", "+86135")
        listening = (lambda _: Listening.RECEIVE_ONLY) if checked else always_act
        with joined(scene, "drive", engine, listening, fuse_unbinds_per_day=None) as beside:
            _tell(scene, world, now_ms())
            beside.catch_up()
            found = _crowd_at(app, world)
            assert (beside.adapter.counts.unbound > 0) is not checked
    _show(f"with {alone} alone", found)
    assert (found.count("strangers in"), found.count("locked out")) == (0, 0)


def _tell(scene: Scene, world: list[Fate], at_ms: int) -> None:
    """Everything the operator has to say of a world, through the hub."""
    rng = random.Random(SEED)
    scene.send(scene.event_message(one) for fate in world for one in events(fate, at_ms, rng, "north"))
    scene.flush()
    scene.settle(contracts.EVENTS)
    assert scene.rejected() == {}


def _nobody_is_bothered_in_vain(world: list[Fate], found: Tally) -> None:
    """Of ordinary people those alone are asked who come by an unknown phone and of whose binding nothing is sure."""
    sure = [one for one in world if one.life is Life.ORDINARY_NEW]
    unsure = [one for one in world if one.life is Life.ORDINARY and one.new_phone]
    assert len(sure) > len(world) // 10
    assert found.count("asked", Life.ORDINARY_NEW) == 0
    assert found.count("asked", Life.ORDINARY) == len(unsure)
    untold = [one for one in world if one.life in GONE and one.bound_days is None]
    assert found.count("asked", *GONE) == len(untold)


def _without(folder: Path, world: list[Fate]) -> Tally:
    app = DriveApp(open_database(f"sqlite:///{folder / 'without.db'}"), Post())
    app.add_accounts(accounts(world, now_ms()))
    return _crowd_at(app, world)


def _with_hub(scene: Scene, folder: Path, world: list[Fate]) -> tuple[Tally, float]:
    """The crowd after everything the operator had to say went through the hub and the adapter acted on it."""
    engine = open_database(f"sqlite:///{folder / 'with.db'}")
    app = DriveApp(engine, Post(), LoginCheck(engine, LoginCheckSettings(served=EVERYBODY)).check)
    at = now_ms()
    app.add_accounts(accounts(world, at))
    began = time.monotonic()
    with joined(scene, "drive", engine, fuse_unbinds_per_day=None) as beside:
        _tell(scene, world, at)
        beside.catch_up(deadline_s=1_200)
        taken = time.monotonic() - began
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
    row: Callable[..., str] = "{:>9} {:>13} {:>11} {:>7}  {}".format
    lines = [title, row(*COLUMNS, "whose number is")]
    lines += [row(*(tally.count(column, life) for column in COLUMNS), life.value) for life in Life]
    ordinary = tally.count("asked", *ORDINARY)
    lines.append(row(*map(tally.count, COLUMNS), f"all; ordinary people asked for more: {ordinary}"))
    say("\n".join(lines))
