"""This module defines every JSON answer of the API as pydantic models: the contract of API, read model and dashboard.

Times are UTC milliseconds since 1970-01-01 and end in `_at` or `_ms`; days are ISO dates (UTC). A share is never given
without the two counts that it comes from. What a caller may not see is left out (None), and never replaced by a guess.
For example, `Pairs(in_force=100, resolved=90, takeover_safe=95)` says that 90 of 100 cases are resolved and 5 frozen.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hub.core.model import (
    Breach,
    ClearanceAnswer,
    EventType,
    GapClass,
    Limit,
    Outcome,
    PlatformState,
    Refusal,
    ReleaseReason,
    ReportKind,
    Role,
    Stage,
    UnconnectedRule,
)
from hub.core.standing import Standing


class Shape(BaseModel):
    """The root of all shapes: it refuses unknown fields, and its values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Name(Shape):
    """A name in two languages."""

    zh: str
    en: str


class AsOf(Shape):
    """The hub's time of an answer, and how far the follower that it comes from is behind the end of its logs."""

    now_ms: int
    read_at: int
    behind_messages: int = 0
    behind_ms: int = 0
    stale: bool = False


class Guide(Shape):
    """How a person unbinds a number at a platform without help."""

    url: str | None = None
    steps: list[str] = []
    contact: str | None = None


class Pairs(Shape):
    """Counts of (case, platform) pairs, with their denominator `in_force`. `takeover_safe` is resolved or frozen."""

    in_force: int
    resolved: int
    takeover_safe: int
    outcomes: dict[Outcome, int] = {}
    gaps: dict[GapClass, int] = {}
    overdue: int = 0
    exposed: int = 0
    incident: int = 0
    restore_pending: int = 0
    disputes: int = 0


class Today(Shape):
    """What has changed since the start of the hub's UTC day."""

    opened: int = 0
    scheduled: int = 0
    released: int = 0
    reassigned: int = 0
    undone: int = 0
    acknowledgements: int = 0
    reports: int = 0
    refused: int = 0
    breaches: int = 0


class Overview(Shape):
    """Everything at a glance. `connected` and `unconnected` are the two halves of `pairs`.

    `hours_to_effect_median`, here and elsewhere, is from a notice to the first time that a platform says what became of
    the binding, also if it says that there was none.
    `in_tens`, here and elsewhere, says that what platforms said is shown in tens, rounded down; this is so for all but
    registrar and auditor.
    """

    as_of: AsOf
    pairs: Pairs
    connected: Pairs
    unconnected: Pairs
    platforms: dict[PlatformState, int]
    degraded: int
    cases: dict[Stage, int]
    today: Today
    hours_to_effect_median: float | None = None
    in_tens: bool = False


class PlatformRow(Shape):
    """A platform and its coverage."""

    id: str
    name: Name
    sector: str
    tier: int
    state: PlatformState
    standing: Standing | None
    channel: str | None
    must_connect: bool
    pairs: Pairs
    waiting_since: int | None = None
    hours_to_effect_median: float | None = None
    bound_per_10000: float | None = None
    outlier: bool = False
    coverage_at: int | None = None


class Platforms(Shape):
    """Every platform on the roster, connected or not. `suppressed` counts rows that are left out as too few cases are
    in force there."""

    as_of: AsOf
    platforms: list[PlatformRow]
    suppressed: int = 0
    in_tens: bool = False


class Cell(Shape):
    """The cases that opened on one day, at one platform, as they are now. `hours_to_effect_median` is None while the
    platform has said nothing of them."""

    in_force: int
    resolved: int
    takeover_safe: int
    outcomes: dict[Outcome, int] = {}
    hours_to_effect_median: float | None = None


class HeatmapRow(Shape):
    """One platform's cells, one for each day, in the order of `days`; None where no case is in force."""

    id: str
    name: Name
    tier: int
    state: PlatformState
    cells: list[Cell | None]


class Heatmap(Shape):
    """The figures of each platform by the day on which cases opened, oldest first."""

    as_of: AsOf
    days: list[str]
    rows: list[HeatmapRow]
    in_tens: bool = False


class StateAt(Shape):
    """A state that a platform has from a time on."""

    at: int
    state: PlatformState
    note: str | None = None


class PlatformDetail(Shape):
    """One platform: its row, its states, how far it has received each partition, its days, and its guide."""

    as_of: AsOf
    platform: PlatformRow
    history: list[StateAt]
    received_behind: list[int]
    days: list[str]
    cells: list[Cell | None]
    users_estimate: int | None = None
    guide: Guide
    in_tens: bool = False


class BlindSpot(Shape):
    """An unconnected platform or an unknown name, and how many stale bindings are behind it.

    `expected` is the estimate, and `low` to `high` are its middle 80 %. `would_close` counts the gaps that would close
    if it connected. `sureness` is GOOD, FAIR or ROUGH.
    """

    id: str | None
    name: Name
    sector: str | None
    tier: int | None
    state: PlatformState | None
    must_connect: bool = False
    users_estimate: int | None = None
    reported: int | None
    expected: float | None
    low: float
    high: float | None
    sureness: str
    would_close: int
    exposed: int = 0
    incident: int = 0
    guide: Guide


class BlindSpots(Shape):
    """Unconnected platforms; the one with the most stale bindings comes first. If `in_tens` is true, the upper end of
    an estimate is rounded up."""

    as_of: AsOf
    spots: list[BlindSpot]
    in_tens: bool = False


class OperatorLimit(Shape):
    """A limit of an operator: how many a UTC day before a person looks, null for no limit.

    Who set it, why and when; all three are null for the hub's default.
    """

    limit: Limit
    most: int | None
    by: str | None
    reason: str | None
    at: int | None


class OperatorRow(Shape):
    """An operator's figures; every message counts once. `raised` are the limits beyond the hub's defaults."""

    id: str
    name: Name
    clearance_required: bool
    raised: list[OperatorLimit]
    accepted: int
    noted: int
    duplicate: int
    held: int
    rejected: dict[Refusal, int]
    breaches: dict[Breach, int]
    last_event_at: int | None
    last_report_day: str | None
    silent: bool


class Operators(Shape):
    """Every operator on the roster."""

    as_of: AsOf
    operators: list[OperatorRow]


class BreachRow(Shape):
    """One breach. `case` is the position of the case, if the breach is about one."""

    breach: Breach
    at: int
    case: str | None = None
    source: str | None = None
    day: str | None = None


class BreachPage(Shape):
    """Breaches of an operator, newest first. `next` is the `before` of the next page."""

    as_of: AsOf
    operator: str
    breaches: list[BreachRow]
    next: str | None = None


class RefusalRow(Shape):
    """A refused message, without its content."""

    at: int
    topic: str
    source: str
    sender: str | None
    reason: Refusal
    todo: str


class RefusalPage(Shape):
    """Refused messages, newest first."""

    as_of: AsOf
    refusals: list[RefusalRow]
    next: str | None = None


class FollowerRow(Shape):
    """One reader of one log: how many messages it is behind its end, and how old the oldest of them is.

    `silent` says that nothing was heard of it for a while: nobody reads there now.
    """

    reader: str
    topic: str
    behind: int
    behind_ms: int | None = None
    silent: bool = False


class TopicRow(Shape):
    """One log: how many messages it has had, and how many came a second in the last minute."""

    topic: str
    messages: int
    per_second: float


class Pipeline(Shape):
    """How the hub itself is doing."""

    as_of: AsOf
    followers: list[FollowerRow]
    topics: list[TopicRow]
    refused: dict[Refusal, int]
    coverage_age_ms: int | None
    held: int


class Effect(Shape):
    """What one platform said of one case. `status` is what an operator sees: cleared, pending or refused."""

    platform: str
    name: Name
    tier: int
    state: PlatformState
    status: str
    shown: Outcome | None = None
    gap: GapClass | None = None
    overdue: bool = False
    exposed: bool = False
    incident: bool = False
    disputed: bool = False
    restore_pending: bool = False
    received: bool | None = None
    first_said_at: int | None = None
    last_said_at: int | None = None
    deadline_at: int | None = None
    guide: Guide | None = None


class Moment(Shape):
    """One thing that happened in a case. `kind` is event, notice, receipt, effect, report, answer, dispute, breach."""

    at: int
    kind: str
    what: str
    who: str | None = None
    breaches: list[Breach] = []
    source: str | None = None


class Case(Shape):
    """The end of one owner's time with one number. `id` is its position. `effects` is None where it is hidden.

    `status` is cleared, pending or refused, for all connected platforms; an operator sees that and no count.
    """

    id: str
    operator: str | None
    stage: Stage
    opened_at: int
    cooling_until: int | None
    reissue_not_before: int | None
    bound_before: int | None
    days_to_reissue: float | None
    cleared: int | None
    pending: int | None
    refused: int | None
    unconnected: list[str]
    effects: list[Effect] | None
    moments: list[Moment]
    status: str | None = None


class Cases(Shape):
    """The cases of a number, newest first, or the one case of an id; the answer does not repeat the number."""

    as_of: AsOf
    lookup_id: str
    cases: list[Case]


class Unconnected(Shape):
    """A platform that nobody hears from, so nobody can say whether the number is still bound there."""

    platform: str
    name: Name
    tier: int
    state: PlatformState
    must_connect: bool
    guide: Guide


class Blocker(Shape):
    """What blocks a number. `platform` and `gap` are for registrar and auditor; an operator sees only `status`."""

    status: str
    platform: str | None = None
    tier: int | None = None
    gap: GapClass | None = None


class Cleared(Shape):
    """The answer for one number; answers are in the order asked. `reasons` say why the number is not clear."""

    answer: ClearanceAnswer
    clearance_id: str
    case: str | None
    reasons: list[str]
    blockers: list[Blocker]
    days_to_reissue: float | None
    valid_until: int


class Policy(Shape):
    """The policy by which clearances are decided."""

    blocking_tiers: list[int]
    frozen_blocks: bool
    declined_blocks: bool
    unconnected: UnconnectedRule
    valid_ms: int


class LogPositions(Shape):
    """The positions in the logs from which an answer was made."""

    releases: list[int]
    acks: list[int]
    platforms: int
    operators: int
    reported: int
    now_ms: int


class Clearance(Shape):
    """The answers to one question, and all that they were made from: the same question there gets the same answers."""

    lookup_id: str
    asked_at: int
    policy: Policy
    positions: LogPositions
    answers: list[Cleared]
    unconnected: list[Unconnected]


class ClearanceQuestion(Shape):
    """Up to 1,000 numbers in E.164."""

    numbers: list[str] = Field(min_length=1, max_length=1_000)


class NumberQuestion(Shape):
    """One number in E.164."""

    number: str = Field(min_length=3, max_length=16)


class ChecklistItem(Shape):
    """One platform in a notice to a person."""

    platform: str
    name: Name
    sector: str
    tier: int
    connected: bool
    guide: Guide


class PersonalNotice(Shape):
    """A notice to a person, as data and as text.

    `others_pending` says that a connected platform is not done yet; `others_declined` says that all are done and some
    keep the number on a legal basis. The new owner's notice does not tell these apart: its `others_pending` is either.
    """

    as_of: AsOf | None = None
    kind: str
    lookup_id: str | None
    items: list[ChecklistItem]
    others_pending: bool = False
    others_declined: bool = False
    text: Name


class LookupRow(Shape):
    """A record that somebody asked; it never holds the number."""

    lookup_id: str
    at: int
    kind: str
    asked_by: str
    role: Role
    numbers: int
    answers: dict[str, int]


class LookupPage(Shape):
    """Lookups, newest first."""

    as_of: AsOf
    lookups: list[LookupRow]
    next: str | None = None


class Me(Shape):
    """Who the token says you are."""

    subject: str
    role: Role
    expires_at: int


class Taken(Shape):
    """A message that is durably in a topic."""

    topic: str
    partition: int
    offset: int


class ReceiptRow(Shape):
    """A receipt of the operator's own topic. `content` is the receipt as JSON, with bytes in hex."""

    offset: int
    at: int
    kind: str
    content: dict[str, object]


class ReceiptPage(Shape):
    """Receipts from an offset on."""

    receipts: list[ReceiptRow]
    next: int
    end: int


class CleanUp(Shape):
    """A clean-up (BACKFILL) that the operator asked for. `status` is cleared, pending or refused, for all connected
    platforms."""

    case: str
    asked_at: int
    stage: Stage
    status: str
    unconnected: int


class CleanUps(Shape):
    """The operator's clean-ups, newest first."""

    as_of: AsOf
    clean_ups: list[CleanUp]
    next: str | None = None


class Draft(Shape):
    """A message to be signed. `value` is posted, and `sign` is what the Ed25519 key signs; both are in base64."""

    value: str
    sign: str
    topic: str


class DayReportDraft(Shape):
    """An operator's count of a day, to be made into a message. `day` is the ISO date (UTC) of the day that ended.

    `sent` says for each partition of `events` how many events the operator ever sent there, by its own count: it counts
    each event that was taken (202), with repeats and refused ones. A copy of the hub's count would show no loss.
    """

    day: date
    sent: list[Annotated[int, Field(ge=0, le=2**62)]] = Field(max_length=10_000)


class CleanUpDraft(Shape):
    """One line of a file of clean-ups: a draft, or what is wrong with it."""

    line: int
    draft: Draft | None = None
    wrong: str | None = None


class CleanUpDrafts(Shape):
    """Clean-ups to be signed, in the order of the file. Keep them: a repeat must have the same bytes."""

    drafts: list[CleanUpDraft]


class ReportDraft(Shape):
    """A person's report, to be made into a message. `happened_at` is in ISO 8601 with a zone."""

    number: str = Field(max_length=16)
    platform: str = Field(max_length=100)
    kind: ReportKind
    happened_at: str = Field(max_length=40)
    report_id: str | None = Field(default=None, max_length=36)


class ReminderDraft(Shape):
    """One reminder that was sent."""

    at: str = Field(max_length=40)
    channel: str = Field(max_length=40)


class EventDraft(Shape):
    """An operator's event, to be made into a message. Times are in ISO 8601 with a zone; reminders are
    [{at, channel}]."""

    number: str = Field(max_length=16)
    type: EventType
    occurred_at: str = Field(max_length=40)
    event_id: str | None = Field(default=None, max_length=36)
    cooling_until: str | None = Field(default=None, max_length=40)
    reissue_not_before: str | None = Field(default=None, max_length=40)
    bound_before: str | None = Field(default=None, max_length=40)
    reason: ReleaseReason | None = None
    ported: bool = False
    reminders: list[ReminderDraft] = Field(default=[], max_length=20)
    clearance_id: str | None = Field(default=None, max_length=4_000)
    supersedes: str | None = Field(default=None, max_length=36)


class StateQuestion(Shape):
    """The state a platform is to be in from now on, and why."""

    state: PlatformState
    note: str | None = Field(default=None, max_length=500)


class RosterKey(Shape):
    """A public key (hex) and the record times for which it is valid."""

    key_id: str
    public: str
    valid_from: int
    valid_until: int | None
    revoked_at: int | None


class RosterPlatform(Shape):
    """A platform's record."""

    id: str
    name: Name
    sector: str
    tier: int
    state: PlatformState
    channel: str | None
    left_at: int | None
    must_connect: bool
    users_estimate: int | None
    guide: Guide
    keys: list[RosterKey]
    history: list[StateAt]


class RosterLifted(Shape):
    """The end of a quarantine: when, by whom and why."""

    at: int
    by: str
    reason: str


class RosterOperator(Shape):
    """An operator's record. `limits` are those in force."""

    id: str
    name: Name
    ranges: list[str]
    cooling_days_min: int
    cooling_days_max: int
    limit_daily: int | None
    limit_ported_daily: int | None
    since: int
    clearance_required: bool
    limits: list[OperatorLimit]
    lifted: list[RosterLifted]
    keys: list[RosterKey]


class RosterPlatforms(Shape):
    """The platforms' records, sorted by id."""

    as_of: AsOf
    platforms: list[RosterPlatform]


class RosterOperators(Shape):
    """The operators' records, sorted by id."""

    as_of: AsOf
    operators: list[RosterOperator]


class Health(Shape):
    """Says that the web serves, and how far it is behind."""

    status: str
    behind_messages: int
    stale: bool


class ProblemDetails(BaseModel):
    """How a request is refused (RFC 9457). `reason` is a word for programs; `todo` says what to do next."""

    type: str
    title: str
    status: int
    detail: str
    reason: str
    todo: str
