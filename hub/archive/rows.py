"""This module defines the archive's rows as values, one class for each table; the fields are its columns, in order.

Rows hold plain values. Three kinds of field differ in the table (`hub.archive.rest`): `number_key` holds a number
here and its digest there, `number_sealed` a number here and its seal there, `sealed` bytes here and their seal there.
`part` and `log_offset` are the position of the message in its log, and `seq` says which of several rows of one message
it is. `record_time` is the message's record time in milliseconds, UTC. Text from outside goes through `plain_text`.
For example, the row of `notices` with `part` 7 and `log_offset` 120033 is the notice at position 7-120033.
"""

from __future__ import annotations

from typing import NamedTuple

from hub.core.numbers import without_numbers

TEXT_MAX = 200


def plain_text(value: str) -> str:
    """Return text from outside as a table may hold it: bounded, without phone numbers, and without NUL, which
    PostgreSQL does not take."""
    return without_numbers(value[:TEXT_MAX].replace("\0", "\ufffd"))


class MessageRow(NamedTuple):
    """A whole message of any log. `kind` is its schema; it is None if it cannot be read, and then `mark` says why."""

    topic: str
    part: int
    log_offset: int
    record_time: int
    kind: str | None
    mark: str | None
    sealed: bytes


class EventRow(NamedTuple):
    """An operator's event, accepted or not; `receipts` holds what the hub decided."""

    part: int
    log_offset: int
    record_time: int
    event_id: bytes
    operator: str
    number_key: str
    type: str
    occurred_at: int
    cooling_until: int | None
    reissue_not_before: int | None
    bound_before: int | None
    reason: str | None
    ported: bool
    reminders: int


class OperatorReportRow(NamedTuple):
    """An operator's daily report. `day` counts days since 1970-01-01; `sent` is the running total by partition."""

    part: int
    log_offset: int
    record_time: int
    operator: str
    day: int
    sent: list[int]


class NoticeRow(NamedTuple):
    """A notice. `case_offset` is the opener's offset in this partition; `counts` is False if the fold ignores it."""

    part: int
    log_offset: int
    record_time: int
    case_offset: int
    stage: str
    operator: str
    occurred_at: int
    published_at: int
    source_part: int
    source_offset: int
    event_id: bytes
    reminders: int
    counts: bool


class CaseRow(NamedTuple):
    """A case as it is now. `opened_at` and `moved_at` are the record times of its first and last notice.

    `scheduled_at` and `last_at` are when its RELEASE_SCHEDULED and its last event occurred.
    """

    part: int
    log_offset: int
    number_key: str
    number_sealed: str
    operator: str
    opened_as: str
    stage: str
    opened_at: int
    published_at: int
    bound_before: int
    cooling_until: int | None
    reissue_not_before: int | None
    reminders: int
    scheduled_at: int | None
    last_at: int
    moved_at: int
    last_offset: int


class ReceiptRow(NamedTuple):
    """A receipt, report receipt or ported notice for one operator. `message_id` is the id of the event or report."""

    operator: str
    part: int
    log_offset: int
    record_time: int
    kind: str
    source_part: int
    source_offset: int
    message_id: bytes | None
    decision: str
    reason: str | None
    position_part: int | None
    position_offset: int | None
    breaches: list[str]
    recorded_at: int
    report_day: int | None
    number_key: str | None
    platform: str | None


class AckRow(NamedTuple):
    """An acknowledgement. `received_*` say how far each partition was received; `positions` counts those it names."""

    part: int
    log_offset: int
    record_time: int
    platform: str
    sent_at: int
    received_parts: list[int]
    received_through: list[int]
    positions: int


class EffectRow(NamedTuple):
    """What an acknowledgement says of one block of `releases`: an outcome for positions from the first to the last.

    `bits` has one bit for each position from the first on, lowest bit first; it is None if all positions are meant.
    """

    part: int
    log_offset: int
    seq: int
    record_time: int
    platform: str
    outcome: str
    rel_part: int
    block: int
    first_offset: int
    last_offset: int
    bits: bytes | None


class ReportRow(NamedTuple):
    """A person's report as an operator passed it on; it counts if `reported` holds it."""

    part: int
    log_offset: int
    record_time: int
    report_id: bytes
    operator: str
    number_key: str
    platform: str
    kind: str
    happened_at: int


class ReportedRow(NamedTuple):
    """A report that counts, or an answer that ends its dispute."""

    part: int
    log_offset: int
    record_time: int
    what: str
    source_part: int
    source_offset: int
    report_id: bytes
    operator: str | None
    number_key: str | None
    platform: str | None
    name: str | None
    kind: str | None
    case_part: int | None
    case_offset: int | None
    happened_at: int | None
    recorded_at: int
    deadline_at: int | None
    outcome: str | None


class AnswerRow(NamedTuple):
    """A platform's answer to a report, its request for a test case, or its result of one."""

    part: int
    log_offset: int
    record_time: int
    what: str
    platform: str
    message_id: bytes
    outcome: str | None
    said_at: int


class RejectionRow(NamedTuple):
    """A refused message; its bytes are sealed in `messages`."""

    part: int
    log_offset: int
    record_time: int
    topic: str
    source_part: int
    source_offset: int
    reason: str
    sender: str | None
    recorded_at: int


class HeldRow(NamedTuple):
    """A held event, a person's verdict on it, or the hub's decision after that verdict."""

    part: int
    log_offset: int
    seq: int
    record_time: int
    what: str
    operator: str | None
    source_part: int
    source_offset: int
    event_id: bytes | None
    word: str
    said_by: str | None
    copy_part: int | None
    copy_offset: int | None


class LookupRow(NamedTuple):
    """A record that somebody asked, and how many numbers got which answer."""

    part: int
    log_offset: int
    record_time: int
    lookup_id: bytes
    kind: str
    asked_by: str
    role: str
    asked_at: int
    numbers: int
    clear: int
    blocked: int
    unknown: int


class LookedUpRow(NamedTuple):
    """One number of a lookup."""

    part: int
    log_offset: int
    seq: int
    record_time: int
    number_key: str
    case_part: int | None
    case_offset: int | None
    answer: str | None


class PlatformRow(NamedTuple):
    """A roster record of a platform, which holds from its record time on."""

    part: int
    log_offset: int
    record_time: int
    platform: str
    state: str
    tier: int
    name_zh: str
    name_en: str
    left_at: int | None


class OperatorRow(NamedTuple):
    """A roster record of an operator, which holds from its record time on."""

    part: int
    log_offset: int
    record_time: int
    operator: str
    name_zh: str
    name_en: str
    clearance_required: bool


Row = (
    MessageRow
    | EventRow
    | OperatorReportRow
    | NoticeRow
    | CaseRow
    | ReceiptRow
    | AckRow
    | EffectRow
    | ReportRow
    | ReportedRow
    | AnswerRow
    | RejectionRow
    | HeldRow
    | LookupRow
    | LookedUpRow
    | PlatformRow
    | OperatorRow
)

ROWS: dict[str, type[Row]] = {
    "messages": MessageRow,
    "events": EventRow,
    "operator_reports": OperatorReportRow,
    "notices": NoticeRow,
    "cases": CaseRow,
    "receipts": ReceiptRow,
    "acks": AckRow,
    "effects": EffectRow,
    "reports": ReportRow,
    "reported": ReportedRow,
    "answers": AnswerRow,
    "rejections": RejectionRow,
    "held": HeldRow,
    "lookups": LookupRow,
    "looked_up": LookedUpRow,
    "platforms": PlatformRow,
    "operators": OperatorRow,
}
"""Every table that is made from the logs, with the class of its rows."""

TABLE_OF: dict[type, str] = {row: table for table, row in ROWS.items()}
