"""This module makes the pages of operators and of the pipeline from the board. It is pure.

For example, an operator without a report for 2026-11-01 is silent from 01:00 UTC on 2026-11-02.
"""

from __future__ import annotations

from hub.core.breaches import REPORT_GRACE_MS, OperatorBook, mismatched_days, silent_days
from hub.core.limits import DEFAULTS, in_force
from hub.core.model import DAY_MS, Breach, Decision, Operator
from hub.web.board.platform_pages import day_name
from hub.web.board.snapshot import Sight
from hub.web.shapes import BreachRow, FollowerRow, Name, OperatorLimit, OperatorRow, Operators, Pipeline, TopicRow

DAILY_BREACHES_MAX = 1_000


def operators(sight: Sight) -> Operators:
    """Return every operator on the roster, sorted by id."""
    known = sorted(sight.board.roster.operators.values())
    return Operators(as_of=sight.as_of, operators=[_row(sight, one) for one in known])


def _row(sight: Sight, known: Operator) -> OperatorRow:
    book = sight.board.books.get(known.id) or OperatorBook()
    return OperatorRow(
        id=known.id,
        name=Name(zh=known.name.zh, en=known.name.en),
        clearance_required=known.clearance_required,
        raised=[one for one in limits_of(known, authority=True) if one.most is None or one.most > DEFAULTS[one.limit]],
        accepted=book.decisions.get(Decision.ACCEPTED, 0),
        noted=book.decisions.get(Decision.NOTED, 0),
        duplicate=book.decisions.get(Decision.DUPLICATE, 0),
        held=book.decisions.get(Decision.HELD, 0),
        rejected=book.refusals,
        breaches=book.breaches_at(known, sight.now_ms),
        last_event_at=book.last_event_at,
        last_report_day=day_name(max(book.reports)) if book.reports else None,
        silent=_is_silent(known, book, sight.now_ms),
    )


def limits_of(known: Operator, *, authority: bool) -> list[OperatorLimit]:
    """Return the limits in force of an operator. `authority` says whether the hub's defaults hold."""
    named = {one.limit: one for one in known.limits}
    return [
        OperatorLimit(**named[limit]._asdict())
        if limit in named
        else OperatorLimit(limit=limit, most=most, by=None, reason=None, at=None)
        for limit, most in in_force(known, authority=authority).items()
    ]


def _is_silent(known: Operator, book: OperatorBook, now_ms: int) -> bool:
    """Say whether the report of the newest day whose report is due is missing."""
    due = (now_ms - REPORT_GRACE_MS) // DAY_MS - 1
    return known.since // DAY_MS <= due and due not in book.reports


def daily_breaches(sight: Sight, operator_id: str) -> list[BreachRow] | None:
    """Return the breaches of whole days, newest first; None if there is no such operator."""
    known = sight.board.roster.operators.get(operator_id)
    if known is None:
        return None
    book = sight.board.books.get(operator_id) or OperatorBook()
    silent = silent_days(known.since, book.reports, sight.now_ms)
    mismatched = mismatched_days(book.reports, book.counted(), sight.now_ms)
    days = [(day, Breach.SILENT) for day in silent] + [(day, Breach.COUNT_MISMATCH) for day in mismatched]
    return [
        BreachRow(breach=breach, at=(day + 1) * DAY_MS + REPORT_GRACE_MS, day=day_name(day))
        for day, breach in sorted(days, reverse=True)[:DAILY_BREACHES_MAX]
    ]


def pipeline(sight: Sight) -> Pipeline:
    """Return how the hub itself is doing. The coverage shown is as old as the newest record of any platform."""
    board, gauges = sight.board, sight.gauges
    newest = max((one.as_of.now_ms for one in board.coverage.values()), default=None)
    return Pipeline(
        as_of=sight.as_of,
        followers=[FollowerRow(**one._asdict()) for one in gauges.lags],
        topics=[
            TopicRow(topic=topic, messages=messages, per_second=round(per_second, 2))
            for topic, (messages, per_second) in sorted(gauges.topics.items())
        ],
        refused=dict(board.refused),
        coverage_age_ms=None if newest is None else max(0, sight.now_ms - newest),
        held=len(board.held),
    )
