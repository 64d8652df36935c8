"""This module decides on people's reports, and keeps which disputes are open.

Rules of a report (`decide_report`), in this order; the first that fails gives the reason: the signer is `operator`
(WRONG_OPERATOR), the number (INVALID_NUMBER), the partition (WRONG_PARTITION), the platform's name (MISSING_FIELD if
blank, UNDECODABLE if too long), `happened_at` (BAD_TIME if over an hour ahead), `report_id` seen (duplicate, or
EVENT_ID_REUSED if it is of another report).
1. A platform is named by its id, or by either of its names; case, spacing and width of the letters do not matter. For
   example, "ali PAY" names the platform whose English name is Alipay. A name that nobody on the roster has is kept as
   it was said: this is how an unknown platform becomes known.
2. A report is about the number's last case, if that is in force. Otherwise it counts for the platform alone.
3. A connected platform is asked to look again and owes an answer within its tier's limit. The receipt names the case
   and the deadline to an operator whose case or range it is; to others it does not say whether there is a case.

Rules of disputes (`Disputes`), which are folded from `reported` in offset order; the first record of an id counts:
4. A report of a case opens a dispute with the platform it names; an accepted answer to that report ends it.
5. A dispute makes a pair a gap of its own class (`hub.core.gaps`) whatever the platform said, so that nobody learns
   what it said by reporting and looking. Everything it said stays said. A person who still disagrees reports again. If
   the platform said nothing, there is nothing to dispute.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pyroaring import BitMap

from hub.core.cases import Case
from hub.core.clearance import may_see
from hub.core.gaps import TIER_LIMIT_MS
from hub.core.model import (
    HOUR_MS,
    SEGMENT,
    AcceptedAnswer,
    AcceptedReport,
    Decision,
    Operator,
    Platform,
    PlatformState,
    Refusal,
    Report,
    ReportAnswer,
    ReportReceipt,
    ReportRequest,
    Role,
    Source,
    Subject,
)
from hub.core.numbers import is_e164, without_numbers

NAME_CHARS_MAX = 100
CLOCK_SKEW_MS = HOUR_MS
EMPTY = BitMap()


class Ruling(NamedTuple):
    """What becomes of a report: its receipt; and if it counts, its record, and what the platform is asked."""

    receipt: ReportReceipt
    accepted: AcceptedReport | None
    request: ReportRequest | None


class Submitted(NamedTuple):
    """A report as it came: where it lies, when it was recorded, who signed it, and whether its partition is right."""

    source: Source
    recorded_at: int
    sender: Operator
    report: Report
    at_home: bool


def plain_name(name: str) -> str:
    """Return a name in the form in which names are compared: width and case are folded, and spaces removed."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def unknown_name(name: str) -> str:
    """Return the name of an unknown platform as it is counted and shown: in plain form, without possible numbers."""
    return without_numbers(plain_name(name))


def find_platform(name: str, platforms: Mapping[str, Platform]) -> Platform | None:
    """Return the platform of the roster with that id or name; None if there is none, or more than one."""
    if name in platforms:
        return platforms[name]
    wanted = plain_name(name)
    found = [one for one in platforms.values() if wanted in map(plain_name, (one.id, one.name.zh, one.name.en))]
    return found[0] if len(found) == 1 else None


def decide_report(
    submitted: Submitted,
    platforms: Mapping[str, Platform],
    last: Case | None,
    before: AcceptedReport | None,
    log_id: bytes,
) -> Ruling:
    """Decide on one report.

    Args:
        last: the last case of its number.
        before: the report of that id that counts already.
        log_id: the id of this log, 16 bytes.
    """
    report, refusal = submitted.report, _refusal(submitted)
    if refusal is not None:
        return Ruling(_receipt(submitted, Decision.REFUSED, reason=refusal), None, None)
    platform = find_platform(report.platform, platforms)
    if before is not None and not _same(before, report):
        return Ruling(_receipt(submitted, Decision.REFUSED, reason=Refusal.EVENT_ID_REUSED), None, None)
    if before is not None:
        decision = Decision.ACCEPTED if before.source == submitted.source else Decision.DUPLICATE
        receipt = _receipt(submitted, decision, platform=platform, told=_told(submitted, last, before))
        again = None if decision is Decision.DUPLICATE else _request(before, log_id)
        return Ruling(receipt, None, again)
    case = None if last is None or last.undone else last.position
    asked = platform is not None and platform.state is PlatformState.CONNECTED and case is not None
    accepted = AcceptedReport(
        source=submitted.source,
        report_id=report.report_id,
        operator=report.operator,
        number=report.number,
        platform=None if platform is None else platform.id,
        name=report.platform,
        kind=report.kind,
        case=case,
        happened_at=report.happened_at,
        recorded_at=submitted.recorded_at,
        deadline_at=submitted.recorded_at + limit_ms(platform) if asked and platform is not None else None,
    )
    receipt = _receipt(submitted, Decision.ACCEPTED, platform=platform, told=_told(submitted, last, accepted))
    return Ruling(receipt, accepted, _request(accepted, log_id))


def _same(before: AcceptedReport, report: Report) -> bool:
    told = (before.operator, before.number, before.name, before.kind, before.happened_at)
    return told == (report.operator, report.number, report.platform, report.kind, report.happened_at)


def limit_ms(platform: Platform) -> int:
    """Return how long a platform may take to answer: as long as for a gap of its tier."""
    return TIER_LIMIT_MS.get(platform.tier, TIER_LIMIT_MS[3])


def unreadable(source: Source, recorded_at: int, reason: Refusal) -> ReportReceipt:
    """Return the receipt of a report that could not be read, or whose signature does not hold."""
    return ReportReceipt(source, None, Decision.REFUSED, reason, None, None, None, None, None, recorded_at)


def _refusal(submitted: Submitted) -> Refusal | None:
    report = submitted.report
    if submitted.sender.id != report.operator:
        return Refusal.WRONG_OPERATOR
    if not is_e164(report.number):
        return Refusal.INVALID_NUMBER
    if not submitted.at_home:
        return Refusal.WRONG_PARTITION
    if not plain_name(report.platform):
        return Refusal.MISSING_FIELD
    if len(report.platform) > NAME_CHARS_MAX:
        return Refusal.UNDECODABLE
    return Refusal.BAD_TIME if report.happened_at > submitted.recorded_at + CLOCK_SKEW_MS else None


def _told(submitted: Submitted, last: Case | None, accepted: AcceptedReport) -> AcceptedReport | None:
    """Return the report if its operator may know the case; None if the number is another operator's."""
    known = last is not None and may_see(submitted.report.number, last, Role.OPERATOR, submitted.sender)
    return accepted if known else None


def _receipt(
    submitted: Submitted,
    decision: Decision,
    *,
    reason: Refusal | None = None,
    platform: Platform | None = None,
    told: AcceptedReport | None = None,
) -> ReportReceipt:
    return ReportReceipt(
        source=submitted.source,
        report_id=submitted.report.report_id,
        decision=decision,
        reason=reason,
        platform=None if platform is None else platform.id,
        state=None if platform is None else platform.state,
        case=None if told is None else told.case,
        deadline_at=None if told is None else told.deadline_at,
        guide_url=None if platform is None else platform.guide_url,
        recorded_at=submitted.recorded_at,
    )


def _request(accepted: AcceptedReport, log_id: bytes) -> ReportRequest | None:
    if accepted.platform is None or accepted.case is None or accepted.deadline_at is None:
        return None
    return ReportRequest(
        report_id=accepted.report_id,
        platform=accepted.platform,
        subject=Subject("e164", accepted.number),
        case=accepted.case,
        kind=accepted.kind,
        asked_at=accepted.recorded_at,
        deadline_at=accepted.deadline_at,
        log_id=log_id,
    )


class Disputes:
    """Folds `reported` into reports, their answers, and the pairs in dispute by platform and segment."""

    def __init__(self) -> None:
        self.reports: dict[bytes, AcceptedReport] = {}
        self.answers: dict[bytes, AcceptedAnswer] = {}
        self.version = 0
        self._open: dict[tuple[str, Source], set[bytes]] = {}
        self._bits: dict[tuple[str, int, int], BitMap] = {}

    def add(self, record: AcceptedReport | AcceptedAnswer) -> None:
        """Fold one record of `reported`."""
        if isinstance(record, AcceptedReport):
            self._report(record)
        else:
            self._answer(record)

    def refusal_of(self, answer: ReportAnswer) -> Refusal | None:
        """Return why an answer does not count; None if it does."""
        report = self.reports.get(answer.report_id)
        if report is None:
            return Refusal.UNKNOWN_EVENT
        return None if report.platform == answer.platform else Refusal.WRONG_PLATFORM

    def open_in(self, platform: str, partition: int, segment: int) -> BitMap:
        """Return the positions of a segment whose pair with a platform is in dispute by a report."""
        return self._bits.get((platform, partition, segment), EMPTY)

    def silent(self, platform: str, now_ms: int) -> list[AcceptedReport]:
        """Return the reports that a platform was asked about and did not answer in time."""
        return [
            one
            for one in self.reports.values()
            if one.platform == platform
            and one.deadline_at is not None
            and one.deadline_at <= now_ms
            and one.report_id not in self.answers
        ]

    def _report(self, report: AcceptedReport) -> None:
        if report.report_id in self.reports:
            return
        self.reports[report.report_id] = report
        self.version += 1
        if report.platform is not None and report.case is not None:
            self._open.setdefault((report.platform, report.case), set()).add(report.report_id)
            self._segment(report.platform, report.case).add(report.case.offset % SEGMENT)

    def _answer(self, answer: AcceptedAnswer) -> None:
        report = self.reports.get(answer.report_id)
        if report is None or report.platform != answer.platform or answer.report_id in self.answers:
            return
        self.answers[answer.report_id] = answer
        self.version += 1
        if report.platform is None or report.case is None:
            return
        still_open = self._open[report.platform, report.case]
        still_open.discard(report.report_id)
        if not still_open:
            del self._open[report.platform, report.case]
            self._segment(report.platform, report.case).discard(report.case.offset % SEGMENT)

    def _segment(self, platform: str, case: Source) -> BitMap:
        return self._bits.setdefault((platform, case.partition, case.offset // SEGMENT), BitMap())


def reported_numbers(reports: Iterable[AcceptedReport]) -> dict[str, set[str]]:
    """Return the numbers reported, by platform id; for a platform that nobody knows, by `unknown_name`."""
    found: dict[str, set[str]] = {}
    for one in reports:
        found.setdefault(one.platform or unknown_name(one.name), set()).add(one.number)
    return found
