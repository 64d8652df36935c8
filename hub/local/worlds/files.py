"""This module writes the files of a made-up world.

For example, the events of the operator moor go to `events/moor.csv`, one row for each event.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import yaml

from hub.core.model import HOUR_MS
from hub.local.worlds.accounts import Account
from hub.local.worlds.life import SECOND_MS, Draft
from hub.local.worlds.unreadable import SPOILERS
from hub.sdk.times import iso_time

DISPLACED_PART = 0.02
"""The share of rows that are not in order of record time in their file: the hub makes the order of arrival, not the
file."""

ZONED_PART = 0.03
"""The share of rows whose times are written in another zone than UTC, with the same values."""

COLUMNS = (
    *("event_id", "number", "type", "occurred_at", "published_at", "cooling_until", "reissue_not_before"),
    *("bound_before", "reason", "ported", "reminders", "supersedes"),
)


def write_events(path: Path, rng: Random, rows: Iterable[Draft]) -> None:
    """Write an operator's file of events."""
    ordered = sorted(rows, key=lambda row: (row.published_at, row.event_id))
    for _ in range(int(len(ordered) * DISPLACED_PART)):
        ordered.insert(rng.randrange(len(ordered)), ordered.pop(rng.randrange(len(ordered))))
    with path.open("wb") as out:
        out.write(_line(COLUMNS))
        out.writelines(_event_line(row, zoned=rng.random() < ZONED_PART) for row in ordered)


def _event_line(row: Draft, *, zoned: bool) -> bytes:
    cells = {
        "event_id": row.event_id,
        "number": row.number,
        "type": row.type,
        "occurred_at": _time(row.occurred_at, zoned),
        "published_at": _time(row.published_at, zoned),
        "cooling_until": _time(row.cooling_until, zoned),
        "reissue_not_before": _time(row.reissue_not_before, zoned),
        "bound_before": _time(row.bound_before, zoned),
        "reason": row.reason or "",
        "ported": str(row.ported).lower(),
        "reminders": ";".join(f"{_time(at, zoned)} {channel}" for at, channel in row.reminders),
        "supersedes": row.supersedes or "",
    }
    assert tuple(cells) == COLUMNS, "cells stand under their names"
    return SPOILERS[row.spoil](cells) + b"\n" if row.spoil else _line([*cells.values()])


def _time(at_ms: int | None, zoned: bool = False) -> str:
    """Return a time in ISO 8601, with milliseconds only if they are not zero."""
    if at_ms is None:
        return ""
    text = iso_time(at_ms + 8 * HOUR_MS).replace("Z", "+08:00") if zoned else iso_time(at_ms)
    return text if at_ms % SECOND_MS else text.replace(".000", "")


def _line(cells: Sequence[str]) -> bytes:
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()


def write_accounts(path: Path, accounts: Iterable[Account]) -> None:
    """Write accounts.csv."""
    with path.open("wb") as out:
        out.write(_line(Account._fields))
        out.writelines(_line([*one[:3], _time(one.bound_at)]) for one in accounts)


def write_yaml(path: Path, content: Any) -> None:
    """Write a YAML file that people can read."""
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
