"""This module defines the plain values that the archive answers with.

Times are UTC milliseconds, and a case is named by its position. For example, `Effects("bank", Outcome.UNBOUND, …)` says
when the platform bank first and last said UNBOUND of a case, and in how many messages.
"""

from __future__ import annotations

from typing import NamedTuple

from hub.core.model import Breach, ClearanceAnswer, LookupKind, Outcome, Refusal, Role, Source, Stage


class CaseFacts(NamedTuple):
    """A case as it is now. `opened_at` and `moved_at` are the record times of its first and its last notice."""

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
    """One thing that happened in a case; a timeline lists these, oldest first.

    `kind` is event, notice, receipt, report, answer or lookup, and `what` is then the event's type, the notice's stage,
    the receipt's decision, the report's kind, the answer's outcome or the lookup's kind. `who` is the operator, the
    platform or the person who asked. `source` is the position of the message in its log.
    """

    at: int
    kind: str
    what: str
    who: str | None
    breaches: tuple[Breach, ...]
    source: str


class Effects(NamedTuple):
    """One outcome that a platform said of a case: when first and last, in how many messages, and where the first is."""

    platform: str
    outcome: Outcome
    first_at: int
    last_at: int
    messages: int
    first_ack: Source


class CaseHistory(NamedTuple):
    """A case with everything that happened in it. The effects are sorted by platform, then by time."""

    case: CaseFacts
    happened: tuple[Happened, ...]
    effects: tuple[Effects, ...]


class BreachFound(NamedTuple):
    """A breach that a receipt names. `case` is the case whose notice the receipt names."""

    breach: Breach
    at: int
    case: Source | None
    source: Source


class BreachesFound(NamedTuple):
    """Breaches of an operator, newest first. `next` is the `before` of the next page; it is None at the end."""

    breaches: tuple[BreachFound, ...]
    next: str | None


class RefusalFound(NamedTuple):
    """A refused message. `source` is its position in `topic`."""

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
    """A record that somebody asked about numbers; it never holds the numbers. `answers` counts them by answer."""

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
    """How far the archive is in one log.

    `behind` counts messages; `behind_ms` is the age of the newest message kept, if the archive is behind. `seen_at` is
    when the archive last saw the end of the log; if that is long ago, no archive runs.
    """

    topic: str
    part: int
    next_offset: int
    log_end: int
    record_time: int | None
    seen_at: int
    behind: int
    behind_ms: int | None
