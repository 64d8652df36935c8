"""This module reads a world from disk: who is in it, and what happens when. `hub.local.worlds` makes new worlds.

For example, a row of `events/moor.csv` becomes a `Happening` of the operator moor at the row's `published_at`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

import yaml

from hub.core.model import DAY_MS, HOUR_MS, MINUTE_MS, Key, NumberEvent, Operator, Platform
from hub.errors import HubError
from hub.sdk.operators.importer import ImportedEvent, UnreadableRow, importer_for
from hub.sdk.roster_files import Behaviour, read_operators, read_platforms
from hub.sdk.times import time_ms

REPORT_DELAY_MS = 5 * MINUTE_MS
"""How long after a day's end an operator sends its report; the duty allows an hour."""

EPOCH = date(1970, 1, 1)


class WorldAccount(NamedTuple):
    """A row of accounts.csv. `bound_at` is in UTC milliseconds, or None if it is unknown."""

    account_id: str
    number: str
    bound_at: int | None


class Happening(NamedTuple):
    """An event, or an operator's report of a day (then `event` is None), with its record time."""

    at_ms: int
    operator: str
    event: NumberEvent | None
    day: int


@dataclass
class World:
    """A world that was read. `unreadable` holds the rows that could not be read, by operator.

    `authority` says whether the rules of authority hold in it: `authority: true` in `world.yaml`.
    """

    directory: Path
    starts_at: int
    ends_at: int
    operators: list[Operator]
    platforms: list[tuple[Platform, Behaviour]]
    silent_days: dict[str, set[int]]
    unreadable: dict[str, list[UnreadableRow]] = field(default_factory=dict)
    authority: bool = False

    def accounts(self) -> dict[str, list[WorldAccount]]:
        """Return the accounts by platform."""
        found: dict[str, list[WorldAccount]] = {}
        with (self.directory / "accounts.csv").open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                bound_at = time_ms(row["bound_at"]) if row["bound_at"] else None
                found.setdefault(row["platform"], []).append(WorldAccount(row["account_id"], row["number"], bound_at))
        return found

    def timeline(self) -> list[Happening]:
        """Return everything that operators send, in order of record time, then of event id; this fills `unreadable`."""
        happenings = [one for operator in self.operators for one in self._events(operator.id)]
        happenings += [one for operator in self.operators for one in self._reports(operator.id)]
        return sorted(happenings, key=lambda one: (one.at_ms, one.event.event_id if one.event else b""))

    def _events(self, operator: str) -> Iterator[Happening]:
        path = self.directory / "events" / f"{operator}.csv"
        unreadable = self.unreadable[operator] = []
        if not path.exists():
            return
        for row in importer_for(path, operator).read(path):
            if isinstance(row, UnreadableRow):
                unreadable.append(row)
            elif row.published_at is None:
                unreadable.append(_undated(row))
            else:
                yield Happening(row.published_at, operator, row.event, 0)

    def _reports(self, operator: str) -> Iterator[Happening]:
        for day in range(self.starts_at // DAY_MS, self.ends_at // DAY_MS + 1):
            at_ms = (day + 1) * DAY_MS + REPORT_DELAY_MS
            if at_ms <= self.ends_at and day not in self.silent_days[operator]:
                yield Happening(at_ms, operator, None, day)


assert REPORT_DELAY_MS < HOUR_MS


def _undated(row: ImportedEvent) -> UnreadableRow:
    return UnreadableRow(row.line, "published_at is blank", "A world needs the record time of every row.")


def read_world(directory: Path, operator_keys: dict[str, Key], platform_keys: dict[str, Key]) -> World:
    """Read a world.

    Raises:
        HubError: a file of the world is missing or cannot be read.
    """
    try:
        raw = yaml.safe_load((directory / "world.yaml").read_text(encoding="utf-8"))
        starts_at, ends_at = time_ms(str(raw["starts_at"])), time_ms(str(raw["ends_at"]))
        operators = yaml.safe_load((directory / "operators.yaml").read_text(encoding="utf-8"))
        silent = {one["id"]: {_day(day) for day in one.get("silent_days") or ()} for one in operators}
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as wrong:
        raise HubError(
            f"{directory} is not a world: {type(wrong).__name__}",
            todo="Give a folder with world.yaml, operators.yaml, platforms.yaml, accounts.csv and events/.",
        ) from wrong
    return World(
        directory=directory,
        starts_at=starts_at,
        ends_at=ends_at,
        operators=read_operators(directory / "operators.yaml", operator_keys, starts_at),
        platforms=read_platforms(directory / "platforms.yaml", platform_keys),
        silent_days=silent,
        authority=raw.get("authority") is True,
    )


def _day(raw: object) -> int:
    return (date.fromisoformat(str(raw)) - EPOCH).days
