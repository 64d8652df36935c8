"""This module defines the words of the hub as values. Field names equal those of the schemas (`schemas/*/v1.avsc`).

Times are `..._at`, `..._until`, `..._before` or `now_ms`: integers, UTC, milliseconds since 1970-01-01. A position is
(partition, offset) in `releases`; the position of a case's opening notice is the case's name. For example, case
7-120033 was opened by the notice at offset 120033 of partition 7.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
PLAUSIBLE_MS = range(631_152_000_000, 4_102_444_800_000)
"""1990 to 2100, UTC. No time that has to do with a mobile number lies outside."""
SEGMENT = 65_536
"""How many positions a segment has: as many as one 16-bit Roaring container holds."""

POSITION = re.compile(r"(0|[1-9][0-9]{0,4})-(0|[1-9][0-9]{0,17})")
"""Matches a partition and an offset, which can be written in one way only."""


class EventType(StrEnum):
    """What an operator says happened to a number."""

    SUSPENDED = "SUSPENDED"
    COOLING = "COOLING"
    RESTORED = "RESTORED"
    RELEASE_SCHEDULED = "RELEASE_SCHEDULED"
    RELEASED = "RELEASED"
    REASSIGNED = "REASSIGNED"
    WITHDRAWN = "WITHDRAWN"


class ReleaseReason(StrEnum):
    """The reasons why an operator's event happened. Platforms are never told."""

    UNKNOWN = "UNKNOWN"
    USER_REQUEST = "USER_REQUEST"
    ARREARS = "ARREARS"
    FRAUD = "FRAUD"
    REVERIFICATION_FAILED = "REVERIFICATION_FAILED"
    TRANSFER = "TRANSFER"
    BACKFILL = "BACKFILL"
    OTHER = "OTHER"


class Stage(StrEnum):
    """The stages of a case."""

    COOLING = "COOLING"
    SCHEDULED = "SCHEDULED"
    RELEASED = "RELEASED"
    REASSIGNED = "REASSIGNED"
    RESTORED = "RESTORED"
    WITHDRAWN = "WITHDRAWN"


class Outcome(StrEnum):
    """The outcomes that a platform can say for a case."""

    UNBOUND = "UNBOUND"
    NOT_BOUND = "NOT_BOUND"
    FROZEN = "FROZEN"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    REINSTATED = "REINSTATED"


class OutcomeReason(StrEnum):
    """Why a platform did what it did, where that has to be counted. It names nobody."""

    UNKNOWN = "UNKNOWN"
    IN_USE = "IN_USE"
    """DECLINED, because a code on a known device proved since the case began that the number is its user's."""


class Action(StrEnum):
    """The actions for the account that an outcome consists of."""

    UNKNOWN = "UNKNOWN"
    LOGIN_OFF = "LOGIN_OFF"
    RECOVERY_OFF = "RECOVERY_OFF"
    SESSIONS_REVOKED = "SESSIONS_REVOKED"
    COLLECTIONS_STOPPED = "COLLECTIONS_STOPPED"
    MARKETING_STOPPED = "MARKETING_STOPPED"
    CHARGES_STOPPED = "CHARGES_STOPPED"


class GapClass(StrEnum):
    """The reasons why a (case, platform) pair is not resolved."""

    FROZEN = "FROZEN"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    NOT_CONNECTED = "NOT_CONNECTED"
    NOT_RECEIVED = "NOT_RECEIVED"
    NO_OUTCOME = "NO_OUTCOME"
    DISPUTED = "DISPUTED"


class PlatformState(StrEnum):
    """The states of a platform on the roster."""

    KNOWN_UNCONNECTED = "KNOWN_UNCONNECTED"
    ONBOARDING = "ONBOARDING"
    CONNECTED = "CONNECTED"
    SUSPENDED = "SUSPENDED"
    EXEMPT = "EXEMPT"
    LEFT = "LEFT"


class Decision(StrEnum):
    """What the hub decided on one message of an operator."""

    ACCEPTED = "ACCEPTED"
    NOTED = "NOTED"
    DUPLICATE = "DUPLICATE"
    REFUSED = "REFUSED"
    REPORTED = "REPORTED"
    HELD = "HELD"


class Refusal(StrEnum):
    """The reasons why a message is refused: the metric's label, the dead letter's field, the receipt's reason."""

    UNDECODABLE = "UNDECODABLE"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    WRONG_OPERATOR = "WRONG_OPERATOR"
    INVALID_NUMBER = "INVALID_NUMBER"
    WRONG_PARTITION = "WRONG_PARTITION"
    EVENT_ID_REUSED = "EVENT_ID_REUSED"
    NOT_YOUR_RANGE = "NOT_YOUR_RANGE"
    MISSING_FIELD = "MISSING_FIELD"
    BAD_TIME = "BAD_TIME"
    NOT_YOUR_CASE = "NOT_YOUR_CASE"
    UNKNOWN_EVENT = "UNKNOWN_EVENT"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    TIME_REVERSED = "TIME_REVERSED"
    WRONG_PLATFORM = "WRONG_PLATFORM"
    OTHER_LOG = "OTHER_LOG"
    BEYOND_LOG = "BEYOND_LOG"
    TOO_LARGE = "TOO_LARGE"
    HUB_FAULT = "HUB_FAULT"
    DROPPED = "DROPPED"
    WRONG_DIGEST = "WRONG_DIGEST"


REFUSAL_TODO: dict[Refusal, str] = {
    Refusal.UNDECODABLE: "Encode with a released schema, canonically, within the size limit.",
    Refusal.BAD_SIGNATURE: "Sign with a key on the roster that is valid now; check hub id and topic name.",
    Refusal.WRONG_OPERATOR: "Set `operator` to the id whose key signs.",
    Refusal.INVALID_NUMBER: "Send a valid number in E.164 form, such as +8613…",
    Refusal.WRONG_PARTITION: "Partition by murmur2 of the key (Kafka's default; librdkafka: murmur2_random).",
    Refusal.EVENT_ID_REUSED: "Give every event its own UUID; send a repeat with the same bytes.",
    Refusal.NOT_YOUR_RANGE: "Set `ported` if the number came from another operator; else check the range.",
    Refusal.MISSING_FIELD: "Fill in the fields this type and reason need.",
    Refusal.BAD_TIME: "Check the event's times: against each other, the clock, 1990 to 2100, and the last handover.",
    Refusal.NOT_YOUR_CASE: "The number has a live case of another operator; check who serves it.",
    Refusal.UNKNOWN_EVENT: "Name an accepted event of the number's last case that is not undone.",
    Refusal.OUT_OF_ORDER: "Send the events of a number in the order they happened.",
    Refusal.TIME_REVERSED: "`occurred_at` is before the number's last accepted event; check it.",
    Refusal.WRONG_PLATFORM: "Set `platform` to the id whose key signs, and key the record by it.",
    Refusal.OTHER_LOG: "Positions are of another log: take `log_id` from the notices.",
    Refusal.BEYOND_LOG: "Acknowledge only what was received: no bit beyond `through`, no `through` beyond the log.",
    Refusal.TOO_LARGE: "Split the acknowledgement: at most 1,024 segments.",
    Refusal.HUB_FAULT: "Nothing: the hub keeps the message and its staff will look.",
    Refusal.DROPPED: "It was held over a daily limit and a person dropped it; ask the hub's staff, send it anew.",
    Refusal.WRONG_DIGEST: "Give in `digest` the SHA-256 of the whole value of the notice at `through`, as received.",
}


class Breach(StrEnum):
    """A duty that an operator did not meet. The fact behind it counts nevertheless."""

    COOLING_LENGTH = "COOLING_LENGTH"
    EARLY_RELEASE = "EARLY_RELEASE"
    FEW_REMINDERS = "FEW_REMINDERS"
    SHORT_NOTICE = "SHORT_NOTICE"
    EARLY_REISSUE = "EARLY_REISSUE"
    NEW_OWNER_NOT_TOLD = "NEW_OWNER_NOT_TOLD"
    LATE_EVENT = "LATE_EVENT"
    SILENT = "SILENT"
    COUNT_MISMATCH = "COUNT_MISMATCH"
    NOT_CLEARED = "NOT_CLEARED"
    REISSUED_WHILE_BLOCKED = "REISSUED_WHILE_BLOCKED"


class ReportKind(StrEnum):
    """The problems a person meets because an account is still bound to the number."""

    STILL_BOUND = "STILL_BOUND"
    CANNOT_REGISTER = "CANNOT_REGISTER"
    DEBT_CALLS = "DEBT_CALLS"
    STRANGERS_ACCOUNT = "STRANGERS_ACCOUNT"
    RECEIVES_MESSAGES = "RECEIVES_MESSAGES"


class Record(NamedTuple):
    """One message as it was read from a log. `headers` are as Kafka gives them, with repeats."""

    topic: str
    partition: int
    offset: int
    record_time: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Source(NamedTuple):
    """A place in a log."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}"

    @classmethod
    def read(cls, text: str) -> Source | None:
        """Return the place that a text such as `7-120033` names, as `str` writes it; None if it names none."""
        found = POSITION.fullmatch(text)
        return None if found is None else cls(int(found[1]), int(found[2]))


class Reminder(NamedTuple):
    """One reminder an operator sent."""

    at: int
    channel: str


class NumberEvent(NamedTuple):
    """What an operator says happened to a number."""

    event_id: bytes
    operator: str
    number: str
    type: EventType
    occurred_at: int
    cooling_until: int | None = None
    reissue_not_before: int | None = None
    bound_before: int | None = None
    reason: ReleaseReason | None = None
    ported: bool = False
    reminders: tuple[Reminder, ...] = ()
    clearance_id: str | None = None
    supersedes: bytes | None = None


class OperatorReport(NamedTuple):
    """An operator's daily count. `day` counts days since 1970-01-01; `sent` has totals by partition of `events`."""

    operator: str
    day: int
    sent: tuple[int, ...]


class Receipt(NamedTuple):
    """What the hub decided on one message of an operator."""

    source: Source
    event_id: bytes | None
    decision: Decision
    reason: Refusal | None
    position: Source | None
    breaches: tuple[Breach, ...]
    recorded_at: int
    report_day: int | None = None
    report_sent: tuple[int, ...] = ()
    held_source: Source | None = None


class Header(NamedTuple):
    """One Kafka header."""

    name: str
    value: bytes


class Rejected(NamedTuple):
    """A refused message with its content."""

    topic: str
    partition: int
    offset: int
    reason: Refusal
    sender: str | None
    recorded_at: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


class Subject(NamedTuple):
    """The number that a notice is about, written in a scheme (`e164`)."""

    scheme: str
    value: str
    key_id: str | None = None


class ReleaseNotice(NamedTuple):
    """What the hub tells every platform about a case."""

    stage: Stage
    opened_at: int | None
    subject: Subject
    operator: str
    occurred_at: int
    published_at: int
    bound_before: int
    cooling_until: int | None
    reissue_not_before: int | None
    reminders: int
    event_id: bytes
    event_digest: bytes
    source: Source
    log_id: bytes


class BitmapSegment(NamedTuple):
    """Positions, as a portable 32-bit Roaring bitmap of the offsets minus `base`."""

    base: int
    bitmap: bytes


class ReceivedThrough(NamedTuple):
    """The last offset received in a partition, and the SHA-256 of that notice's value."""

    partition: int
    through: int
    digest: bytes


class OutcomeSet(NamedTuple):
    """Cases that share an outcome."""

    outcome: Outcome
    partition: int
    cases: tuple[BitmapSegment, ...]
    actions: tuple[Action, ...] = ()
    reason: OutcomeReason | None = None


class Acknowledgement(NamedTuple):
    """What a platform says it did, for many cases at once."""

    platform: str
    log_id: bytes
    sent_at: int
    received: tuple[ReceivedThrough, ...]
    outcomes: tuple[OutcomeSet, ...]


RECEIPTS_ONLY = "delivery/"
"""The prefix of the key ids of the hub's own delivery. Such a key stands among a platform's keys, so that delivery can
say for the platform that it was told. It cannot say that the platform did anything: an acknowledgement that is signed
with it and holds an outcome is refused. Every such platform's record has the same key, and a platform's own key
rotation does not end it."""


class Key(NamedTuple):
    """An Ed25519 public key (32 bytes) and the record times at which it counts."""

    key_id: str
    public: bytes
    valid_from: int
    valid_until: int | None = None
    revoked_at: int | None = None

    def counts_at(self, record_time: int) -> bool:
        """Return whether a message of that record time may be signed with this key."""
        return (
            self.valid_from <= record_time
            and (self.valid_until is None or record_time < self.valid_until)
            and (self.revoked_at is None or record_time < self.revoked_at)
        )


class Names(NamedTuple):
    """A name in Chinese and in English."""

    zh: str
    en: str


class StateChange(NamedTuple):
    """A state from a time on. `note` says who changed it, and why or on what basis."""

    at: int
    state: PlatformState
    note: str | None = None


class Platform(NamedTuple):
    """A platform on the roster, connected or not."""

    id: str
    name: Names
    sector: str
    tier: int
    state: PlatformState
    channel: str | None = None
    left_at: int | None = None
    keys: tuple[Key, ...] = ()
    contact: str | None = None
    guide_url: str | None = None
    guide_steps: tuple[str, ...] = ()
    must_connect: bool = False
    users_estimate: int | None = None
    history: tuple[StateChange, ...] = ()


class Limit(StrEnum):
    """What an operator may do only so often a UTC day before a person looks (`hub.core.limits`)."""

    NOTICES = "NOTICES"
    PORTED = "PORTED"
    HANDOVERS = "HANDOVERS"
    UNDOINGS = "UNDOINGS"


class LimitSet(NamedTuple):
    """A limit as a registrar set it. `most` counts a UTC day; None is no limit. `by` is a person's name."""

    limit: Limit
    most: int | None
    by: str
    reason: str
    at: int


class Lifted(NamedTuple):
    """A person has looked at an operator in quarantine and let it go on. `by` is that person's name."""

    at: int
    by: str
    reason: str


class Operator(NamedTuple):
    """An operator on the roster. `since` is the time from which it owes daily reports.

    `clearance_required` says whether a reassignment without a clearance, or against one, is a breach. `limits` are
    those that a registrar set, each once; `lifted` is every end of a quarantine.
    """

    id: str
    name: Names
    ranges: tuple[str, ...]
    cooling_days_min: int = 60
    cooling_days_max: int = 90
    limit_daily: int | None = None
    limit_ported_daily: int | None = None
    since: int = 0
    keys: tuple[Key, ...] = ()
    clearance_required: bool = False
    limits: tuple[LimitSet, ...] = ()
    lifted: tuple[Lifted, ...] = ()


class Said(NamedTuple):
    """What a platform said of some positions of one segment."""

    outcome: Outcome
    bitmap: bytes
    reason: OutcomeReason | None = None


class Tile(NamedTuple):
    """Everything that one platform ever said of one segment. `epoch` names the writer."""

    platform: str
    partition: int
    segment: int
    epoch: bytes
    said: tuple[Said, ...]


class Received(NamedTuple):
    """The last offset that one platform received in one partition. `epoch` names the writer."""

    platform: str
    partition: int
    epoch: bytes
    through: int


class Judged(NamedTuple):
    """The keys by which one platform's tiles were made. `epoch` names the writer."""

    platform: str
    epoch: bytes
    keys: tuple[Key, ...]


class AsOf(NamedTuple):
    """The log positions at which a figure was computed; every offset is the next one to be read."""

    releases: tuple[int, ...]
    acks_partition: int
    acks: int
    platforms: int
    now_ms: int
    reported: int = 0


class OutcomeCount(NamedTuple):
    """How many pairs show an outcome."""

    outcome: Outcome
    pairs: int


class GapCount(NamedTuple):
    """How many gaps of a class there are."""

    gap: GapClass
    pairs: int


class PartitionThrough(NamedTuple):
    """The last offset received in a partition."""

    partition: int
    through: int


class Coverage(NamedTuple):
    """One platform's coverage, with its denominator `in_force`."""

    platform: str
    state: PlatformState
    in_force: int
    resolved: int
    outcomes: tuple[OutcomeCount, ...]
    gaps: tuple[GapCount, ...]
    overdue: int
    exposed: int
    incident: int
    restore_pending: int
    disputes: int
    received: tuple[PartitionThrough, ...]
    as_of: AsOf


class GapBitmap(NamedTuple):
    """Gaps of a class within a segment."""

    gap: GapClass
    bitmap: bytes


class Gaps(NamedTuple):
    """The gaps of one platform in one segment, as bitmaps of offsets within it."""

    platform: str
    partition: int
    segment: int
    classes: tuple[GapBitmap, ...]
    overdue: bytes
    exposed: bytes
    incident: bytes
    restore_pending: bytes
    as_of: AsOf


class HubLog(NamedTuple):
    """What a hub's topics were made with. `clock` is `record` (LogAppendTime) or `world` (a replay).

    `authority_from` is the record time from which nobody's word alone does harm (`hub.core.limits`); None is never.
    """

    log_id: bytes
    hub_id: str
    partitions: int
    clock: str
    made_at: int
    authority_from: int | None = None

    def has_authority(self, record_time: int) -> bool:
        """Return whether the rules of authority hold for what was recorded then."""
        return self.authority_from is not None and record_time >= self.authority_from


class Clock(NamedTuple):
    """The time of a replayed world."""

    now_ms: int


class HubKey(NamedTuple):
    """A key the hub signs with when it asks a platform something."""

    key: Key


class Report(NamedTuple):
    """What a person reports, passed on by an operator. `platform` is a roster id, or a name as the person says it."""

    report_id: bytes
    operator: str
    number: str
    platform: str
    kind: ReportKind
    happened_at: int


class AcceptedReport(NamedTuple):
    """A report that counts. `platform` is its id, or None if the roster has no such name; `name` is as it was said.

    `case` is the number's last case if it is in force, else None. `deadline_at` is the time until which a connected
    platform has to answer; it is None for other platforms.
    """

    source: Source
    report_id: bytes
    operator: str
    number: str
    platform: str | None
    name: str
    kind: ReportKind
    case: Source | None
    happened_at: int
    recorded_at: int
    deadline_at: int | None


class ReportReceipt(NamedTuple):
    """What the hub decided on a report, for the operator that passed it on. `state` is the platform's, if known."""

    source: Source
    report_id: bytes | None
    decision: Decision
    reason: Refusal | None
    platform: str | None
    state: PlatformState | None
    case: Source | None
    deadline_at: int | None
    guide_url: str | None
    recorded_at: int


class ReportRequest(NamedTuple):
    """The hub's request to a connected platform because of a report: look at this case again, and answer in time."""

    report_id: bytes
    platform: str
    subject: Subject
    case: Source
    kind: ReportKind
    asked_at: int
    deadline_at: int
    log_id: bytes


class ReportAnswer(NamedTuple):
    """A platform's answer: what it found and did when it looked again."""

    report_id: bytes
    platform: str
    outcome: Outcome
    answered_at: int


class AcceptedAnswer(NamedTuple):
    """An answer that counts: it ends the dispute its report opened."""

    source: Source
    report_id: bytes
    platform: str
    outcome: Outcome
    recorded_at: int


class Trial(NamedTuple):
    """A platform's request for a test case of a number of its own. It is not a case, and it counts nowhere."""

    trial_id: bytes
    platform: str
    subject: Subject
    asked_at: int


class TrialStep(NamedTuple):
    """The result of one stage of a test case. `outcome` is None if there was nothing to undo; `accounts` is a count."""

    stage: Stage
    outcome: Outcome | None
    accounts: int


class TrialResult(NamedTuple):
    """What the platform did about a test case, stage by stage; in a dry run, what it would have done."""

    trial_id: bytes
    platform: str
    steps: tuple[TrialStep, ...]
    done_at: int
    dry_run: bool = False


class Unheard(NamedTuple):
    """A message of a platform that the hub refused: where it lies and why."""

    topic: str
    source: Source
    reason: Refusal
    recorded_at: int


class HeldWhy(StrEnum):
    """The reasons why an event waits for a person."""

    DAILY_LIMIT = "DAILY_LIMIT"
    PORTED_LIMIT = "PORTED_LIMIT"
    BEHIND = "BEHIND"
    HANDOVER_LIMIT = "HANDOVER_LIMIT"
    UNDOING_LIMIT = "UNDOING_LIMIT"
    BURST = "BURST"
    LATE_UNDOING = "LATE_UNDOING"
    QUARANTINE = "QUARANTINE"
    UNCONFIRMED = "UNCONFIRMED"
    LOCKED = "LOCKED"


class HeldVerdict(StrEnum):
    """A person's decisions on a held event."""

    RELEASED = "RELEASED"
    DROPPED = "DROPPED"


class HeldEvent(NamedTuple):
    """A whole event that is over its operator's limit and waits for a person. `source` is its place in `events`."""

    source: Source
    operator: str
    event_id: bytes
    why: HeldWhy
    recorded_at: int
    value: bytes
    headers: tuple[Header, ...]


class HeldRelease(NamedTuple):
    """A person's verdict on held events of one partition. `by` is that person's name."""

    operator: str
    sources: tuple[Source, ...]
    verdict: HeldVerdict
    by: str
    at: int
    reason: str


class HeldDecided(NamedTuple):
    """The hub's decision on a held event, after it was sent into `events` again as `copy`."""

    source: Source
    copy: Source
    decision: Decision


class PortedNotice(NamedTuple):
    """Tells the operator whose range has a number that another opened a case of it, or that this event is held."""

    source: Source
    number: str
    operator: str
    type: EventType
    occurred_at: int
    recorded_at: int
    decision: Decision
    position: Source | None
    event_id: bytes | None = None


class Role(StrEnum):
    """The role in which somebody asks the hub over HTTP."""

    OPERATOR = "OPERATOR"
    PLATFORM = "PLATFORM"
    REGISTRAR = "REGISTRAR"
    VIEWER = "VIEWER"
    AUDITOR = "AUDITOR"


class LookupKind(StrEnum):
    """What somebody asked about numbers."""

    CASE = "CASE"
    CLEARANCE = "CLEARANCE"
    CHECKLIST = "CHECKLIST"
    LEFTOVERS = "LEFTOVERS"
    NEW_OWNER = "NEW_OWNER"


class ClearanceAnswer(StrEnum):
    """The answers to the question whether a number may be handed out."""

    CLEAR = "CLEAR"
    BLOCKED = "BLOCKED"
    UNKNOWN = "UNKNOWN"


class UnconnectedRule(StrEnum):
    """What a gap of a platform that is not connected means for a clearance.

    NAMED: it is named and blocks nothing. MUST_CONNECT: it blocks if the platform must connect. BLOCKS: it blocks if
    the platform is in a tier that blocks.
    """

    NAMED = "NAMED"
    MUST_CONNECT = "MUST_CONNECT"
    BLOCKS = "BLOCKS"


class ClearancePolicy(NamedTuple):
    """The policy by which a clearance is decided. `valid_ms` says for how long an answer is valid."""

    blocking_tiers: tuple[int, ...] = (1,)
    frozen_blocks: bool = False
    declined_blocks: bool = True
    unconnected: UnconnectedRule = UnconnectedRule.NAMED
    valid_ms: int = DAY_MS


class Positions(NamedTuple):
    """The places in all logs that an answer rests on; every offset is the next one to be read."""

    releases: tuple[int, ...]
    acks: tuple[int, ...]
    platforms: int
    operators: int
    reported: int
    now_ms: int


class LookedUp(NamedTuple):
    """One number of a lookup, or one of its cases that was shown, and what was told about it.

    `case` is None if there is none or if it is not the asker's. `answer` is the answer of a clearance. For other
    questions it is CLEAR if nothing was open at connected platforms, BLOCKED if something was, UNKNOWN if there was
    nothing to show.
    """

    number: str
    case: Source | None
    answer: ClearanceAnswer | None


class Lookup(NamedTuple):
    """The record that somebody asked about numbers, and what was answered.

    `policy` is that of a clearance. `positions` is what the answer rests on; it is None for a clearance answered
    BEHIND.
    """

    lookup_id: bytes
    kind: LookupKind
    asked_by: str
    role: Role
    asked_at: int
    numbers: tuple[LookedUp, ...]
    policy: ClearancePolicy | None
    positions: Positions | None
