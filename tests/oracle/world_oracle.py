"""A whole world worked out straight from its files: the report the hub must give at its end.

No Kafka, no Avro, no bitmaps, and nothing of the hub: one dictionary a number, one a case, one a pair. Written from
the rules alone, and slow on purpose.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import phonenumbers

from tests.oracle.world_files import Row, World, milliseconds, read_world
from tests.oracle.world_platforms import platform_figures

HOUR = 3_600_000
DAY = 24 * HOUR
YEAR_1990, YEAR_2100 = 631_152_000_000, 4_102_444_800_000
LIVE = {"cooling", "scheduled", "released"}
UNDONE = {"restored", "withdrawn"}
OVER = UNDONE | {"reassigned"}
MOVES = {
    ("cooling", "RELEASE_SCHEDULED"): "scheduled",
    ("cooling", "RELEASED"): "released",
    ("cooling", "RESTORED"): "restored",
    ("cooling", "WITHDRAWN"): "withdrawn",
    ("scheduled", "RELEASED"): "released",
    ("scheduled", "RESTORED"): "restored",
    ("scheduled", "WITHDRAWN"): "withdrawn",
    ("released", "REASSIGNED"): "reassigned",
    ("released", "WITHDRAWN"): "withdrawn",
    ("reassigned", "WITHDRAWN"): "withdrawn",
}


@dataclass
class OracleCase:
    """One case, and the accepted events it is made of, with their record times."""

    opener: Row
    published_at: int
    stage: str
    events: list[tuple[int, Row, str]] = field(default_factory=list)

    @property
    def bound_before(self) -> int:
        """Bindings strictly older than this are the old owner's."""
        return self.opener.occurred_at if self.opener.bound_before is None else self.opener.bound_before


@dataclass
class Books:
    """What intake said of one operator."""

    accepted: int = 0
    duplicate: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    breaches: Counter[str] = field(default_factory=Counter)


class Intake:
    """Every row judged in the order of arrival. `verdicts`: each with the stage its number was in."""

    def __init__(self, world: World) -> None:
        self.operators = {one["id"]: one for one in world.operators}
        self.books = {name: Books() for name in self.operators}
        self.cases: list[OracleCase] = []
        self.last: dict[str, OracleCase] = {}
        self.seen: dict[tuple[str, str, str], Row] = {}
        self.verdicts: list[tuple[Row, str, str]] = []
        for published_at, row in world.rows:
            self._take(published_at, row)

    def _take(self, published_at: int, row: Row) -> None:
        books, case = self.books[row.operator], self.last.get(row.number)
        verdict = self._judge(published_at, row)
        self.verdicts.append((row, case.stage if case else "none", verdict))
        if verdict == "duplicate":
            books.duplicate += 1
        elif verdict != "accepted":
            books.rejected[verdict] += 1
        else:
            books.accepted += 1
            if published_at - row.occurred_at > DAY and row.reason != "BACKFILL":
                books.breaches["LATE_EVENT"] += 1
            if row.type != "SUSPENDED":
                self._accept(published_at, row)

    def _judge(self, published_at: int, row: Row) -> str:
        """A reason to refuse it, "duplicate" or "accepted"."""
        if not _valid_number(row.number):
            return "INVALID_NUMBER"
        seen = self.seen.get((row.operator, row.event_id, row.number))
        if seen is not None:
            return "duplicate" if seen == row else "EVENT_ID_REUSED"
        return self._wrong_in_itself(published_at, row) or self._wrong_by_now(row) or "accepted"

    def _wrong_in_itself(self, published_at: int, row: Row) -> str | None:
        ranges = self.operators[row.operator]["ranges"]
        if not row.ported and not any(row.number.startswith(start) for start in ranges):
            return "NOT_YOUR_RANGE"
        if row.type == "COOLING" and (row.cooling_until is None or row.reissue_not_before is None):
            return "MISSING_FIELD"
        if row.type == "WITHDRAWN" and row.supersedes is None:
            return "MISSING_FIELD"
        if _handover(row) and row.bound_before is None:
            return "MISSING_FIELD"
        for at in (row.occurred_at, row.bound_before, row.cooling_until, row.reissue_not_before):
            if at is not None and not YEAR_1990 <= at < YEAR_2100:
                return "BAD_TIME"
        if row.bound_before is not None and row.bound_before > row.occurred_at:
            return "BAD_TIME"
        if row.occurred_at > published_at + HOUR:
            return "BAD_TIME"
        if row.type == "COOLING":
            assert row.cooling_until is not None
            assert row.reissue_not_before is not None
            if not row.occurred_at < row.cooling_until <= row.reissue_not_before:
                return "BAD_TIME"
            if row.bound_before is not None and row.occurred_at - row.bound_before > 400 * DAY:
                return "BAD_TIME"
        return None

    def _wrong_by_now(self, row: Row) -> str | None:
        case = self.last.get(row.number)
        if case is not None and case.stage in LIVE and case.opener.operator != row.operator:
            return "NOT_YOUR_CASE"
        if row.type == "WITHDRAWN" and not _names_its_event(row, case):
            return "UNKNOWN_EVENT"
        if row.type == "SUSPENDED":
            legal = case is None or case.stage not in LIVE
        else:
            legal = _opens(row, case) or _moves_to(row, case) is not None
        if not legal:
            return "OUT_OF_ORDER"
        if _handover(row) and row.bound_before is not None and row.bound_before < self._last_handover(row.number):
            return "BAD_TIME"
        if case is not None and row.occurred_at < case.events[-1][1].occurred_at:
            return "TIME_REVERSED"
        return None

    def _last_handover(self, number: str) -> int:
        """When the number last went to a new owner by a case that is not undone; 0 if never."""
        of_it = [case for case in self.cases if case.opener.number == number and case.stage == "reassigned"]
        return of_it[-1].events[-1][1].occurred_at if of_it else 0

    def _accept(self, published_at: int, row: Row) -> None:
        self.seen[row.operator, row.event_id, row.number] = row
        case = self.last.get(row.number)
        if _opens(row, case):
            case = OracleCase(row, published_at, "cooling" if row.type == "COOLING" else "reassigned")
            self.cases.append(case)
            self.last[row.number] = case
        else:
            assert case is not None
            case.stage = _moves_to(row, case) or ""
        case.events.append((published_at, row, case.stage))
        self.books[row.operator].breaches.update(_case_breaches(case, self.operators[row.operator]))


def _valid_number(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return bool(phonenumbers.is_valid_number(parsed)) and e164 == number


def _handover(row: Row) -> bool:
    return row.type == "REASSIGNED" and row.reason in ("TRANSFER", "BACKFILL")


def _opens(row: Row, case: OracleCase | None) -> bool:
    return (row.type == "COOLING" or _handover(row)) and (case is None or case.stage in OVER)


def _moves_to(row: Row, case: OracleCase | None) -> str | None:
    if case is None or _handover(row):
        return None
    return MOVES.get((case.stage, row.type))


def _names_its_event(row: Row, case: OracleCase | None) -> bool:
    if case is None or case.stage in UNDONE or case.opener.operator != row.operator:
        return False
    return any(event.event_id == row.supersedes for _, event, _ in case.events)


def _case_breaches(case: OracleCase, operator: dict[str, Any]) -> list[str]:
    """The breaches that the last event of a case shows."""
    row, opener = case.events[-1][1], case.opener
    if opener.type == "REASSIGNED":
        return []
    assert opener.cooling_until is not None
    assert opener.reissue_not_before is not None
    found = []
    if row.type == "COOLING":
        shortest, longest = operator.get("cooling_days") or (60, 90)
        if not shortest * DAY <= opener.cooling_until - opener.occurred_at <= longest * DAY:
            found.append("COOLING_LENGTH")
    if row.type == "RELEASED":
        scheduled = [event.occurred_at for _, event, _ in case.events if event.type == "RELEASE_SCHEDULED"]
        if row.occurred_at < opener.cooling_until:
            found.append("EARLY_RELEASE")
        if sum(len(event.reminders) for _, event, _ in case.events) < 2:
            found.append("FEW_REMINDERS")
        if not scheduled or scheduled[0] > opener.reissue_not_before - 7 * DAY:
            found.append("SHORT_NOTICE")
    if row.type == "REASSIGNED":
        if operator.get("clearance_required"):  # no file of a world holds an id that a hub signed
            found.append("NOT_CLEARED")
        if row.occurred_at < opener.reissue_not_before:
            found.append("EARLY_REISSUE")
        if not row.reminders:
            found.append("NEW_OWNER_NOT_TOLD")
    return found


def _silent_days(operator: dict[str, Any], world: World) -> int:
    """Silent days that an operator owed a report for, judged an hour after each day's end."""
    days = [milliseconds(f"{day}T00:00:00Z") for day in operator.get("silent_days") or ()]
    return sum(1 for day in days if world.starts_at <= day and day + DAY + HOUR <= world.ends_at)


def expected_report(folder: Path) -> dict[str, Any]:
    """The report of a world, worked out from a world's files alone."""
    world = read_world(folder)
    intake = Intake(world)
    operators = {}
    for operator in world.operators:
        name, books = operator["id"], intake.books[operator["id"]]
        books.breaches["SILENT"] = _silent_days(operator, world)
        operators[name] = {
            "accepted": books.accepted,
            "duplicate": books.duplicate,
            "unreadable": world.unreadable[name],
            "rejected": dict(books.rejected),
            "breaches": dict(+books.breaches),
        }
    return {
        "operators": operators,
        "cases": dict(Counter(case.stage for case in intake.cases)),
        "platforms": {one["id"]: platform_figures(one, intake.cases, world) for one in world.platforms},
    }
