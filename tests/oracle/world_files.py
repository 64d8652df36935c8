"""A world's files as plain values. Shares nothing with the hub's importers.

A row is readable when every field is: its type and reason are known words, its times are ISO 8601 with a zone,
its UUIDs are UUIDs, `ported` is true or false, and it has as many fields as the header. A row is a line.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

TYPES = {"SUSPENDED", "COOLING", "RESTORED", "RELEASE_SCHEDULED", "RELEASED", "REASSIGNED", "WITHDRAWN"}
REASONS = {"USER_REQUEST", "ARREARS", "FRAUD", "REVERIFICATION_FAILED", "TRANSFER", "BACKFILL", "OTHER"}
TIMES = ("occurred_at", "cooling_until", "reissue_not_before", "bound_before")


@dataclass(frozen=True)
class Row:
    """A readable row. Everything but `published_at` is what the operator signs."""

    operator: str
    event_id: str
    number: str
    type: str
    occurred_at: int
    cooling_until: int | None
    reissue_not_before: int | None
    bound_before: int | None
    reason: str | None
    ported: bool
    reminders: tuple[tuple[int, str], ...]
    supersedes: str | None


@dataclass(frozen=True)
class World:
    """Everything a world says. `rows` in the order of arrival, each with its record time."""

    operators: list[dict[str, Any]]
    platforms: list[dict[str, Any]]
    accounts: list[dict[str, str]]
    rows: list[tuple[int, Row]]
    unreadable: dict[str, int]
    starts_at: int
    ends_at: int


def milliseconds(text: str) -> int:
    """An ISO 8601 time with a zone as UTC milliseconds; ValueError if it is none."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError("no zone")
    return (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _cells(line: bytes) -> list[str]:
    """The cells of one line; a row never goes on in the next."""
    (cells,) = csv.reader([line.decode("utf-8")], strict=True)
    return cells


def _uuid(text: str) -> str:
    if str(UUID(text)) != text.lower():
        raise ValueError("not the usual form of a UUID")
    return text.lower()


def _word(text: str, known: set[str]) -> str:
    if text not in known:
        raise ValueError("unknown word")
    return text


def _reminders(text: str) -> tuple[tuple[int, str], ...]:
    pairs = [one.split(" ", 1) for one in text.split(";")] if text else []
    if any(len(pair) != 2 or not pair[1].strip() for pair in pairs):
        raise ValueError("a reminder is a time and a channel")
    return tuple((milliseconds(at), channel) for at, channel in pairs)


def _row(operator: str, header: list[str], cells: list[str]) -> tuple[int, Row]:
    raw = dict(zip(header, cells, strict=True))
    times = {name: milliseconds(raw[name]) if raw[name] else None for name in TIMES[1:]}
    row = Row(
        operator=operator,
        event_id=_uuid(raw["event_id"]),
        number=raw["number"],
        type=_word(raw["type"], TYPES),
        occurred_at=milliseconds(raw["occurred_at"]),
        cooling_until=times["cooling_until"],
        reissue_not_before=times["reissue_not_before"],
        bound_before=times["bound_before"],
        reason=_word(raw["reason"], REASONS) if raw["reason"] else None,
        ported=_word(raw["ported"].lower() or "false", {"true", "false"}) == "true",
        reminders=_reminders(raw["reminders"]),
        supersedes=_uuid(raw["supersedes"]) if raw["supersedes"] else None,
    )
    return milliseconds(raw["published_at"]), row


def read_world(folder: Path) -> World:
    """All files of a world. Rows that nobody can read are only counted."""
    about = yaml.safe_load((folder / "world.yaml").read_text(encoding="utf-8"))
    operators = yaml.safe_load((folder / "operators.yaml").read_text(encoding="utf-8"))
    rows: list[tuple[int, Row]] = []
    unreadable: dict[str, int] = {}
    for operator in operators:
        unreadable[operator["id"]] = 0
        path = folder / "events" / f"{operator['id']}.csv"
        header, *lines = path.read_bytes().split(b"\n")
        for line in filter(None, lines):
            try:
                rows.append(_row(operator["id"], _cells(header), _cells(line)))
            except (ValueError, csv.Error):
                unreadable[operator["id"]] += 1
    rows.sort(key=lambda one: (one[0], one[1].event_id))
    with (folder / "accounts.csv").open(encoding="utf-8", newline="") as file:
        accounts = list(csv.DictReader(file))
    platforms = yaml.safe_load((folder / "platforms.yaml").read_text(encoding="utf-8"))
    times = (milliseconds(about["starts_at"]), milliseconds(about["ends_at"]))
    return World(operators, platforms, accounts, rows, unreadable, *times)
