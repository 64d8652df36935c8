"""Made-up worlds: the same seed makes the same one, and a small one holds every trouble."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
import yaml
from typer.testing import CliRunner

from hub.cli.world import app
from hub.core.model import Breach, EventType, PlatformState, Refusal
from hub.errors import HubError
from hub.local.world import read_world as read_world_of_the_hub
from hub.local.worlds import make_world
from hub.local.worlds.making import Dealer
from tests.oracle.world_files import World, milliseconds, read_world
from tests.oracle.world_oracle import MOVES, OVER, Intake, expected_report

DAY = 86_400_000
SEEDS = (1, 2, 3)
NOT_A_FILES_FAULT = {
    *(Refusal.UNDECODABLE, Refusal.BAD_SIGNATURE, Refusal.WRONG_OPERATOR, Refusal.WRONG_PARTITION),
    *(Refusal.WRONG_PLATFORM, Refusal.OTHER_LOG, Refusal.BEYOND_LOG, Refusal.TOO_LARGE, Refusal.HUB_FAULT),
    *(Refusal.DROPPED, Refusal.WRONG_DIGEST),
}
"""Reasons that no row of a file can cause: its importer encodes, signs and addresses it, and a person drops."""

NOT_A_WORLDS_BREACH = {Breach.COUNT_MISMATCH, Breach.NOT_CLEARED, Breach.REISSUED_WHILE_BLOCKED}
"""A checkpoint is no row, and no roster of a world requires clearance."""


@pytest.fixture(scope="module", params=SEEDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of 300 cases."""
    place = tmp_path_factory.mktemp("worlds") / "world"
    make_world(place, seed=request.param, cases=300)
    return place


@pytest.fixture(scope="module")
def world(folder: Path) -> World:
    """The same as values."""
    return read_world(folder)


@pytest.fixture(scope="module")
def intake(world: World) -> Intake:
    """What the hub must decide on it."""
    return Intake(world)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_seed_is_a_world(tmp_path: Path) -> None:
    """The same seed makes the same bytes, another seed makes others."""
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_world(tmp_path / name, seed=seed, cases=40, platforms=30)
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")
    assert _bytes(tmp_path / "a")["accounts.csv"] != _bytes(tmp_path / "c")["accounts.csv"]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """A world is never written over what is there."""
    (tmp_path / "mine").touch()
    with pytest.raises(HubError, match="not empty"):
        make_world(tmp_path, seed=1, cases=10)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_command_makes_a_world(tmp_path: Path) -> None:
    """`world new` makes a world that can be read, as big as asked for."""
    done = CliRunner().invoke(app, ["new", str(tmp_path / "w"), "--seed", "9", "--cases", "50", "--platforms", "7"])
    assert done.exit_code == 0, done.output
    report = expected_report(tmp_path / "w")
    assert len(report["platforms"]) == 7
    assert sum(report["cases"].values()) >= 40


def test_every_reason_and_breach_occurs(folder: Path) -> None:
    """Every refusal and every breach that an operator's file can cause is in a world of 300 cases."""
    operators = expected_report(folder)["operators"].values()
    reasons = {reason for one in operators for reason in one["rejected"]}
    assert reasons == {reason.value for reason in set(Refusal) - NOT_A_FILES_FAULT}
    breaches = {breach for one in operators for breach in one["breaches"]}
    assert breaches == {breach.value for breach in set(Breach) - NOT_A_WORLDS_BREACH}
    assert all(sum(one[name] for one in operators) > 9 for name in ("duplicate", "unreadable"))


def test_every_cell_of_the_table_is_tried(intake: Intake) -> None:
    """Every legal move is made and every illegal one refused, in every stage a number can be in."""
    stages = {"none", *(stage for stage, _ in MOVES), *MOVES.values()}
    cells = Counter(
        (stage, row.type + (" handover" if row.reason in ("TRANSFER", "BACKFILL") else ""), verdict)
        for row, stage, verdict in intake.verdicts
    )
    for stage in stages:
        opens = stage in OVER or stage == "none"
        for kind in EventType:
            legal = opens if kind in ("COOLING", "SUSPENDED") else (stage, kind) in MOVES
            unknown = kind == "WITHDRAWN" and not legal
            assert cells[stage, kind.value, "accepted" if legal else "UNKNOWN_EVENT" if unknown else "OUT_OF_ORDER"]
        assert cells[stage, "REASSIGNED handover", "accepted" if opens else "OUT_OF_ORDER"]


def test_bounds_are_hit_to_the_millisecond(world: World) -> None:
    """Cooling of exactly 60 and 90 days, events exactly 24 h late and an hour ahead, and a millisecond off each."""
    lengths = {row.cooling_until - row.occurred_at for _, row in world.rows if row.cooling_until}
    assert lengths >= {days * DAY + off for days in (60, 90) for off in (-1, 0, 1)}
    delays = {published_at - row.occurred_at for published_at, row in world.rows}
    assert delays >= {DAY + off for off in (-1, 0, 1)} | {-DAY // 24 + off for off in (-1, 0, 1)}
    openers = {row.number: row for _, row in world.rows if row.type == "COOLING"}
    after_reissue = {
        row.occurred_at - (openers[row.number].reissue_not_before or 0)
        for _, row in world.rows
        if row.type == "REASSIGNED" and row.number in openers
    }
    assert after_reissue >= {-1, 0, 1}


def test_numbers_come_round_again(intake: Intake) -> None:
    """Some numbers are recycled twice, some three times, some by an operator they were ported to."""
    rounds = Counter(case.opener.number for case in intake.cases)
    assert {1, 2, 3} <= set(rounds.values())
    operators = {(case.opener.number, case.opener.operator) for case in intake.cases}
    assert len(operators) > len(rounds)
    assert {"TRANSFER", "BACKFILL"} <= {case.opener.reason for case in intake.cases}


def test_cases_end_in_every_stage_from_every_stage(intake: Intake) -> None:
    """Cases are withdrawn in every stage and restored in both that allow it."""
    undone = {(case.events[-2][2], case.stage) for case in intake.cases if case.stage in ("restored", "withdrawn")}
    assert undone == {(stage, to) for (stage, _), to in MOVES.items() if to in ("restored", "withdrawn")}


def test_the_roster_holds_every_kind(folder: Path) -> None:
    """Platforms of every state, tier and behaviour; every kind of gap; pending restores."""
    platforms = yaml.safe_load((folder / "platforms.yaml").read_text(encoding="utf-8"))
    assert {one["state"] for one in platforms} == {state.value for state in PlatformState}
    assert {one["tier"] for one in platforms} == {1, 2, 3}
    behaviours = {name for one in platforms for name in one.get("behaviour", {})}
    assert behaviours == {"fails_ending", "declines_ending", "mute_from", "deaf_from"}
    figures = expected_report(folder)["platforms"].values()
    gaps = {gap for one in figures for gap in one["gaps"]}
    assert gaps == {"frozen", "declined", "failed", "not_connected", "not_received", "no_outcome"}
    shown = {outcome for one in figures for outcome in one["outcomes"]}
    assert shown == {"UNBOUND", "NOT_BOUND", "FROZEN", "DECLINED", "FAILED", "REINSTATED"}
    assert any(one["restore_pending"] for one in figures)


def test_accounts_lie_on_every_side_of_a_case(world: World, intake: Intake) -> None:
    """Accounts of unknown age, bound exactly at `bound_before`, before and after it, and several of one pair."""
    bounds = {case.opener.number: case.bound_before for case in intake.cases}
    ages = {
        milliseconds(one["bound_at"]) - bounds[one["number"]]
        for one in world.accounts
        if one["bound_at"] and one["number"] in bounds
    }
    assert {-1, 0, 1} <= ages
    assert any(not one["bound_at"] for one in world.accounts)
    pairs = Counter((one["platform"], one["number"]) for one in world.accounts)
    assert max(pairs.values()) > 1
    assert any(number not in bounds for _, number in pairs)


def test_the_hub_reads_what_was_meant_to_be_read(folder: Path, world: World) -> None:
    """The hub's importer and the oracle agree on every row: its order, its number and whether it can be read."""
    read = read_world_of_the_hub(folder, {}, {})
    events = [(one.at_ms, one.operator, one.event.number) for one in read.timeline() if one.event]
    assert events == [(published_at, row.operator, row.number) for published_at, row in world.rows]
    assert {name: len(rows) for name, rows in read.unreadable.items()} == world.unreadable


def test_ranges_that_are_used_up_are_said_to_be() -> None:
    """A world that wants more numbers than its operators have ends with a sentence, not in an endless search."""
    dealer = Dealer(Random(1), 1, [{"id": "moor", "ranges": ["+861340000000"]}], (), 0)
    wanted = [dealer.number("moor") for _ in range(10)]
    assert len(set(wanted)) == 10
    with pytest.raises(HubError, match="hardly a number left"):
        dealer.number("moor")
