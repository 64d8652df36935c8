"""A crowd of old owners, new owners and ordinary people at a login, without the hub and with it."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from hub.core.model import Outcome
from hub.sdk.adapter.settings import Listening, always_act
from hub.sdk.login.check import EVERYBODY, LoginCheck, LoginCheckSettings
from hub.wire import contracts
from tests.broker import scene as scenes
from tests.broker.scene import Scene, mobile_numbers, now_ms, say
from tests.stories.app import DriveApp, serving
from tests.stories.browser import Browser
from tests.stories.crowd import (
    AWAY,
    BACK,
    COLUMNS,
    GONE,
    ORDINARY,
    Crowd,
    Fate,
    Life,
    Tally,
    accounts,
    email,
    events,
    fates,
)
from tests.stories.joined import joined, open_database
from tests.stories.post import Post

pytestmark = pytest.mark.broker

SIZES = [
    pytest.param(2_000, id="short"),
    pytest.param(100_000, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3_600)]),
]
SEED = 20_261_122
FEW = 400
PROCESSES = os.cpu_count() or 1


@pytest.mark.parametrize("recycled", SIZES)
def test_no_stranger_gets_in_and_no_owner_stays_out(tmp_path: Path, recycled: int) -> None:
    """The same crowd, with and without the hub: with it no stranger gets in, no owner who can prove so stays out."""
    numbers = mobile_numbers(recycled * 2)
    world = fates(recycled, random.Random(SEED), numbers.__getitem__)
    without = _without(tmp_path, world)
    _show(f"without the hub, {recycled} recycled numbers", without)
    with scenes.running(tmp_path / "hub") as scene:
        scene.put_operator("north", "+86135")
        found, seconds = _with_hub(scene, tmp_path, world)
    _show(f"with it (notices through the hub in {seconds:.0f} s)", found)
    _went(without, world, adapter=False, check=False)
    _went(found, world, adapter=True, check=True)
    assert min(without.count("strangers in"), without.count("locked out"), found.count("cannot prove")) > recycled // 50
    assert (found.count("strangers in"), found.count("locked out")) == (0, 0)
    assert found.count("asked", Life.ORDINARY_NEW) == 0


@pytest.mark.parametrize("alone", ["the adapter", "the login check"])
def test_each_of_the_two_keeps_strangers_out_by_itself(tmp_path: Path, alone: str) -> None:
    """Frozen and unbound in time, no check is needed; where nothing was unbound, or told, the check alone is enough."""
    world = fates(FEW, random.Random(SEED), mobile_numbers(FEW * 2).__getitem__)
    url, checked = f"sqlite:///{tmp_path / 'drive.db'}", alone == "the login check"
    engine = open_database(url)
    DriveApp(engine, Post()).add_accounts(accounts(world, now_ms()))
    with scenes.running(tmp_path / "hub") as scene:
        scene.put_operator("north", "+86135")
        listening = (lambda _: Listening.RECEIVE_ONLY) if checked else always_act
        with joined(scene, "drive", engine, listening, fuse_unbinds_per_day=None) as beside:
            _tell(scene, world, now_ms())
            beside.catch_up()
            found = _crowd_at(url, world, check=checked)
            assert (beside.adapter.counts.unbound > 0) is not checked
    _show(f"with {alone} alone", found)
    _went(found, world, adapter=not checked, check=checked)
    let_in = {life for life in Life if found.count("strangers in", life)}
    assert let_in == (set() if checked else {Life.UNTOLD})


def _went(found: Tally, world: list[Fate], *, adapter: bool, check: bool) -> None:
    """Every column, by life, is what must come out of these people's fates."""
    expected = {column: Counter[Life]() for column in COLUMNS}
    for one in world:
        gone, known = one.life in GONE, one.life is not Life.UNTOLD
        protected = check or (adapter and known)  # of what was never told the adapter knows nothing
        # Known people on known phones, and bindings of which everything since was heard, are not asked.
        unsure = check and one.new_phone and one.life is not Life.ORDINARY_NEW
        # Where it is not known when the account was bound, nobody can say whose it is.
        doubted = (one.bound_days is None and protected) or (not known and check)
        expected["people"][one.life] += 2 if gone else 1
        expected["strangers in"][one.life] += gone and not protected
        expected["locked out"][one.life] += gone and not protected and one.thief and one.other_proof
        expected["asked"][one.life] += doubted if gone else unsure and one.life not in AWAY
        without_number = gone or one.life in AWAY
        expected["cannot prove"][one.life] += not one.other_proof and (without_number or unsure)
    assert {column: {life: found.count(column, life) for life in Life} for column in COLUMNS} == {
        column: {life: counted[life] for life in Life} for column, counted in expected.items()
    }


def _tell(scene: Scene, world: list[Fate], at_ms: int) -> None:
    """Everything the operator has to say of a world, through the hub."""
    rng = random.Random(SEED)
    scene.send(scene.event_message(one) for fate in world for one in events(fate, at_ms, rng, "north"))
    scene.flush()
    scene.settle(contracts.EVENTS)
    assert scene.rejected() == {}


def _without(folder: Path, world: list[Fate]) -> Tally:
    url = f"sqlite:///{folder / 'without.db'}"
    DriveApp(open_database(url), Post()).add_accounts(accounts(world, now_ms()))
    return _crowd_at(url, world, check=False)


def _with_hub(scene: Scene, folder: Path, world: list[Fate]) -> tuple[Tally, float]:
    """The crowd after everything the operator had to say went through the hub and the adapter acted on it."""
    url, at = f"sqlite:///{folder / 'with.db'}", now_ms()
    engine = open_database(url)
    DriveApp(engine, Post()).add_accounts(accounts(world, at))
    began = time.monotonic()
    with joined(scene, "drive", engine, fuse_unbinds_per_day=None) as beside:
        _tell(scene, world, at)
        beside.catch_up(deadline_s=1_200)
        taken = time.monotonic() - began
        tally = _crowd_at(url, world, check=True)
        _said(scene, world)
    return tally, taken


def _said(scene: Scene, world: list[Fate]) -> None:
    """The hub knows of each of these numbers: nothing is left but what is frozen, for its owner's sake."""
    scene.settle(contracts.ACKS)
    coverage = scene.final_coverage(["drive"])["drive"]
    in_force = sum(one.life not in (*BACK, *ORDINARY, Life.UNTOLD) for one in world)
    frozen = sum(pairs for outcome, pairs in coverage.outcomes if outcome is Outcome.FROZEN)
    assert (coverage.in_force, coverage.in_force - coverage.resolved) == (in_force, frozen)


def _crowd_at(url: str, world: list[Fate], *, check: bool) -> Tally:
    """The whole crowd, shared out to processes, each a server of the app over the one database and its visitors."""
    tally, shares = Tally(), [world[one::PROCESSES] for one in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        for one in pool.map(partial(_share_at, url, check), shares):
            tally.add(one)
    return tally


def _share_at(url: str, check: bool, world: list[Fate]) -> Tally:
    engine = open_database(url)
    app = DriveApp(engine, Post(), LoginCheck(engine, LoginCheckSettings(served=EVERYBODY)).check if check else None)
    new = [one for one in world if one.life is Life.ORDINARY_NEW]
    app.add_accounts((one.old, one.number, now_ms(), email(one, one.old)) for one in new)
    with serving(app.web) as address, Browser(address) as http:
        return Crowd(app, http, world).come(random.Random(SEED))


def _show(title: str, tally: Tally) -> None:
    row: Callable[..., str] = "{:>9} {:>13} {:>11} {:>13} {:>7}  {}".format
    lines = [title, row(*COLUMNS, "whose number is")]
    lines += [row(*(tally.count(column, life) for column in COLUMNS), life.value) for life in Life]
    ordinary = tally.count("asked", *ORDINARY)
    lines.append(row(*map(tally.count, COLUMNS), f"all; ordinary people asked for more: {ordinary}"))
    say("\n".join(lines))
