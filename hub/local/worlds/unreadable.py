"""This module makes rows that nobody can read, each wrong in one way; the rows around them must still be read.

For example, the row "unknown type" is a good row whose type is DELETED.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hub.local.worlds.life import Life
from hub.local.worlds.ways import Way


def _cell(cells: dict[str, str], *, name: str, value: str) -> bytes:
    return ",".join((cells | {name: value}).values()).encode()


def _cut(cells: dict[str, str]) -> bytes:
    return ",".join([*cells.values()][:7]).encode()


def _one_too_many(cells: dict[str, str]) -> bytes:
    return ",".join([*cells.values(), "x"]).encode()


def _no_utf8(cells: dict[str, str]) -> bytes:
    return _cell(cells, name="number", value="+8613\0").replace(b"\0", b"\xff")


SPOILERS: dict[str, Callable[[dict[str, str]], bytes]] = {
    "unknown type": partial(_cell, name="type", value="DELETED"),
    "type in lower case": partial(_cell, name="type", value="cooling"),
    "no type": partial(_cell, name="type", value=""),
    "unknown reason": partial(_cell, name="reason", value="BECAUSE"),
    "occurred yesterday": partial(_cell, name="occurred_at", value="yesterday"),
    "never occurred": partial(_cell, name="occurred_at", value=""),
    "no such day": partial(_cell, name="occurred_at", value="2026-02-30T00:00:00Z"),
    "no zone": partial(_cell, name="occurred_at", value="2026-02-03T04:05:06"),
    "record time garbled": partial(_cell, name="published_at", value="soon"),
    "cooling garbled": partial(_cell, name="cooling_until", value="60 days"),
    "reissue garbled": partial(_cell, name="reissue_not_before", value="2026-13-01T00:00:00Z"),
    "bound_before garbled": partial(_cell, name="bound_before", value="1700000000000"),
    "bad event id": partial(_cell, name="event_id", value="not-a-uuid"),
    "no event id": partial(_cell, name="event_id", value=""),
    "bad supersedes": partial(_cell, name="supersedes", value="1234"),
    "ported perhaps": partial(_cell, name="ported", value="perhaps"),
    "reminder without channel": partial(_cell, name="reminders", value="2026-02-03T04:05:06Z"),
    "reminder garbled": partial(_cell, name="reminders", value="tomorrow SMS"),
    "stray quote": partial(_cell, name="number", value='"+8613'),
    "cut short": _cut,
    "one field too many": _one_too_many,
    "not UTF-8": _no_utf8,
}
"""Functions of the cells of a good row, in their order; each returns the line that is written to the file."""


def spoilt(life: Life, spoils: Sequence[str]) -> None:
    """Send good rows, each with some copies behind it that cannot be read."""
    for step in (life.cool, life.schedule):
        row = step()
        for spoil in spoils:
            life.again(row, event_id=life.uuid(), spoil=spoil)
    life.release()


UNREADABLE: tuple[Way, ...] = tuple(partial(spoilt, spoils=[*SPOILERS][start::6]) for start in range(6))
