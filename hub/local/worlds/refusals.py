"""Rows that the hub must refuse or recognize: every reason an operator's file can cause, and repeats.

After most of them the life goes on as if nothing had been, so that a refusal that changed something would show.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hub.core.model import DAY_MS, HOUR_MS, MINUTE_MS
from hub.local.worlds import ways
from hub.local.worlds.life import Draft, Fields, Life
from hub.local.worlds.ways import Way

NUMBERS: dict[str, Callable[[str], str]] = {
    "too short": lambda number: number[:5],
    "too long": lambda number: number + "222",
    "a letter": lambda number: number[:-1] + "x",
    "no plus": lambda number: number[1:],
    "national": lambda number: number[3:],
    "00 for plus": lambda number: "00" + number[1:],
    "spaces": lambda number: f"{number[:3]} {number[3:]}",
    "space behind": lambda number: number + " ",
    "hyphen": lambda number: f"{number[:6]}-{number[6:]}",
    "full-width plus": lambda number: "＋" + number[1:],
    "extension": lambda number: number + ";ext=5",
    "as a URI": lambda number: "tel:" + number,
    "comma and quote": lambda number: number[:6] + ',"' + number[6:],
    "of nowhere": lambda number: "+999" + number[3:],
    "none": lambda _: "",
}
"""Ways to write a number that the hub must not take."""


def invalid_number(life: Life, wrong: str) -> None:
    """INVALID_NUMBER, of a note and of an opener."""
    number = NUMBERS[wrong](life.number)
    life.add(_as_new(life, life.cool(), number=number))
    life.add(_as_new(life, life.schedule(), number=number))


def _as_new(life: Life, row: Draft, **changes: object) -> Draft:
    """A row like that one, but another event, sent later."""
    return life.again(row, event_id=life.uuid(), **changes)


def other_range(life: Life) -> None:
    """NOT_YOUR_RANGE: neither in the operator's ranges nor ported."""
    row = life.cool()
    _as_new(life, row, operator=life.rng.choice(life.others))
    life.number, row = _foreign(life.number), life.schedule()
    _as_new(life, row, supersedes=life.opener.event_id, type="WITHDRAWN")


def _foreign(number: str) -> str:
    """The same digits within a range that no operator of the worlds has: +86170."""
    return number[:3] + "170" + number[6:]


def ported(life: Life) -> None:
    """Not in the ranges but ported: as good as any."""
    life.number, life.ported = _foreign(life.number), True
    ways.to_released(life)


def missing_field(life: Life, kind: str, name: str) -> None:
    """MISSING_FIELD, and then the same with nothing missing."""
    blank: Fields = {name: None}  # type: ignore[misc]
    if kind == "COOLING":
        life.cool(**blank)
        life.wait(0.1, 1)
        ways.to_released(life)
    elif kind == "WITHDRAWN":
        life.cool()
        life.wait(0.1, 1)
        life.withdraw(**blank)
        life.wait(0.1, 1)
        life.withdraw()
    else:
        life.hand_over(kind, **blank)
        life.wait(0.1, 1)
        life.hand_over(kind)


def other_operators_case(life: Life, reach: str, kind: str) -> None:
    """NOT_YOUR_CASE: another operator meddles in a live case; the first goes on."""
    REACH[reach](life)
    operator, life.ported = life.operator, True
    life.operator = life.rng.choice(life.others)
    SEND[kind](life)
    life.operator, life.ported = operator, False
    go_on(life, reach)


def withdraws_what_is_not_there(life: Life, what: str) -> None:
    """UNKNOWN_EVENT: a case withdrawn by an event that is none of its own."""
    first = life.cool()
    refused = life.hand_over("TRANSFER", occurred_at=life.now_ms + MINUTE_MS)
    life.wait(0.1, 1)
    note: Fields = {"supersedes": life.uuid()}
    if what == "refused":
        note = {"supersedes": refused.event_id}
    elif what == "earlier case":
        life.restore()
        life.wait(0.1, 1)
        life.cool()
        note = {"supersedes": first.event_id}
    elif what == "undone":
        life.restore()
        note = {"supersedes": first.event_id}
    life.wait(0.1, 1)
    life.send("WITHDRAWN", **note)


def withdrawn_by_another(life: Life) -> None:
    """UNKNOWN_EVENT: a case that is over is its operator's all the same."""
    ways.to_reassigned(life)
    life.wait(0.1, 1)
    life.operator, life.ported = life.rng.choice(life.others), True
    life.withdraw()


def reused_id(life: Life, near: bool, **changes: object) -> None:
    """EVENT_ID_REUSED: the id of an accepted event with other content, at once or after the whole case."""
    opener = life.cool()
    if near:
        life.again(opener, after_ms=1, **changes)
    ways_on(life)
    if not near:
        life.again(opener, after_ms=2 * DAY_MS, **changes)


def ways_on(life: Life) -> None:
    """From COOLING to the new owner."""
    life.schedule()
    life.release()
    life.reassign()


def reused_by_another(life: Life) -> None:
    """Ids are each operator's own: the same id from another is judged by itself."""
    ways.to_restored(life)
    life.again(life.opener, operator=life.rng.choice(life.others), ported=True, occurred_at=life.now_ms)
    life.wait(1, 3)


def repeated(life: Life, after_ms: int) -> None:
    """Duplicates: every event of a case once more with the same bytes."""
    ways.to_reassigned(life)
    for row in tuple(life.rows):
        life.again(row, after_ms=after_ms)


def repeated_at_once(life: Life) -> None:
    """A duplicate right behind each event, twice."""
    for step in (life.cool, life.schedule, life.release):
        row = step()
        life.again(row, after_ms=1)
        life.again(row, after_ms=1)


def repeated_after_undoing(life: Life) -> None:
    """A duplicate stays one when the case is undone and when the next is open: it opens nothing."""
    ways.to_restored(life)
    opener = life.opener
    life.again(opener)
    life.wait(1, 3)
    life.cool()
    life.again(opener)


def not_remembered(life: Life) -> None:
    """Refused events and notes are not remembered: said again they are judged again, and their ids are free."""
    note = life.send("SUSPENDED", reason="ARREARS")
    life.again(note)
    life.again(note, reason="FRAUD")
    refused = life.send("RELEASED")
    life.again(refused)
    opener = life.cool(occurred_at=life.now_ms + HOUR_MS)
    life.rows[-1] = opener = _with_id(opener, refused.event_id)
    life.again(opener)
    life.again(note)
    ways_on(life)


def _with_id(row: Draft, event_id: str) -> Draft:
    from dataclasses import replace

    return replace(row, event_id=event_id)


def arrived_swapped(life: Life) -> None:
    """RELEASED arrives before RELEASE_SCHEDULED, which is then out of order."""
    life.cool()
    scheduled = life.schedule()
    life.rows.pop()
    life.release()
    life.again(scheduled)
    life.reassign()


def two_wrongs(life: Life, first: str, second: str) -> None:
    """A row with two things wrong: the earlier check gives the reason."""
    life.send("SUSPENDED", reason="ARREARS")
    row = life.cool()
    life.again(row, **WRONGS[first](life, row), **WRONGS[second](life, row))
    life.schedule()


WRONGS: dict[str, Callable[[Life, Draft], dict[str, object]]] = {
    "number": lambda life, row: {"number": row.number + "0"},
    "id": lambda life, row: {"reason": None},
    "range": lambda life, row: {"operator": life.others[0], "event_id": life.uuid()},
    "field": lambda life, row: {"cooling_until": None},
    "time": lambda life, row: {"bound_before": row.occurred_at + DAY_MS},
    "order": lambda life, row: {"occurred_at": row.occurred_at + 1},
}
"""In the order of the checks; each is more wrong than one can be by oneself, for the id is the opener's."""

REACH: dict[str, Way] = {
    "none": lambda life: None,
    "cooling": lambda life: void(life.cool()),
    "scheduled": ways.to_scheduled,
    "released": ways.to_released,
    "reassigned": ways.to_reassigned,
    "restored": ways.to_restored,
    "withdrawn": ways.to_withdrawn,
}
"""How a number comes to stand where it stands."""


def void(_: Draft) -> None:
    """Sent, and that is all."""


def _next(life: Life) -> int:
    return life.now_ms + life.rng.randrange(1, 600) * MINUTE_MS


def _cell_withdrawn(life: Life) -> Draft:
    named = life.rows[0].event_id if life.rows else life.uuid()
    return life.send("WITHDRAWN", occurred_at=_next(life), supersedes=named)


SEND: dict[str, Callable[[Life], Draft]] = {
    "COOLING": lambda life: _as_new_opener(life),
    "RELEASE_SCHEDULED": lambda life: life.send("RELEASE_SCHEDULED", occurred_at=_next(life), reminders=1),
    "RELEASED": lambda life: life.send("RELEASED", occurred_at=_next(life)),
    "REASSIGNED": lambda life: life.send("REASSIGNED", occurred_at=_next(life), reminders=1),
    "TRANSFER": lambda life: _handover(life, "TRANSFER"),
    "BACKFILL": lambda life: _handover(life, "BACKFILL"),
    "RESTORED": lambda life: life.send("RESTORED", occurred_at=_next(life)),
    "WITHDRAWN": _cell_withdrawn,
    "SUSPENDED": lambda life: life.send("SUSPENDED", occurred_at=_next(life), reason="ARREARS"),
}
"""Every kind of event, sent wherever the number stands."""


def _as_new_opener(life: Life) -> Draft:
    at = _next(life)
    return life.send("COOLING", occurred_at=at, cooling_until=at + 65 * DAY_MS, reissue_not_before=at + 70 * DAY_MS)


def _handover(life: Life, reason: str) -> Draft:
    at = _next(life)
    return life.send("REASSIGNED", occurred_at=at, bound_before=at - DAY_MS, reason=reason, reminders=1)


def go_on(life: Life, reach: str) -> None:
    """What is left of the way from there."""
    steps = {"cooling": 0, "scheduled": 1, "released": 2}.get(reach, 3)
    for step in (life.schedule, life.release, life.reassign)[steps:]:
        step()


def cell(life: Life, reach: str, kind: str) -> None:
    """One cell of the lifecycle table, legal or not."""
    REACH[reach](life)
    SEND[kind](life)
    go_on(life, reach)


REFUSALS: tuple[Way, ...] = (
    *(partial(cell, reach=reach, kind=kind) for reach in REACH for kind in SEND),
    *(partial(invalid_number, wrong=wrong) for wrong in NUMBERS),
    *(partial(other_operators_case, reach=reach, kind=kind) for reach in ("cooling", "released") for kind in SEND),
    partial(other_operators_case, reach="scheduled", kind="RELEASED"),
)
