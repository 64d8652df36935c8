"""This module holds the life of one number: a time that moves on, and the rows that its operators' files get.

A life sends whatever it is told to send; the hub decides whether to accept it. The record times of a life only grow, so
that what was sent later also arrives later, except where a row is told when to arrive. For example, `cool()` and then
`restore()` give two rows, COOLING and RESTORED.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypedDict, Unpack
from uuid import UUID

from hub.core.model import DAY_MS, HOUR_MS, MINUTE_MS

SECOND_MS = 1_000
CHANNELS = ("SMS", "CALL", "APP")
REASONS = ("USER_REQUEST", "ARREARS", "FRAUD", "REVERIFICATION_FAILED", "OTHER")


@dataclass(frozen=True)
class Draft:
    """One row before it is written. `spoil` names what makes it unreadable, if anything (`unreadable.SPOILERS`)."""

    operator: str
    event_id: str
    number: str
    type: str
    occurred_at: int
    published_at: int
    cooling_until: int | None = None
    reissue_not_before: int | None = None
    bound_before: int | None = None
    reason: str | None = None
    ported: bool = False
    reminders: tuple[tuple[int, str], ...] = ()
    supersedes: str | None = None
    spoil: str | None = None


class Fields(TypedDict, total=False):
    """The fields of an event to send. Unless given, `occurred_at` is now and the rest is blank.

    `delay_ms` is the exact time from `occurred_at` to the record time; without it the row arrives within minutes, and
    after all rows sent before. `reminders` is their count.
    """

    occurred_at: int
    delay_ms: int
    reminders: int
    cooling_until: int | None
    reissue_not_before: int | None
    bound_before: int | None
    reason: str | None
    supersedes: str | None


class Life:
    """The life of one number.

    `now_ms` is the time that the life has reached. `rows` holds what was sent so far, and `openers` the rows that were
    sent to open cases. `customer_of` lists platforms where an old account is bound to the number for certain.
    """

    def __init__(self, rng: Random, operator: str, others: Sequence[str], number: str, starts_at: int) -> None:
        self.rng = rng
        self.operator = operator
        self.others = others
        self.number = number
        self.ported = False
        self.now_ms = starts_at
        self.rows: list[Draft] = []
        self.arrived_ms = starts_at
        self.openers: list[Draft] = []
        self.customer_of: list[str] = []

    @property
    def opener(self) -> Draft:
        """Return the row that opened the life's present case, as far as the life knows."""
        return self.openers[-1]

    @property
    def reissue_at(self) -> int:
        """Return the opener's `reissue_not_before`, or now if it has none."""
        return self.opener.reissue_not_before or self.now_ms

    def uuid(self) -> str:
        """Return a random UUID (RFC 9562, version 4) that follows from the world's seed."""
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def wait(self, low_days: float, high_days: float) -> None:
        """Let some time pass, in whole seconds."""
        self.now_ms += self.rng.randrange(int(low_days * 86_400), int(high_days * 86_400) + 1) * SECOND_MS

    def send(self, kind: str, **fields: Unpack[Fields]) -> Draft:
        """Send one event."""
        rest: dict[str, Any] = dict(fields)
        occurred_at = rest.pop("occurred_at", self.now_ms)
        delay_ms = rest.pop("delay_ms", None)
        soon = max(occurred_at + self.rng.randrange(1, 30 * 60) * SECOND_MS, self.arrived_ms + SECOND_MS)
        reminders = self._reminders(rest.pop("reminders", 0), occurred_at)
        return self.add(
            Draft(
                operator=self.operator,
                event_id=self.uuid(),
                number=self.number,
                type=kind,
                occurred_at=occurred_at,
                published_at=soon if delay_ms is None else occurred_at + delay_ms,
                ported=self.ported,
                reminders=reminders,
                **rest,
            )
        )

    def _reminders(self, count: int, before: int) -> tuple[tuple[int, str], ...]:
        times = sorted(before - self.rng.randrange(1, 5 * 86_400) * SECOND_MS for _ in range(count))
        return tuple((at, self.rng.choice(CHANNELS)) for at in times)

    def add(self, row: Draft) -> Draft:
        """Send a row that was made elsewhere."""
        self.rows.append(row)
        self.arrived_ms = max(self.arrived_ms, row.published_at)
        self.now_ms = max(self.now_ms, row.occurred_at)
        return row

    def again(self, row: Draft, *, after_ms: int | None = None, **changes: Any) -> Draft:
        """Send a row once more with changes, `after_ms` after the newest arrival; without it, within an hour."""
        after_ms = self.rng.randrange(1, HOUR_MS) if after_ms is None else after_ms
        return self.add(replace(row, published_at=self.arrived_ms + after_ms, **changes))

    def cool(self, *, cooling_ms: int | None = None, reissue_ms: int | None = None, **fields: Unpack[Fields]) -> Draft:
        """Open a case with COOLING.

        Args:
            cooling_ms: the length of cooling, in milliseconds; 60 to 90 days unless given.
            reissue_ms: the time from the end of cooling to `reissue_not_before`; up to 10 days unless given.
            fields: see `Fields`.
        """
        cooling_ms = self.rng.randrange(60 * 86_400, 90 * 86_400) * SECOND_MS if cooling_ms is None else cooling_ms
        reissue_ms = self.rng.randrange(10 * 86_400) * SECOND_MS if reissue_ms is None else reissue_ms
        until = fields.get("occurred_at", self.now_ms) + cooling_ms
        chosen: Fields = {
            "cooling_until": until,
            "reissue_not_before": until + reissue_ms,
            "reason": self.rng.choice(REASONS),
            "reminders": self.rng.randrange(2),
            **fields,
        }
        self.openers.append(self.send("COOLING", **chosen))
        return self.opener

    def hand_over(self, reason: str, /, **fields: Unpack[Fields]) -> Draft:
        """Open a case directly with REASSIGNED, for TRANSFER or BACKFILL."""
        held_ms = 0 if reason == "TRANSFER" else self.rng.randrange(1, 900) * DAY_MS
        before = fields.get("occurred_at", self.now_ms) - held_ms
        chosen: Fields = {"bound_before": before, "reminders": 1, **fields, "reason": reason}
        self.openers.append(self.send("REASSIGNED", **chosen))
        return self.opener

    def schedule(self, **fields: Unpack[Fields]) -> Draft:
        """Send RELEASE_SCHEDULED, up to five days before it is due."""
        due_at = self.reissue_at - 7 * DAY_MS - self.rng.randrange(1, 5 * 86_400) * SECOND_MS
        chosen: Fields = {"occurred_at": max(self.now_ms + MINUTE_MS, due_at), "reminders": 2, **fields}
        return self.send("RELEASE_SCHEDULED", **chosen)

    def release(self, **fields: Unpack[Fields]) -> Draft:
        """Send RELEASED, within half a day after the end of cooling."""
        ends_at = self.opener.cooling_until or self.now_ms
        soon = max(self.now_ms + MINUTE_MS, ends_at + self.rng.randrange(12 * 3_600) * SECOND_MS)
        chosen: Fields = {"occurred_at": soon, **fields}
        return self.send("RELEASED", **chosen)

    def reassign(self, **fields: Unpack[Fields]) -> Draft:
        """Send REASSIGNED, up to 20 days after the number may be given out again."""
        later = max(self.now_ms + MINUTE_MS, self.reissue_at + self.rng.randrange(20 * 86_400) * SECOND_MS)
        chosen: Fields = {"occurred_at": later, "reminders": 1, **fields}
        return self.send("REASSIGNED", **chosen)

    def restore(self, **fields: Unpack[Fields]) -> Draft:
        """Send RESTORED: the old owner has the number back."""
        return self.send("RESTORED", **fields)

    def withdraw(self, of: Draft | None = None, **fields: Unpack[Fields]) -> Draft:
        """Send WITHDRAWN: the case was a mistake. It names the case's opener, or `of` if that is given."""
        chosen: Fields = {"supersedes": (self.opener if of is None else of).event_id, **fields}
        return self.send("WITHDRAWN", **chosen)
