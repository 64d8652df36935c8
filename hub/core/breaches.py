"""This module finds which duties operators did not meet. A fact is never refused because it is a breach.

All rules compare `occurred_at` with the opener's `cooling_until` and `reissue_not_before`, to the millisecond, bounds
included. Those about a case do not apply to a case that opened at REASSIGNED. Each happens at most once in a case,
because the lifecycle table lets each of these events through once. For example, a RELEASED that occurred a millisecond
before the opener's `cooling_until` is an EARLY_RELEASE, and one at `cooling_until` is not.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pyroaring import BitMap

from hub.core.cases import Case
from hub.core.lifecycle import HANDOVER_REASONS
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Breach,
    ClearanceAnswer,
    Decision,
    EventType,
    NumberEvent,
    Operator,
    Receipt,
    Refusal,
    Rejected,
    ReleaseNotice,
    ReleaseReason,
    Source,
    Stage,
)

REMINDERS_MIN = 2
NOTICE_MS = 7 * DAY_MS
LATE_MS = DAY_MS
REPORT_GRACE_MS = HOUR_MS


def of_notice(notice: ReleaseNotice, operator: Operator, before: Case | None) -> tuple[Breach, ...]:
    """Return the breaches of its case that a folded notice shows. `before` is the number's last case before it."""
    if notice.stage is Stage.COOLING:
        return tuple(_at_cooling(notice, operator))
    if before is None or before.opened_as is Stage.REASSIGNED:
        return ()
    if notice.stage is Stage.RELEASED:
        return tuple(_at_release(notice, before))
    if notice.stage is Stage.REASSIGNED and notice.opened_at is not None:
        return tuple(_at_reassignment(notice, before))
    return ()


def of_event(event: NumberEvent, record_time: int) -> tuple[Breach, ...]:
    """Return the breaches that an accepted event shows by itself."""
    late = record_time - event.occurred_at > LATE_MS and event.reason is not ReleaseReason.BACKFILL
    return (Breach.LATE_EVENT,) if late else ()


class Clearance(NamedTuple):
    """What a clearance id of this hub says. `case` is a position; the id may be used from `from_ms` to `until_ms`."""

    operator: str
    case: str | None
    answer: ClearanceAnswer
    from_ms: int
    until_ms: int


def needs_clearance(event: NumberEvent, operator: Operator) -> bool:
    """Return whether an operator's event must carry a clearance if it reassigns a case that was open before."""
    handover = event.reason in HANDOVER_REASONS
    return operator.clearance_required and event.type is EventType.REASSIGNED and not handover


def of_clearance(
    event: NumberEvent, operator: Operator, case: Source | None, clearance: Clearance | None
) -> tuple[Breach, ...]:
    """Return the breach of handing a number out without a clearance, or against one.

    Args:
        case: the opener of the case that the event moves; None if it opens one itself.
        clearance: what the event's clearance id says; None if it has none, or if the id is not the hub's.
    """
    if case is None or not needs_clearance(event, operator):
        return ()
    usable = (
        clearance is not None
        and clearance.operator == operator.id
        and clearance.case == str(case)
        and clearance.from_ms <= event.occurred_at <= clearance.until_ms
    )
    if clearance is None or not usable or clearance.answer is ClearanceAnswer.UNKNOWN:
        return (Breach.NOT_CLEARED,)
    return (Breach.REISSUED_WHILE_BLOCKED,) if clearance.answer is ClearanceAnswer.BLOCKED else ()


def _at_cooling(notice: ReleaseNotice, operator: Operator) -> Iterable[Breach]:
    assert notice.cooling_until is not None, "MISSING_FIELD comes before breaches"
    length = notice.cooling_until - notice.occurred_at
    if not operator.cooling_days_min * DAY_MS <= length <= operator.cooling_days_max * DAY_MS:
        yield Breach.COOLING_LENGTH


def _at_release(notice: ReleaseNotice, case: Case) -> Iterable[Breach]:
    if case.cooling_until is not None and notice.occurred_at < case.cooling_until:
        yield Breach.EARLY_RELEASE
    if notice.reminders < REMINDERS_MIN:
        yield Breach.FEW_REMINDERS
    latest = None if case.reissue_not_before is None else case.reissue_not_before - NOTICE_MS
    if case.scheduled_at is None or (latest is not None and case.scheduled_at > latest):
        yield Breach.SHORT_NOTICE


def _at_reassignment(notice: ReleaseNotice, case: Case) -> Iterable[Breach]:
    if case.reissue_not_before is not None and notice.occurred_at < case.reissue_not_before:
        yield Breach.EARLY_REISSUE
    if notice.reminders == case.reminders:
        yield Breach.NEW_OWNER_NOT_TOLD


class DailyReport(NamedTuple):
    """A report as it arrived: its totals for each partition, and its record time."""

    sent: tuple[int, ...]
    recorded_at: int


def silent_days(since: int, reported: Iterable[int], now_ms: int) -> list[int]:
    """Return the UTC days (since 1970-01-01) that had no report an hour after their end."""
    first = since // DAY_MS
    last = (now_ms - REPORT_GRACE_MS) // DAY_MS - 1
    days = set(reported)
    return [day for day in range(first, last + 1) if day not in days]


def mismatched_days(reports: Mapping[int, DailyReport], counted: Mapping[int, Sequence[int]], now_ms: int) -> list[int]:
    """Return the UTC days whose report does not agree with what the hub has, judged an hour after their end.

    Args:
        reports: the first report of each day.
        counted: for each partition of `events`, the record times of this operator's events, in order.
    """
    return [
        day
        for day, report in reports.items()
        if now_ms >= (day + 1) * DAY_MS + REPORT_GRACE_MS and not _agrees(report, counted)
    ]


def _agrees(report: DailyReport, counted: Mapping[int, Sequence[int]]) -> bool:
    if any(partition >= len(report.sent) for partition in counted):
        return False
    return all(
        total == bisect_right(counted.get(partition, ()), report.recorded_at)
        for partition, total in enumerate(report.sent)
    )


class OperatorBook:
    """An operator's figures, folded from its receipts. Their order does not matter, and repeats change nothing.

    Its dead letters tell the one reason that receipts do not tell (`intake.RECEIPTED_AS`). A receipt costs about nine
    bytes: the sources that have one are a bitmap, and their record times are a packed array.
    """

    def __init__(self) -> None:
        self.decisions: dict[Decision, int] = {}
        self.breaches: Counter[Breach] = Counter()
        self.reports: dict[int, DailyReport] = {}
        self.last_event_at: int | None = None
        """The record time of the newest event whose signature proved it to be the operator's."""
        self._sources: dict[int, BitMap] = {}
        self._times: dict[int, array[int]] = {}
        self._disordered: set[int] = set()
        self._reasons: dict[Source, Refusal] = {}
        self._held: set[Source] = set()
        self._answers: dict[Source, Receipt] = {}
        self._not_theirs: set[Source] = set()

    @property
    def refusals(self) -> dict[Refusal, int]:
        """Return how many messages were refused, by true reason."""
        hidden = dict.fromkeys(self._not_theirs & self._reasons.keys(), Refusal.NOT_YOUR_CASE)
        return dict(Counter((self._reasons | hidden).values()))

    def add_rejected(self, letter: Rejected) -> None:
        """Note the true reason that a dead letter of `events` gives. Its `sender` must be this operator."""
        if letter.reason is Refusal.NOT_YOUR_CASE:
            self._not_theirs.add(Source(letter.partition, letter.offset))

    def add(self, receipt: Receipt) -> None:
        """Count a receipt. Only the first receipt of a source counts.

        The answer to a held event is the receipt of the copy that the hub sent. It takes the place of HELD, and the
        copy is not counted as the operator's event.
        """
        if receipt.held_source is not None:
            self._answer(receipt, receipt.held_source)
            return
        sources = self._sources.setdefault(receipt.source.partition, BitMap())
        if receipt.source.offset in sources:
            return
        sources.add(receipt.source.offset)
        times = self._times.setdefault(receipt.source.partition, array("q"))
        if receipt.decision is not Decision.REPORTED and receipt.reason is not Refusal.BAD_SIGNATURE:
            if times and receipt.recorded_at < times[-1]:
                self._disordered.add(receipt.source.partition)
            times.append(receipt.recorded_at)
            self.last_event_at = max(receipt.recorded_at, self.last_event_at or 0)
        self._note(receipt)
        if receipt.decision is Decision.HELD:
            self._held.add(receipt.source)
            self._replace_held(receipt.source)
        if receipt.decision is Decision.REPORTED and receipt.report_day is not None:
            arrived = DailyReport(receipt.report_sent, receipt.recorded_at)
            known = self.reports.get(receipt.report_day)
            if known is None or arrived.recorded_at < known.recorded_at:
                self.reports[receipt.report_day] = arrived

    def _note(self, receipt: Receipt) -> None:
        self.decisions[receipt.decision] = self.decisions.get(receipt.decision, 0) + 1
        if receipt.reason is not None:
            self._reasons[receipt.source] = receipt.reason
        self.breaches.update(receipt.breaches)

    def _answer(self, receipt: Receipt, held: Source) -> None:
        if receipt.decision is not Decision.HELD and held not in self._answers:
            self._answers[held] = receipt
            self._replace_held(held)

    def _replace_held(self, held: Source) -> None:
        if held in self._held and held in self._answers:
            self.decisions[Decision.HELD] -= 1
            self._note(self._answers[held])

    def counted(self) -> Mapping[int, Sequence[int]]:
        """Return the record times of this operator's events, in order, by partition of `events`."""
        while self._disordered:
            partition = self._disordered.pop()
            self._times[partition] = array("q", sorted(self._times[partition]))
        return self._times

    def breaches_at(self, operator: Operator, now_ms: int) -> dict[Breach, int]:
        """Return how often each breach happened so far; the daily ones are judged at `now_ms`."""
        found = {breach: count for breach, count in self.breaches.items() if count}
        silent = len(silent_days(operator.since, self.reports, now_ms))
        mismatched = len(mismatched_days(self.reports, self.counted(), now_ms))
        found |= {Breach.SILENT: silent} if silent else {}
        found |= {Breach.COUNT_MISMATCH: mismatched} if mismatched else {}
        return found
