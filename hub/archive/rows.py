"""The rows of the archive as values, one class a table; fields are the columns, in order.

Rows hold plain values. Three kinds of field differ in the table (`hub.archive.rest`): `number_key` holds a number
here and its digest there, `number_sealed` a number here and its seal there, `sealed` bytes here and their seal there.
`part` and `log_offset` say where the message lies in its log, `seq` which of several rows of one message it is;
`record_time` is the message's own, milliseconds, UTC. Text that strangers wrote goes through `plain_text`.
"""

from __future__ import annotations

from typing import NamedTuple

from hub.core.numbers import without_numbers

TEXT_MAX = 200


def plain_text(value: str) -> str:
    """Text of a stranger as it may lie in a table: bounded, without NUL, which PostgreSQL has not, and no numbers."""
    return without_numbers(value[:TEXT_MAX].replace("\0", "\ufffd"))


class MessageRow(NamedTuple):
    """A message of any log, whole. `kind`: its schema, None if it cannot be read, and then `mark` says why."""

    topic: str
    part: int
    log_offset: int
    record_time: int
    kind: str | None
    mark: str | None
    sealed: bytes


class EventRow(NamedTuple):
    """An operator's event, accepted or not; what the hub decided stands in `receipts`."""

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
    """An operator's daily count. `day`: since 1970-01-01."""

    part: int
    log_offset: int
    record_time: int
    operator: str
    day: int
    sent: list[int]


class NoticeRow(NamedTuple):
    """A notice. `case_offset`: of the opener in the same partition. `counts`: False if the fold ignores it."""

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
    """A case as it stands: times of its opener, record times of when it reached each stage, its last notice."""

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
    """A receipt, report receipt or ported notice of one operator's topic. `message_id`: of the event or report."""

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
    """An acknowledgement. `received_*`: partitions and how far each was received; `positions`: how many it names."""

    part: int
    log_offset: int
    record_time: int
    platform: str
    sent_at: int
    received_parts: list[int]
    received_through: list[int]
    positions: int


class EffectRow(NamedTuple):
    """What an acknowledgement says of one block of positions of `releases`: these, from the first to the last.

    `bits`: one a position from the first on, lowest bit first; None if it is all of them.
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
    """A person's word as an operator passed it on; whether it counts stands in `reported`."""

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
    """A platform's answer to a report, or its word about a test case."""

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
    """An event held, a person's verdict on it, or the hub's decision after."""

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
    """That somebody asked, and how many numbers got which answer."""

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
    """A roster record of a platform, as it was from then on."""

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
    """A roster record of an operator, as it was from then on."""

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
"""Every table that is made from the logs, and what its rows are."""

TABLE_OF: dict[type, str] = {row: table for table, row in ROWS.items()}
