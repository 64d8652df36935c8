"""This module asks the archive for cases with all that happened in them, and for lists, newest first, in pages.

Every method blocks; call it in a thread (`asyncio.to_thread`, or a plain `def` route of FastAPI). Several threads may
share one `History`. Answers are plain values (`hub.archive.answers`). A page's `next` is the `before` of the page
after it: an opaque word, stable while new rows come in. Only `number_at` returns a number.

    history = History(dsn, keys)
    history.cases_of_number("+8613800138000")  # newest first
    history.case(Source(7, 120033))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine

from hub.archive import sql
from hub.archive.answers import (
    BreachesFound,
    BreachFound,
    CaseFacts,
    CaseHistory,
    CleanUpFound,
    CleanUpsFound,
    Effects,
    Happened,
    LookupFound,
    LookupsFound,
    Place,
    RefusalFound,
    RefusalsFound,
)
from hub.archive.blocks import BLOCK
from hub.archive.database import open_engine
from hub.archive.keys import Keyring
from hub.archive.reading import PREPARED_AT, READING, Asking, next_page, page
from hub.archive.rest import number_place
from hub.archive.settings import SCHEMA
from hub.clock import system_clock
from hub.core.model import DAY_MS, Breach, ClearanceAnswer, LookupKind, Outcome, Refusal, Role, Source, Stage

CASES_MAX = 100
"""The most cases of one number in an answer: they are several lifetimes of the number."""

HAPPENED_MAX = 1_000
OUTCOMES = {str(one): one for one in Outcome}


class History:
    """The archive, open for questions.

    Args:
        dsn: the address of PostgreSQL.
        keys: the keys of numbers at rest (`hub.archive.keys.read_keys`).
        schema: the schema of the tables.
    """

    def __init__(self, dsn: str, keys: Keyring, *, schema: str = SCHEMA) -> None:
        self._engine: Engine = open_engine(dsn, schema, options=READING, prepared_at=PREPARED_AT)
        self._keys = keys

    def close(self) -> None:
        """Disconnect."""
        self._engine.dispose()

    # ---- Cases ----

    def case(self, position: Source) -> CaseHistory | None:
        """Return a case by its id or by the position of any of its notices; None if no notice of a case is there."""
        with Asking(self._engine) as ask:
            row = ask.one(sql.CASE, part=position.partition, log_offset=position.offset)
            if row is None:
                found = ask.one(sql.CASE_OFFSET, part=position.partition, log_offset=position.offset)
                if found is not None:
                    row = ask.one(sql.CASE, part=position.partition, log_offset=found.case_offset)
            return None if row is None else self._history(ask, row, self._digests(row))

    def number_at(self, position: Source) -> str:
        """Return the number of a case, for the record of a question about it; it is blank if no case opened there."""
        with Asking(self._engine) as ask:
            row = ask.one(sql.CASE, part=position.partition, log_offset=position.offset)
            return "" if row is None else self._number(row)

    def cases_of_number(self, number: str, wanted: Callable[[CaseFacts], bool] = lambda _: True) -> list[CaseHistory]:
        """Return the cases of a number, newest first, at most 100.

        Args:
            number: in E.164.
            wanted: says which cases to return. Nothing more is read of the others, so that an answer without them takes
                as long as for a number without cases.
        """
        digests = self._keys.digests(number)
        with Asking(self._engine) as ask:
            rows = ask.all(sql.CASES_OF_NUMBER, digests=digests, most=CASES_MAX)
            return [self._history(ask, row, digests) for row in rows if wanted(_facts(row))]

    def _digests(self, row: Any) -> list[bytes]:
        """Return all digests of a case's number, so that rows written under other keys of the file are found too."""
        return self._keys.digests(self._number(row))

    def _number(self, row: Any) -> str:
        return self._keys.unseal(row.number_sealed, number_place(row)).decode()

    def _history(self, ask: Asking, row: Any, digests: Sequence[bytes]) -> CaseHistory:
        # A note (SUSPENDED) comes while no case is live; it belongs to the case that opens after it.
        known = {"part": row.part, "log_offset": row.log_offset, "digests": digests}
        before = ask.one(sql.CASE_BEFORE, **known)
        times = {"since": row.opened_at, "until": row.moved_at, "noted_since": 0 if before is None else before.moved_at}
        times["sent_since"] = min(row.published_at, row.opened_at) - DAY_MS
        happened = ask.all(sql.HAPPENED, **known, **times, most=HAPPENED_MAX)
        return CaseHistory(_facts(row), tuple(map(_happened, happened)), tuple(_effects(ask, row)))

    # ---- Lists ----

    def breaches(
        self, operator: str, *, before: str | None = None, limit: int = 100, since_ms: int = 0
    ) -> BreachesFound:
        """Return an operator's breaches from its receipts, newest first; breaches of a day (SILENT) have no receipt."""
        with Asking(self._engine) as ask:
            rows = ask.all(sql.BREACHES, operator=operator, since=since_ms, **page(before, limit))
        found = tuple(
            BreachFound(Breach(one), row.record_time, _source(row.position_part, row.position_offset), _place(row))
            for row in rows
            for one in row.breaches
        )
        return BreachesFound(found, next_page(rows, limit))

    def refusals(
        self, *, sender: str | None = None, topics: Sequence[str] = (), before: str | None = None, limit: int = 100
    ) -> RefusalsFound:
        """Return refused messages, newest first; if `sender` is given, only its messages to `topics`.

        An operator and a platform may have the same id: the topics tell which of them is meant.
        """
        with Asking(self._engine) as ask:
            if sender is None:
                rows = ask.all(sql.REFUSALS, **page(before, limit))
            else:
                rows = ask.all(sql.REFUSALS_OF_SENDER, sender=sender, topics=list(topics), **page(before, limit))
        found = (RefusalFound(row.record_time, row.topic, _place(row), row.sender, Refusal(row.reason)) for row in rows)
        return RefusalsFound(tuple(found), next_page(rows, limit))

    def lookups(self, *, before: str | None = None, limit: int = 100) -> LookupsFound:
        """Return who asked about numbers, newest first."""
        with Asking(self._engine) as ask:
            rows = ask.all(sql.LOOKUPS, **page(before, limit))
        return LookupsFound(tuple(_lookup(row) for row in rows), next_page(rows, limit))

    def lookups_of_number(self, number: str, *, limit: int = 100) -> list[LookupFound]:
        """Return who asked about a number, newest first."""
        with Asking(self._engine) as ask:
            rows = ask.all(sql.LOOKUPS_OF_NUMBER, digests=self._keys.digests(number), most=page(None, limit)["most"])
        return [_lookup(row) for row in rows]

    def clean_ups(self, operator: str, *, before: str | None = None, limit: int = 100) -> CleanUpsFound:
        """Return the clean-ups (BACKFILL) of an operator that opened a case, newest first."""
        with Asking(self._engine) as ask:
            rows = ask.all(sql.CLEAN_UPS, operator=operator, **page(before, limit))
        found = (
            CleanUpFound(Source(row.case_part, row.case_offset), row.record_time, Stage(row.stage)) for row in rows
        )
        return CleanUpsFound(tuple(found), next_page(rows, limit))

    def places(self, now_ms: int | None = None) -> list[Place]:
        """Return how far the archive is in each log, by the ends that it last saw itself."""
        now_ms = system_clock() if now_ms is None else now_ms
        with Asking(self._engine) as ask:
            rows = ask.all(sql.PLACES)
        return [_place_of(row, now_ms) for row in rows]


def _effects(ask: Asking, row: Any) -> list[Effects]:
    found = ask.all(
        sql.EFFECTS,
        part=row.part,
        block=row.log_offset // BLOCK,
        log_offset=row.log_offset,
        # One day is added because brokers' clocks may differ; the bound only serves to leave out whole months.
        since=row.opened_at - DAY_MS,
    )
    # A thousand platforms give a thousand rows, so columns are read by position and enums are looked up in a table.
    return [
        Effects(platform, OUTCOMES[outcome], first_at, last_at, messages, Source(part, offset))
        for platform, outcome, first_at, last_at, messages, part, offset in found
    ]


def _facts(row: Any) -> CaseFacts:
    return CaseFacts(
        Source(row.part, row.log_offset),
        row.operator,
        Stage(row.opened_as),
        Stage(row.stage),
        row.opened_at,
        row.moved_at,
        row.bound_before,
        row.cooling_until,
        row.reissue_not_before,
        row.reminders,
    )


def _happened(row: Any) -> Happened:
    breaches = tuple(Breach(one) for one in row.breaches or ())
    return Happened(row.at, row.kind, row.what, row.who, breaches, row.source)


def _lookup(row: Any) -> LookupFound:
    answers = dict(zip(ClearanceAnswer, (row.clear, row.blocked, row.unknown), strict=True))
    return LookupFound(
        bytes(row.lookup_id).hex(),
        row.record_time,
        LookupKind(row.kind),
        row.asked_by,
        Role(row.role),
        row.numbers,
        {answer: count for answer, count in answers.items() if count},
    )


def _place_of(row: Any, now_ms: int) -> Place:
    behind = max(0, row.log_end - row.next_offset)
    age = now_ms - row.record_time if behind and row.record_time is not None else None
    return Place(row.topic, row.part, row.next_offset, row.log_end, row.record_time, row.seen_at, behind, age)


def _place(row: Any) -> Source:
    return Source(row.source_part, row.source_offset)


def _source(part: int | None, offset: int | None) -> Source | None:
    return None if part is None or offset is None else Source(part, offset)
