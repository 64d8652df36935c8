"""This module sends events again, soon or late; ids with other content; and events in the wrong order.

A reused id stays with its number, because the hub compares ids within a partition. For example, COOLING comes twice
with the same bytes: the second is a duplicate and opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from hub.core.model import DAY_MS, HOUR_MS
from hub.local.worlds import ways
from hub.local.worlds.life import Draft, Life
from hub.local.worlds.ways import Way


def _repeated(life: Life, after_ms: int) -> None:
    """Send every event of a whole case once more, in order, when the case is over."""
    ways.to_reassigned(life)
    for row in tuple(life.rows):
        life.again(row, after_ms=after_ms)


def repeated_at_once(life: Life) -> None:
    """Send each event three times, one millisecond apart: two are duplicates."""
    for step in (life.cool, life.schedule, life.release):
        row = step()
        life.again(row, after_ms=1)
        life.again(row, after_ms=1)


def repeated_when_undone(life: Life) -> None:
    """Send an opener again when its case is undone, and again within the next case: a duplicate opens nothing."""
    ways.to_restored(life)
    opener = life.opener
    life.again(opener)
    life.wait(1, 3)
    life.cool()
    life.again(opener)


def repeated_by_another(life: Life) -> None:
    """Send events of another operator with the same ids: each operator has its own ids, so they are judged anew."""
    ways.to_restored(life)
    life.again(life.rows[-1], operator=life.rng.choice(life.others), ported=True)
    life.again(life.opener, operator=life.rng.choice(life.others), ported=True, occurred_at=life.now_ms)


def notes_repeated(life: Life) -> None:
    """Send a note again, and another one with its id: notes are not remembered, so each is a new note."""
    note = life.send("SUSPENDED", reason="ARREARS")
    life.again(note)
    life.again(note, reason="FRAUD")
    life.wait(1, 3)
    life.cool()
    life.again(note)


def refused_repeated(life: Life) -> None:
    """Send a refused event again, and another with its id: refused events are not remembered, so the id is free."""
    refused = life.send("RELEASED")
    life.again(refused)
    life.cool(occurred_at=life.now_ms + HOUR_MS)
    life.rows[-1] = opener = replace(life.rows[-1], event_id=refused.event_id)
    life.again(refused)
    life.again(opener)
    life.schedule()


OTHER_CONTENT: dict[str, Callable[[Draft], dict[str, Any]]] = {
    "reason": lambda _: {"reason": None},
    "time": lambda row: {"occurred_at": row.occurred_at + 1},
    "reminders": lambda row: {"reminders": (*row.reminders, (row.occurred_at, "SMS"))},
    "type": lambda _: {"type": "RESTORED"},
    "ported": lambda _: {"ported": True},
    "bound_before": lambda row: {"bound_before": row.occurred_at},
}
"""Content that differs from the opener's; the last one says the same in other bytes."""


def _reused(life: Life, other: str, near: bool) -> None:
    """Send an opener's id with other content, a millisecond later or when the case is over."""
    opener = life.cool()
    if near:
        life.again(opener, after_ms=1, **OTHER_CONTENT[other](opener))
    life.schedule()
    life.release()
    life.reassign()
    if not near:
        life.again(opener, after_ms=2 * DAY_MS, **OTHER_CONTENT[other](opener))


def arrived_swapped(life: Life) -> None:
    """Let RELEASED arrive before RELEASE_SCHEDULED, which is then out of order."""
    life.cool()
    scheduled = life.schedule()
    life.rows.pop()
    life.release()
    life.again(scheduled)
    life.reassign()


REPEATS: tuple[Way, ...] = (
    partial(_repeated, after_ms=1),
    partial(_repeated, after_ms=3 * DAY_MS),
    repeated_at_once,
    repeated_when_undone,
    repeated_by_another,
    notes_repeated,
    refused_repeated,
    *(partial(_reused, other=other, near=near) for other in OTHER_CONTENT for near in (True, False)),
    arrived_swapped,
)
