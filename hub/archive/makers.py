"""This module makes the rows of each kind of message: there is one maker for each kind, and each lists the fields.

For example, a platform's acknowledgement becomes one row of `acks` and the rows of `effects` for what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hub.archive import rows
from hub.archive.blocks import effects_of
from hub.archive.rows import Row, plain_text
from hub.core.coverage import read_outcomes
from hub.core.model import (
    AcceptedAnswer,
    AcceptedReport,
    Acknowledgement,
    ClearanceAnswer,
    HeldDecided,
    HeldEvent,
    HeldRelease,
    Lookup,
    NumberEvent,
    Operator,
    OperatorReport,
    Platform,
    PortedNotice,
    Receipt,
    Record,
    Refusal,
    Rejected,
    ReleaseNotice,
    Report,
    ReportAnswer,
    ReportReceipt,
    Source,
    Trial,
    TrialResult,
)

RECEIPTS = "receipts."


def _split(source: Source | None) -> tuple[int | None, int | None]:
    return (None, None) if source is None else (source.partition, source.offset)


def _where(record: Record) -> tuple[int, int, int]:
    return record.partition, record.offset, record.record_time


def _text(value: str | None) -> str | None:
    return None if value is None else plain_text(value)


def _event(record: Record, event: NumberEvent) -> Iterator[Row]:
    yield rows.EventRow(
        *_where(record),
        event.event_id,
        plain_text(event.operator),
        event.number,
        event.type,
        event.occurred_at,
        event.cooling_until,
        event.reissue_not_before,
        event.bound_before,
        event.reason,
        event.ported,
        len(event.reminders),
    )


def _operator_report(record: Record, report: OperatorReport) -> Iterator[Row]:
    yield rows.OperatorReportRow(*_where(record), plain_text(report.operator), report.day, list(report.sent))


def _notice(_record: Record, _notice: ReleaseNotice) -> Iterator[Row]:
    """Make no row here: a notice's row needs the fold (`hub.archive.case_rows`)."""
    return iter(())


def _receipt(record: Record, receipt: Receipt) -> Iterator[Row]:
    yield rows.ReceiptRow(
        record.topic.removeprefix(RECEIPTS),
        *_where(record),
        "receipt",
        *receipt.source,
        receipt.event_id,
        receipt.decision,
        receipt.reason,
        *_split(receipt.position),
        [str(one) for one in receipt.breaches],
        receipt.recorded_at,
        receipt.report_day,
        None,
        None,
    )


def _report_receipt(record: Record, receipt: ReportReceipt) -> Iterator[Row]:
    yield rows.ReceiptRow(
        record.topic.removeprefix(RECEIPTS),
        *_where(record),
        "report_receipt",
        *receipt.source,
        receipt.report_id,
        receipt.decision,
        receipt.reason,
        *_split(receipt.case),
        [],
        receipt.recorded_at,
        None,
        None,
        _text(receipt.platform),
    )


def _ported_notice(record: Record, ported: PortedNotice) -> Iterator[Row]:
    yield rows.ReceiptRow(
        record.topic.removeprefix(RECEIPTS),
        *_where(record),
        "ported_notice",
        *ported.source,
        None,
        ported.decision,
        None,
        *_split(ported.position),
        [],
        ported.recorded_at,
        None,
        ported.number,
        None,
    )


def _ack(record: Record, ack: Acknowledgement) -> Iterator[Row]:
    additions = read_outcomes(ack)
    if isinstance(additions, Refusal):  # its outcomes cannot be read; that it came, and how far it received, is kept
        additions = []
    platform = plain_text(ack.platform)
    yield rows.AckRow(
        *_where(record),
        platform,
        ack.sent_at,
        [one.partition for one in ack.received],
        [one.through for one in ack.received],
        sum(len(one.bits) for one in additions),
    )
    yield from effects_of(record, platform, additions)


def _report(record: Record, report: Report) -> Iterator[Row]:
    yield rows.ReportRow(
        *_where(record),
        report.report_id,
        plain_text(report.operator),
        report.number,
        plain_text(report.platform),
        report.kind,
        report.happened_at,
    )


def _accepted_report(record: Record, report: AcceptedReport) -> Iterator[Row]:
    yield rows.ReportedRow(
        *_where(record),
        "report",
        *report.source,
        report.report_id,
        plain_text(report.operator),
        report.number,
        _text(report.platform),
        plain_text(report.name),
        report.kind,
        *_split(report.case),
        report.happened_at,
        report.recorded_at,
        report.deadline_at,
        None,
    )


def _accepted_answer(record: Record, answer: AcceptedAnswer) -> Iterator[Row]:
    empty = (None, None, plain_text(answer.platform), None, None, None, None, None)
    yield rows.ReportedRow(
        *_where(record), "answer", *answer.source, answer.report_id, *empty, answer.recorded_at, None, answer.outcome
    )


def _answer(record: Record, answer: ReportAnswer) -> Iterator[Row]:
    platform = plain_text(answer.platform)
    yield rows.AnswerRow(
        *_where(record), "report_answer", platform, answer.report_id, answer.outcome, answer.answered_at
    )


def _trial(record: Record, trial: Trial) -> Iterator[Row]:
    yield rows.AnswerRow(*_where(record), "trial", plain_text(trial.platform), trial.trial_id, None, trial.asked_at)


def _trial_result(record: Record, done: TrialResult) -> Iterator[Row]:
    yield rows.AnswerRow(*_where(record), "trial_result", plain_text(done.platform), done.trial_id, None, done.done_at)


def _rejected(record: Record, refused: Rejected) -> Iterator[Row]:
    yield rows.RejectionRow(
        *_where(record),
        refused.topic,
        refused.partition,
        refused.offset,
        refused.reason,
        _text(refused.sender),
        refused.recorded_at,
    )


def _held(record: Record, held: HeldEvent) -> Iterator[Row]:
    part, offset, at = _where(record)
    said = (plain_text(held.operator), *held.source, held.event_id, held.why, None, None, None)
    yield rows.HeldRow(part, offset, 0, at, "held", *said)


def _held_release(record: Record, release: HeldRelease) -> Iterator[Row]:
    part, offset, at = _where(record)
    operator, by = plain_text(release.operator), plain_text(release.by)
    for seq, source in enumerate(release.sources):
        yield rows.HeldRow(part, offset, seq, at, "verdict", operator, *source, None, release.verdict, by, None, None)


def _held_decided(record: Record, done: HeldDecided) -> Iterator[Row]:
    part, offset, at = _where(record)
    yield rows.HeldRow(part, offset, 0, at, "decided", None, *done.source, None, done.decision, None, *done.copy)


def _lookup(record: Record, lookup: Lookup) -> Iterator[Row]:
    part, offset, at = _where(record)
    counts = [sum(one.answer is kind for one in lookup.numbers) for kind in ClearanceAnswer]
    asked = (lookup.kind, plain_text(lookup.asked_by), lookup.role, lookup.asked_at)
    yield rows.LookupRow(
        part, offset, at, lookup.lookup_id, *asked, len({one.number for one in lookup.numbers}), *counts
    )
    for seq, one in enumerate(lookup.numbers):
        yield rows.LookedUpRow(part, offset, seq, at, one.number, *_split(one.case), one.answer)


def _platform(record: Record, one: Platform) -> Iterator[Row]:
    names = plain_text(one.name.zh), plain_text(one.name.en)
    yield rows.PlatformRow(*_where(record), plain_text(one.id), one.state, one.tier, *names, one.left_at)


def _operator(record: Record, one: Operator) -> Iterator[Row]:
    names = plain_text(one.name.zh), plain_text(one.name.en)
    yield rows.OperatorRow(*_where(record), plain_text(one.id), *names, one.clearance_required)


MAKERS: dict[type, Callable[[Record, Any], Iterator[Row]]] = {
    NumberEvent: _event,
    OperatorReport: _operator_report,
    ReleaseNotice: _notice,
    Receipt: _receipt,
    ReportReceipt: _report_receipt,
    PortedNotice: _ported_notice,
    Acknowledgement: _ack,
    Report: _report,
    AcceptedReport: _accepted_report,
    AcceptedAnswer: _accepted_answer,
    ReportAnswer: _answer,
    Trial: _trial,
    TrialResult: _trial_result,
    Rejected: _rejected,
    HeldEvent: _held,
    HeldRelease: _held_release,
    HeldDecided: _held_decided,
    Lookup: _lookup,
    Platform: _platform,
    Operator: _operator,
}
