"""Every cell of the lifecycle table, legal or not, by the case's operator and by another.

After its cell a life goes on as if nothing had been, so that a refusal that changed something would show.
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
"""How a number comes to stand where it stands."""

LIVE = ("cooling", "scheduled", "released")


def _soon(life: Life) -> int:
    return life.now_ms + life.rng.randrange(1, 600) * MINUTE_MS


def _cooling(life: Life) -> Draft:
    at = _soon(life)
    return life.send("COOLING", occurred_at=at, cooling_until=at + 65 * DAY_MS, reissue_not_before=at + 70 * DAY_MS)


def _handover(life: Life, *, reason: str) -> Draft:
    at = _soon(life)
    return life.send("REASSIGNED", occurred_at=at, bound_before=at - DAY_MS, reason=reason, reminders=1)


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
"""Every kind of event, sent wherever the number stands."""


def go_on(life: Life, reach: str) -> None:
    """What is left of the way to a new owner, from a live case's stage."""
    if reach in LIVE:
        for step in (life.schedule, life.release, life.reassign)[LIVE.index(reach) :]:
            step()


def cell(life: Life, reach: str, kind: str) -> None:
    """One cell of the table."""
    REACH[reach](life)
    SEND[kind](life)
    go_on(life, reach)


def meddled_with(life: Life, reach: str) -> None:
    """Everything another operator can send: NOT_YOUR_CASE while the case is live; the first goes on with it."""
    REACH[reach](life)
    mine = life.operator
    life.operator, life.ported = life.rng.choice(life.others), True
    for send in SEND.values():
        send(life)
    life.operator, life.ported = mine, False
    go_on(life, reach)


def over_and_anothers(life: Life, kind: str) -> None:
    """Once a case is over another operator may open the next, but not withdraw what is not its own."""
    ways.to_reassigned(life)
    life.operator, life.ported = life.rng.choice(life.others), True
    SEND[kind](life)


CELLS: tuple[Way, ...] = (
    *(partial(cell, reach=reach, kind=kind) for reach in REACH for kind in SEND),
    *(partial(meddled_with, reach=reach) for reach in LIVE),
    *(partial(over_and_anothers, kind=kind) for kind in ("WITHDRAWN", "COOLING", "TRANSFER")),
)
