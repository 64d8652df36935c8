"""The life of one number: a cursor in time, and the rows its operators' files get.

A life sends whatever it is told to send; whether the hub accepts it is the hub's part. Record times of a life only
grow, so that what was sent later also arrives later, except where a row is told to arrive at a time of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from hub.core.model import DAY_MS, HOUR_MS, MINUTE_MS

SECOND_MS = 1_000
CHANNELS = ("SMS", "CALL", "APP")
REASONS = ("USER_REQUEST", "ARREARS", "FRAUD", "REVERIFICATION_FAILED", "OTHER")


@dataclass(frozen=True)
class Draft:
    """One row to be. `spoil` names what makes it unreadable, if anything does (`unreadable.SPOILERS`)."""

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


class Life:
    """One number. `now_ms` is where its life has come to; `rows` what was sent so far."""

    def __init__(self, rng: Random, operator: str, others: list[str], number: str, starts_at: int) -> None:
        self.rng = rng
        self.operator = operator
        self.others = others
        self.number = number
        self.ported = False
        self.now_ms = starts_at
        self.rows: list[Draft] = []
        self._arrived_ms = starts_at
        self._opener: Draft | None = None

    @property
    def opener(self) -> Draft:
        """What opened the case this life is in, as far as this life knows."""
        assert self._opener is not None, "no case was opened"
        return self._opener

    @property
    def last(self) -> Draft:
        """The row sent last."""
        return self.rows[-1]

    def uuid(self) -> str:
        """A random UUID (RFC 9562, version 4) out of the world's seed."""
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def wait(self, low_days: float, high_days: float) -> None:
        """Let some time pass, in whole seconds."""
        self.now_ms += self.rng.randrange(int(low_days * 86_400), int(high_days * 86_400) + 1) * SECOND_MS

    def some_reminders(self, count: int) -> tuple[tuple[int, str], ...]:
        """Reminders sent in the last days before now."""
        times = sorted(self.now_ms - self.rng.randrange(1, 5 * 86_400) * SECOND_MS for _ in range(count))
        return tuple((at, self.rng.choice(CHANNELS)) for at in times)

    def send(
        self,
        kind: str,
        *,
        occurred_at: int | None = None,
        delay_ms: int | None = None,
        reminders: int = 0,
        cooling_until: int | None = None,
        reissue_not_before: int | None = None,
        bound_before: int | None = None,
        reason: str | None = None,
        supersedes: str | None = None,
    ) -> Draft:
        """Send one event.

        Args:
            occurred_at: now, unless said otherwise.
            delay_ms: from `occurred_at` to the record time, taken exactly; else minutes, and after all sent before.
        """
        occurred_at = self.now_ms if occurred_at is None else occurred_at
        published_at = occurred_at + (self.rng.randrange(1, 30 * 60) * SECOND_MS if delay_ms is None else delay_ms)
        if delay_ms is None:
            published_at = max(published_at, self._arrived_ms + SECOND_MS)
        row = Draft(
            operator=self.operator,
            event_id=self.uuid(),
            number=self.number,
            type=kind,
            occurred_at=occurred_at,
            published_at=published_at,
            cooling_until=cooling_until,
            reissue_not_before=reissue_not_before,
            bound_before=bound_before,
            reason=reason,
            ported=self.ported,
            reminders=self.some_reminders(reminders),
            supersedes=supersedes,
        )
        return self.add(row)

    def add(self, row: Draft) -> Draft:
        """Send a row made elsewhere."""
        self.rows.append(row)
        self._arrived_ms = max(self._arrived_ms, row.published_at)
        self.now_ms = max(self.now_ms, row.occurred_at)
        return row

    def again(self, row: Draft, *, after_ms: int | None = None, **changes: object) -> Draft:
        """Send a row once more with changes, so long after the newest arrival (a millisecond to an hour)."""
        after_ms = self.rng.randrange(1, HOUR_MS) if after_ms is None else after_ms
        return self.add(replace(row, published_at=self._arrived_ms + after_ms, **changes))  # type: ignore[arg-type]

    def cool(
        self, *, cooling_ms: int | None = None, reissue_ms: int | None = None, **fields: int | str | None
    ) -> Draft:
        """Open a case: COOLING.

        Args:
            cooling_ms: length of cooling; 60 to 90 days unless said otherwise.
            reissue_ms: from the end of cooling to `reissue_not_before`; up to 10 days.
        """
        occurred_at = fields.pop("occurred_at", None)
        begins_at = occurred_at if isinstance(occurred_at, int) else self.now_ms
        cooling_ms = self.rng.randrange(60 * 86_400, 90 * 86_400) * SECOND_MS if cooling_ms is None else cooling_ms
        reissue_ms = self.rng.randrange(10 * 86_400) * SECOND_MS if reissue_ms is None else reissue_ms
        self._opener = self.send(
            "COOLING",
            occurred_at=begins_at,
            cooling_until=begins_at + cooling_ms,
            reissue_not_before=begins_at + cooling_ms + reissue_ms,
            reason=self.rng.choice(REASONS),
            reminders=self.rng.randrange(2),
            **fields,  # type: ignore[arg-type]
        )
        return self._opener

    def hand_over(self, reason: str, **fields: int | None) -> Draft:
        """Open a case at once: REASSIGNED for TRANSFER or BACKFILL."""
        held_ms = 0 if reason == "TRANSFER" else self.rng.randrange(1, 900) * DAY_MS
        chosen = {"bound_before": self.now_ms - held_ms, "reminders": 1, **fields}
        self._opener = self.send("REASSIGNED", reason=reason, **chosen)  # type: ignore[arg-type]
        return self._opener

    def schedule(self, **fields: int | None) -> Draft:
        """RELEASE_SCHEDULED, days before it is due unless the life is past that."""
        reissue = self.opener.reissue_not_before or self.now_ms
        due_at = reissue - 7 * DAY_MS - self.rng.randrange(1, 5 * 86_400) * SECOND_MS
        chosen = {"occurred_at": max(self.now_ms + MINUTE_MS, due_at), "reminders": 2, **fields}
        return self.send("RELEASE_SCHEDULED", **chosen)  # type: ignore[arg-type]

    def release(self, **fields: int | None) -> Draft:
        """RELEASED, soon after the end of cooling."""
        ends_at = self.opener.cooling_until or self.now_ms
        soon = max(self.now_ms + MINUTE_MS, ends_at + self.rng.randrange(12 * 3_600) * SECOND_MS)
        return self.send("RELEASED", **{"occurred_at": soon, **fields})  # type: ignore[arg-type]

    def reassign(self, **fields: int | None) -> Draft:
        """REASSIGNED, days after the number may be given out again."""
        due_at = self.opener.reissue_not_before or self.now_ms
        later = max(self.now_ms + MINUTE_MS, due_at + self.rng.randrange(20 * 86_400) * SECOND_MS)
        return self.send("REASSIGNED", **{"occurred_at": later, "reminders": 1, **fields})  # type: ignore[arg-type]

    def restore(self, **fields: int | None) -> Draft:
        """RESTORED: the old owner has the number back."""
        return self.send("RESTORED", **fields)  # type: ignore[arg-type]

    def withdraw(self, of: Draft | None = None, **fields: int | None) -> Draft:
        """WITHDRAWN: the case should never have been; names its opener unless told otherwise."""
        named = self.opener if of is None else of
        return self.send("WITHDRAWN", supersedes=named.event_id, **fields)  # type: ignore[arg-type]
