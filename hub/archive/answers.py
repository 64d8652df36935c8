"""What the archive answers with: plain values. Times are UTC milliseconds; a case is named by its position."""

from __future__ import annotations

from typing import NamedTuple

from hub.core.model import Breach, ClearanceAnswer, LookupKind, Outcome, Refusal, Role, Source, Stage


class CaseFacts(NamedTuple):
    """A case as it stands. `opened_at`, `moved_at`: record times of its first and its last notice."""

    position: Source
    operator: str
    opened_as: Stage
    stage: Stage
    opened_at: int
    moved_at: int
    bound_before: int
    cooling_until: int | None
    reissue_not_before: int | None
    reminders: int


class Happened(NamedTuple):
    """One thing that happened in a case, oldest first in a timeline.

    `kind`: event (`what`: its type), notice (its stage), receipt (the decision), report (its kind), answer (the
    outcome), lookup (its kind). `who`: operator, platform or asker. `source`: where the message lies in its log.
    """

    at: int
    kind: str
    what: str
    who: str | None
    breaches: tuple[Breach, ...]
    source: str


class Effects(NamedTuple):
    """What one platform said of a case: when first and last, in how many messages, and where the first lies."""

    platform: str
    outcome: Outcome
    first_at: int
    last_at: int
    messages: int
    first_ack: Source


class CaseHistory(NamedTuple):
    """A case with everything that happened in it; the effects by platform, then by time."""

    case: CaseFacts
    happened: tuple[Happened, ...]
    effects: tuple[Effects, ...]


class BreachFound(NamedTuple):
    """A duty not met, as a receipt says it. `case`: whose notice the receipt names."""

    breach: Breach
    at: int
    case: Source | None
    source: Source


class BreachesFound(NamedTuple):
    """Breaches of an operator, newest first. `next`: `before` of the next page, None at the end."""

    breaches: tuple[BreachFound, ...]
    next: str | None


class RefusalFound(NamedTuple):
    """A refused message. `source`: where it lies in `topic`."""

    at: int
    topic: str
    source: Source
    sender: str | None
    reason: Refusal


class RefusalsFound(NamedTuple):
    """Refused messages, newest first."""

    refusals: tuple[RefusalFound, ...]
    next: str | None


class LookupFound(NamedTuple):
    """That somebody asked; never the numbers. `answers`: how many got which."""

    lookup_id: str
    at: int
    kind: LookupKind
    asked_by: str
    role: Role
    numbers: int
    answers: dict[ClearanceAnswer, int]


class LookupsFound(NamedTuple):
    """Lookups, newest first."""

    lookups: tuple[LookupFound, ...]
    next: str | None


class CleanUpFound(NamedTuple):
    """A clean-up (BACKFILL) that an operator asked for, and the case it opened."""

    case: Source
    asked_at: int
    stage: Stage


class CleanUpsFound(NamedTuple):
    """An operator's clean-ups, newest first."""

    clean_ups: tuple[CleanUpFound, ...]
    next: str | None


class Place(NamedTuple):
    """How far the archive is in one log. `behind`: messages; `behind_ms`: age of the newest one kept, if behind.

    `seen_at`: when the end of the log was last seen; long ago means that no archive runs.
    """

    topic: str
    part: int
    next_offset: int
    log_end: int
    record_time: int | None
    seen_at: int
    behind: int
    behind_ms: int | None
