"""Rosters in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.core.model import Key, Names, Operator, Platform, PlatformState
from hub.errors import HubError
from hub.sdk.roster_files import Behaviour, read_operators, read_platforms

OPERATORS = """
- {id: lake, name: {zh: 湖, en: Lake}, ranges: ['+86155', '+86186'], silent_days: ['2026-01-01']}
- {id: north, name: {zh: 北, en: North}, ranges: ['+86135'], cooling_days: [30, 60], limit_daily: 5}
"""
PLATFORMS = """
- id: paybee
  name: {zh: 蜂付, en: PayBee}
  sector: payment
  tier: 1
  state: CONNECTED
- id: foodrun
  name: {zh: 跑饭, en: FoodRun}
  sector: delivery
  tier: 3
  state: LEFT
  left_at: '2026-06-01T00:00:00Z'
  channel: kafka
  contact: it@example
  guide_url: https://example/unbind
  guide_steps: [open, tap]
  must_connect: true
  users_estimate: 1000
  behaviour:
    fails_ending: '3'
    declines_ending: '07'
    mute_from: '2026-06-15T00:00:00+08:00'
    deaf_from: 2026-07-01T00:00:00Z
"""
KEY = Key("k", bytes(32), 0)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "roster.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_operators(tmp_path: Path) -> None:
    """An operator's record has its ranges, its cooling days or the usual ones, its key, and since when it reports."""
    assert read_operators(_file(tmp_path, OPERATORS), {"north": KEY}, since=7) == [
        Operator("lake", Names("湖", "Lake"), ("+86155", "+86186"), 60, 90, since=7),
        Operator("north", Names("北", "North"), ("+86135",), 30, 60, limit_daily=5, since=7, keys=(KEY,)),
    ]


def test_platforms(tmp_path: Path) -> None:
    """A platform's record has what the roster says of it, and its behaviour in the world beside it."""
    assert read_platforms(_file(tmp_path, PLATFORMS), {"paybee": KEY}) == [
        (
            Platform("paybee", Names("蜂付", "PayBee"), "payment", 1, PlatformState.CONNECTED, keys=(KEY,)),
            Behaviour(),
        ),
        (
            Platform(
                id="foodrun",
                name=Names("跑饭", "FoodRun"),
                sector="delivery",
                tier=3,
                state=PlatformState.LEFT,
                channel="kafka",
                left_at=1_780_272_000_000,
                contact="it@example",
                guide_url="https://example/unbind",
                guide_steps=("open", "tap"),
                must_connect=True,
                users_estimate=1000,
            ),
            Behaviour("3", "07", mute_from=1_781_452_800_000, deaf_from=1_782_864_000_000),
        ),
    ]


def _without(text: str, *lines: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.strip() not in lines)


BAD_PLATFORMS: list[tuple[str, Callable[[str], str]]] = [
    ("not a list", lambda _: "id: paybee"),
    ("not YAML", lambda _: "[{"),
    ("entry 1: id", lambda _: "- 7"),
    ("paybee is there twice", lambda text: text.replace("foodrun", "paybee")),
    ("paybee: name", lambda text: text.replace("{zh: 蜂付, en: PayBee}", "PayBee")),
    ("paybee: tier", lambda text: text.replace("tier: 1", "tier: 4")),
    ("paybee: tier", lambda text: text.replace("tier: 1", "tier: true")),
    ("paybee: state", lambda text: text.replace("CONNECTED", "JOINED")),
    ("foodrun: left_at", lambda text: _without(text, "left_at: '2026-06-01T00:00:00Z'")),
    ("foodrun: left_at", lambda text: text.replace("'2026-06-01T00:00:00Z'", "'2026-06-01'")),
    ("foodrun: left_at", lambda text: text.replace("LEFT", "CONNECTED")),
    ("behaviour: mute_form", lambda text: text.replace("mute_from", "mute_form")),
    ("behaviour: fails_ending", lambda text: text.replace("'3'", "3")),
    ("foodrun: users_estimate", lambda text: text.replace("1000", "many")),
    ("foodrun: must_connect", lambda text: text.replace("true", "'yes'")),
    ("foodrun: guide_steps", lambda text: text.replace("[open, tap]", "open")),
]


@pytest.mark.parametrize(("says", "spoil"), BAD_PLATFORMS)
def test_bad_platforms(tmp_path: Path, says: str, spoil: Callable[[str], str]) -> None:
    """A roster that cannot be read is refused, naming the entry, the field and what to write."""
    with pytest.raises(HubError, match=says):
        read_platforms(_file(tmp_path, spoil(PLATFORMS)), {})


@pytest.mark.parametrize(
    ("says", "old", "new"),
    [
        ("lake: ranges", "['+86155', '+86186']", "[+86155]"),
        ("lake: ranges", "['+86155', '+86186']", "['86155']"),
        ("north: cooling_days", "[30, 60]", "[60, 30]"),
        ("north: cooling_days", "[30, 60]", "30"),
        ("north: cooling_days", "[30, 60]", "{min: 30}"),
        ("north: limit_daily", "limit_daily: 5", "limit_daily: -5"),
    ],
)
def test_bad_operators(tmp_path: Path, says: str, old: str, new: str) -> None:
    """Ranges without quotes or a plus sign and cooling days that are no span are refused."""
    with pytest.raises(HubError, match=says):
        read_operators(_file(tmp_path, OPERATORS.replace(old, new)), {}, since=0)


def test_a_missing_roster(tmp_path: Path) -> None:
    """A roster that is not there is an error that says so."""
    with pytest.raises(HubError, match="cannot be opened"):
        read_operators(tmp_path / "none.yaml", {}, since=0)
