"""This module sends every event at every stage, allowed or not, from the case's operator and from another one.

Each pair of a stage and an event is a cell of the lifecycle table. After its cell a life continues as if nothing had
happened, so that a refusal that changed something would be seen. For example, RESTORED is sent for a number that was
never given up, and must be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hub.core.model import DAY_MS, MINUTE_MS
from hub.local.worlds import ways
from hub.local.worlds.life import Draft, Life
from hub.local.worlds.ways import Way

REACH: dict[str, Way] = {
    "none": lambda life: life.wait(0.1, 1),
    "cooling": Life.cool,
    "scheduled": ways.to_scheduled,
    "released": ways.to_released,
    "reassigned": ways.to_reassigned,
    "restored": ways.to_restored,
    "withdrawn": ways.to_withdrawn,
}
"""How a number gets to each stage."""

LIVE = ("cooling", "scheduled", "released")


def _soon(life: Life) -> int:
    return life.now_ms + life.rng.randrange(1, 600) * MINUTE_MS


def _cooling(life: Life) -> Draft:
    at = _soon(life)
    return life.send("COOLING", occurred_at=at, cooling_until=at + 65 * DAY_MS, reissue_not_before=at + 70 * DAY_MS)


def _handover(life: Life, *, reason: str) -> Draft:
    at = _soon(life)
    return life.send("REASSIGNED", occurred_at=at, bound_before=at, reason=reason, reminders=1)


def _withdrawn(life: Life) -> Draft:
    named = life.rows[0].event_id if life.rows else life.uuid()
    return life.send("WITHDRAWN", occurred_at=_soon(life), supersedes=named)


SEND: dict[str, Callable[[Life], Draft]] = {
    "COOLING": _cooling,
    "RELEASE_SCHEDULED": lambda life: life.send("RELEASE_SCHEDULED", occurred_at=_soon(life), reminders=1),
    "RELEASED": lambda life: life.send("RELEASED", occurred_at=_soon(life)),
    "REASSIGNED": lambda life: life.send("REASSIGNED", occurred_at=_soon(life), reminders=1),
    "TRANSFER": partial(_handover, reason="TRANSFER"),
    "BACKFILL": partial(_handover, reason="BACKFILL"),
    "RESTORED": lambda life: life.send("RESTORED", occurred_at=_soon(life)),
    "WITHDRAWN": _withdrawn,
    "SUSPENDED": lambda life: life.send("SUSPENDED", occurred_at=_soon(life), reason="ARREARS"),
}
"""How each kind of event is sent, whatever the number's stage is."""


def go_on(life: Life, reach: str) -> None:
    """Send the rest of the way to a new owner, from the stage of a live case on."""
    if reach in LIVE:
        for step in (life.schedule, life.release, life.reassign)[LIVE.index(reach) :]:
            step()


def cell(life: Life, reach: str, kind: str) -> None:
    """Send one kind of event at one stage, which is one cell of the table."""
    REACH[reach](life)
    SEND[kind](life)
    go_on(life, reach)


def meddled_with(life: Life, reach: str) -> None:
    """Send every event as another operator, which is NOT_YOUR_CASE while the case is live; then the first continues."""
    REACH[reach](life)
    mine = life.operator
    life.operator, life.ported = life.rng.choice(life.others), True
    for send in SEND.values():
        send(life)
    life.operator, life.ported = mine, False
    go_on(life, reach)


def over_and_anothers(life: Life, kind: str) -> None:
    """Send an event as another operator once a case is over: it may open the next case, but not withdraw this one."""
    ways.to_reassigned(life)
    life.operator, life.ported = life.rng.choice(life.others), True
    SEND[kind](life)


CELLS: tuple[Way, ...] = (
    *(partial(cell, reach=reach, kind=kind) for reach in REACH for kind in SEND),
    *(partial(meddled_with, reach=reach) for reach in LIVE),
    *(partial(over_and_anothers, kind=kind) for kind in ("WITHDRAWN", "COOLING", "TRANSFER")),
)
