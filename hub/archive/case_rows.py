"""This module folds `releases` into the archive's rows, with the hub's own fold (`hub.core.cases.fold`).

For example, a notice SCHEDULED of a case in cooling gives a row of `notices`, and the case's row moves to SCHEDULED.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hub.archive.rows import CaseRow, NoticeRow
from hub.core.cases import Case, fold
from hub.core.model import Record, ReleaseNotice, Source, Stage


class Noticed(NamedTuple):
    """A record of `releases` and the notice in it."""

    record: Record
    notice: ReleaseNotice


class CaseFold:
    """Folds notices onto the last cases known before; the notices of each partition come in order.

    Args:
        known: the last case of each number that the notices are about, if there is one.
        last_sources: the offset of the last source folded, by partition; a partition without one is not in it.
    """

    def __init__(self, known: Mapping[str, CaseRow], last_sources: Mapping[int, int]) -> None:
        self._known = dict(known)
        self.last_sources = dict(last_sources)
        self.changed: dict[Source, CaseRow] = {}

    def add(self, noticed: Noticed) -> NoticeRow:
        """Fold one notice and return its row."""
        record, notice = noticed
        position = Source(record.partition, record.offset)
        before = self._known.get(notice.subject.value)
        last_source = self.last_sources.get(position.partition, -1)
        folded = fold(notice, position, last_source, lambda _: None if before is None else _case(before))
        if folded is not None:
            self.last_sources[position.partition] = notice.source.offset
            row = _row(folded.number, folded.case, record, before=None if folded.opened else before)
            self._known[folded.number] = row
            self.changed[folded.case.position] = row
        return NoticeRow(
            record.partition,
            record.offset,
            record.record_time,
            record.offset if notice.opened_at is None else notice.opened_at,
            notice.stage,
            notice.operator,
            notice.occurred_at,
            notice.published_at,
            *notice.source,
            notice.event_id,
            notice.reminders,
            counts=folded is not None,
        )


def _case(row: CaseRow) -> Case:
    """Return a row as a case of the fold, without the events it had: the archive does not need them."""
    return Case(
        position=Source(row.part, row.log_offset),
        operator=row.operator,
        opened_as=Stage(row.opened_as),
        stage=Stage(row.stage),
        bound_before=row.bound_before,
        published_at=row.published_at,
        cooling_until=row.cooling_until,
        reissue_not_before=row.reissue_not_before,
        reminders=row.reminders,
        scheduled_at=row.scheduled_at,
        last_at=row.last_at,
        event_ids=(),
    )


def _row(number: str, case: Case, record: Record, before: CaseRow | None) -> CaseRow:
    return CaseRow(
        *case.position,
        number,
        number,
        case.operator,
        case.opened_as,
        case.stage,
        record.record_time if before is None else before.opened_at,
        case.published_at,
        case.bound_before,
        case.cooling_until,
        case.reissue_not_before,
        case.reminders,
        case.scheduled_at,
        case.last_at,
        record.record_time,
        record.offset,
    )
