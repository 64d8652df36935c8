"""This module makes rows that the hub must refuse for what they say, with one thing wrong or with two.

Most lives continue afterwards as if nothing had happened, so that a refusal that changed something would be seen. For
example, a COOLING without `cooling_until` must be refused as MISSING_FIELD, and the same row with it accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hub.core.model import DAY_MS, HOUR_MS
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
"""Ways to write a number that the hub must refuse."""


def invalid_numbers(life: Life, wrongs: Sequence[str]) -> None:
    """Send an opener and a later event with invalid numbers: INVALID_NUMBER."""
    for step in (life.cool, life.schedule):
        row = step()
        for wrong in wrongs:
            life.again(row, event_id=life.uuid(), number=NUMBERS[wrong](life.number))


def other_range(life: Life) -> None:
    """Send another operator's number, and one in nobody's range, without `ported`: NOT_YOUR_RANGE."""
    row = life.cool()
    life.again(row, event_id=life.uuid(), operator=life.rng.choice(life.others))
    life.again(row, event_id=life.uuid(), number=_foreign(life.number))
    life.schedule()


def ported(life: Life) -> None:
    """Send a ported number in nobody's range, which is accepted; without `ported` it is refused."""
    life.number, life.ported = _foreign(life.number), True
    life.cool()
    life.ported = False
    life.schedule()
    life.ported = True
    life.release()


def _foreign(number: str) -> str:
    """Return the same digits in +86170, which is no operator's range in these worlds."""
    return f"{number[:3]}170{number[6:]}"


def cooling_without(life: Life, blank: Fields) -> None:
    """Send COOLING without a field, which is MISSING_FIELD, then with every field."""
    life.cool(**blank)
    life.wait(0.1, 1)
    ways.to_released(life)


def handover_without_bound_before(life: Life, reason: str) -> None:
    """Send a handover without `bound_before`, which is MISSING_FIELD, then with it."""
    life.hand_over(reason, bound_before=None)
    life.wait(0.1, 1)
    life.hand_over(reason)


def withdrawn_without_a_name(life: Life) -> None:
    """Send WITHDRAWN without `supersedes`, which is MISSING_FIELD, then with it."""
    life.cool()
    life.wait(0.1, 1)
    life.withdraw(supersedes=None)
    life.withdraw()


def withdraws_a_stranger(life: Life) -> None:
    """Withdraw an event that nobody ever sent: UNKNOWN_EVENT."""
    life.cool()
    life.send("WITHDRAWN", supersedes=life.uuid())
    life.schedule()


def withdraws_a_refused_event(life: Life) -> None:
    """Withdraw an event of the same operator that was refused: UNKNOWN_EVENT."""
    life.cool()
    refused = life.send("REASSIGNED", occurred_at=life.now_ms + HOUR_MS)
    life.withdraw(refused)
    life.schedule()


def withdraws_a_note(life: Life) -> None:
    """Withdraw a note: UNKNOWN_EVENT, because notes are not remembered."""
    note = life.send("SUSPENDED", reason="ARREARS")
    life.wait(1, 3)
    life.cool()
    life.withdraw(note)


def withdraws_the_case_before(life: Life) -> None:
    """Withdraw an event of the number's case before the last: UNKNOWN_EVENT."""
    ways.to_reassigned(life)
    before = life.opener
    life.wait(0.1, 1)
    life.cool()
    life.withdraw(before)


def withdraws_twice(life: Life) -> None:
    """Withdraw a case that is undone already: UNKNOWN_EVENT."""
    ways.to_withdrawn(life)
    life.wait(0.1, 1)
    life.withdraw()


def before_the_first_year(life: Life) -> None:
    """Name a time before 1990, which is BAD_TIME, then none."""
    life.again(life.cool(bound_before=-life.rng.randrange(1, 10_000) * DAY_MS), event_id=life.uuid(), bound_before=None)


def cleans_up_what_was_cleaned_up(life: Life) -> None:
    """Hand over twice, and the second time name bindings from before the first: BAD_TIME."""
    first = life.hand_over("TRANSFER")
    life.wait(1, 30)
    life.hand_over("BACKFILL", bound_before=first.occurred_at - life.rng.randrange(1, 30) * DAY_MS)
    life.wait(1, 30)
    life.hand_over("BACKFILL", bound_before=first.occurred_at)


WRONGS: dict[str, Callable[[Life, Draft], dict[str, Any]]] = {
    "number": lambda _, row: {"number": row.number + "0"},
    "reused": lambda _, row: {"event_id": row.event_id, "reason": None},
    "range": lambda life, _: {"operator": life.others[0], "ported": False},
    "field": lambda *_: {"cooling_until": None},
    "time": lambda _, row: {"bound_before": row.occurred_at + DAY_MS},
    "another's": lambda life, _: {"operator": life.others[0], "ported": True},
    "reversed": lambda _, row: {"occurred_at": row.occurred_at - 1},
}
"""What can be wrong with a second COOLING, which is out of order in any case."""


def wrong_in_two_ways(life: Life, first: str) -> None:
    """Send rows with two things wrong: the check that comes first gives the reason."""
    row = life.cool()
    later = [*WRONGS][[*WRONGS].index(first) + 1 :]
    for second in later:
        life.again(row, **{"event_id": life.uuid(), **WRONGS[first](life, row), **WRONGS[second](life, row)})
    life.schedule()


REFUSALS: tuple[Way, ...] = (
    *(partial(invalid_numbers, wrongs=[*NUMBERS][start::4]) for start in range(4)),
    other_range,
    ported,
    partial(cooling_without, blank={"cooling_until": None}),
    partial(cooling_without, blank={"reissue_not_before": None}),
    partial(cooling_without, blank={"cooling_until": None, "reissue_not_before": None}),
    partial(handover_without_bound_before, reason="TRANSFER"),
    partial(handover_without_bound_before, reason="BACKFILL"),
    withdrawn_without_a_name,
    withdraws_a_stranger,
    withdraws_a_refused_event,
    withdraws_a_note,
    withdraws_the_case_before,
    withdraws_twice,
    before_the_first_year,
    cleans_up_what_was_cleaned_up,
    *(partial(wrong_in_two_ways, first=first) for first in WRONGS),
)
