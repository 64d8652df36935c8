"""This module reads rosters from files: `operators.yaml` and `platforms.yaml` of a world.

For example, an entry of `operators.yaml` has `id: lake`, `ranges: ["+86134"]` and a `name` in `zh` and `en`.

Times are ISO 8601 with a zone. Ranges and account endings must be in quotes, because YAML takes +86134 for a number.
Names this version does not know are ignored, except within `behaviour`, where a misspelt one would change
what a platform does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from hub.core.model import Key, Names, Operator, Platform, PlatformState
from hub.errors import HubError
from hub.sdk.times import time_ms

V = TypeVar("V")

TIERS = (1, 2, 3)
COOLING_DAYS = (60, 90)


class Behaviour(NamedTuple):
    """This says how a platform of a world acts. Times mean notices whose `published_at` is at or after them."""

    fails_ending: str | None = None
    declines_ending: str | None = None
    mute_from: int | None = None
    deaf_from: int | None = None


def read_operators(path: Path, keys: Mapping[str, Key], since: int) -> list[Operator]:
    """Return the operators of a file.

    Args:
        keys: the public key of each operator id that has one.
        since: the time from which they owe daily reports, UTC milliseconds.

    Raises:
        HubError: the file cannot be read; the message names the entry and what is wrong with it.
    """
    return [_operator(entry, keys, since) for entry in _entries(path)]


def read_platforms(path: Path, keys: Mapping[str, Key]) -> list[tuple[Platform, Behaviour]]:
    """Return the platforms of a file, and how each acts in its world.

    Args:
        keys: the public key of each platform id that has one.

    Raises:
        HubError: the file cannot be read; the message names the entry and what is wrong with it.
    """
    return [(_platform(entry, keys), _behaviour(entry)) for entry in _entries(path)]


class _Entry:
    """This is one mapping of a roster file; it says what is wrong in it."""

    def __init__(self, where: str, fields: Mapping[Any, Any]) -> None:
        self.where = where
        self.fields = fields

    def wrong(self, name: str, todo: str) -> HubError:
        return HubError(f"{self.where}: {name} is missing or cannot be read", todo=todo)

    def maybe(self, name: str, read: Callable[[Any], V], todo: str) -> V | None:
        """Return the field, or None if it is missing or null."""
        value = self.fields.get(name)
        if value is None:
            return None
        try:
            return read(value)
        except (ValueError, TypeError, KeyError) as wrong:
            raise self.wrong(name, todo) from wrong

    def must(self, name: str, read: Callable[[Any], V], todo: str) -> V:
        """Return the field, which has to be there."""
        value = self.maybe(name, read, todo)
        if value is None:
            raise self.wrong(name, todo)
        return value

    def time(self, name: str) -> int | None:
        return self.maybe(name, _time, "Write ISO 8601 with a zone, such as 2026-01-31T08:00:00Z.")


def _entries(path: Path) -> list[_Entry]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise HubError(f"{path.name} cannot be opened ({wrong.strerror})", todo="Check the path.") from wrong
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise HubError(f"{path.name} is not YAML in UTF-8", todo="Write a YAML list, one mapping an entry.") from wrong
    if not isinstance(raw, list):
        raise HubError(f"{path.name} is not a list", todo="Write a YAML list, one mapping an entry.")
    return list(_named(path.name, raw))


def _named(file: str, raw: list[Any]) -> Iterator[_Entry]:
    seen: set[str] = set()
    for number, fields in enumerate(raw, 1):
        entry = _Entry(f"{file}, entry {number}", fields if isinstance(fields, dict) else {})
        name = entry.must("id", _text, "Give every entry an id of its own, in quotes if it looks like a number.")
        if name in seen:
            raise HubError(f"{file}: {name} is there twice", todo="Give every entry an id of its own.")
        seen.add(name)
        yield _Entry(f"{file}, {name}", entry.fields)


def _operator(entry: _Entry, keys: Mapping[str, Key], since: int) -> Operator:
    name = _text(entry.fields["id"])
    days = entry.maybe("cooling_days", _days, "Write [min, max], in days.") or COOLING_DAYS
    return Operator(
        id=name,
        name=entry.must("name", _names, "Write the name in `zh` and in `en`."),
        ranges=entry.must("ranges", _ranges, "List prefixes in quotes, such as '+86134'."),
        cooling_days_min=days[0],
        cooling_days_max=days[1],
        limit_daily=entry.maybe("limit_daily", _count, "Write a whole number."),
        limit_ported_daily=entry.maybe("limit_ported_daily", _count, "Write a whole number."),
        since=since,
        keys=(keys[name],) if name in keys else (),
        clearance_required=entry.maybe("clearance_required", _yes, "Write true or false.") or False,
    )


def _platform(entry: _Entry, keys: Mapping[str, Key]) -> Platform:
    name = _text(entry.fields["id"])
    state = entry.must("state", PlatformState, f"Use one of {', '.join(PlatformState)}.")
    left_at = entry.time("left_at")
    if (state is PlatformState.LEFT) != (left_at is not None):
        raise entry.wrong("left_at", "Give `left_at` to a platform that LEFT, and to no other.")
    return Platform(
        id=name,
        name=entry.must("name", _names, "Write the name in `zh` and in `en`."),
        sector=entry.must("sector", _text, "Name the sector."),
        tier=entry.must("tier", _tier, f"Use one of {', '.join(map(str, TIERS))}."),
        state=state,
        channel=entry.maybe("channel", _text, "Name the channel."),
        left_at=left_at,
        keys=(keys[name],) if name in keys else (),
        contact=entry.maybe("contact", _text, "Write it as text."),
        guide_url=entry.maybe("guide_url", _text, "Write it as text."),
        guide_steps=entry.maybe("guide_steps", _texts, "List the steps as text.") or (),
        must_connect=entry.maybe("must_connect", _yes, "Write true or false.") or False,
        users_estimate=entry.maybe("users_estimate", _count, "Write a whole number."),
    )


def _behaviour(entry: _Entry) -> Behaviour:
    fields = entry.maybe("behaviour", dict, "Write a mapping.") or {}
    inner = _Entry(f"{entry.where}, behaviour", fields)
    unknown = [name for name in fields if name not in Behaviour._fields]
    if unknown:
        raise inner.wrong(str(unknown[0]), f"Use only {', '.join(Behaviour._fields)}.")
    ending = "Write the ending in quotes."
    return Behaviour(
        fails_ending=inner.maybe("fails_ending", _text, ending),
        declines_ending=inner.maybe("declines_ending", _text, ending),
        mute_from=inner.time("mute_from"),
        deaf_from=inner.time("deaf_from"),
    )


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw:
        raise ValueError("not text")
    return raw


def _texts(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise ValueError("not a list")
    return tuple(_text(one) for one in raw)


def _ranges(raw: Any) -> tuple[str, ...]:
    ranges = _texts(raw)
    if not all(one[0] == "+" and one[1:].isdigit() and one.isascii() for one in ranges):
        raise ValueError("not prefixes")
    return ranges


def _names(raw: Any) -> Names:
    return Names(zh=_text(raw["zh"]), en=_text(raw["en"]))


def _count(raw: Any) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
        raise ValueError("not a count")
    return raw


def _tier(raw: Any) -> int:
    if raw not in TIERS or isinstance(raw, bool):
        raise ValueError("not a tier")
    return _count(raw)


def _yes(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("neither true nor false")
    return raw


def _days(raw: Any) -> tuple[int, int]:
    pair = [raw["min"], raw["max"]] if isinstance(raw, dict) else raw
    low, high = map(_count, pair)
    if low > high:
        raise ValueError("min is above max")
    return low, high


def _time(raw: Any) -> int:
    """Return the time in UTC milliseconds; YAML turns a time without quotes into a `datetime`."""
    return time_ms(raw.isoformat() if isinstance(raw, datetime) else _text(raw))
