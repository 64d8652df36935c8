"""This module compares the archive with the logs, row by row.

It makes every message that a log holds into rows once more, and compares them with the archive's rows, up to the offset
that the archive has reached. Cases are compared with a fold from the start. A log that is not kept for ever may have
lost messages that the archive still has: these rows are compared with their own sealed bytes. `Difference.what` is
missing (there is no such row), extra (no message gives this row) or changed (the content differs, or the seal does not
open). For example, a receipt whose row somebody deleted is `Difference("receipts", "0-41-0", "missing")`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from sqlalchemy import Connection, Engine, and_, select, text
from sqlalchemy.engine import Row as Found

from hub.archive.case_rows import CaseFold, Noticed
from hub.archive.keys import Keyring
from hub.archive.makers import RECEIPTS
from hub.archive.packing import unpack
from hub.archive.rest import by_table, out_of
from hub.archive.rows import ROWS, CaseRow, MessageRow, Row
from hub.archive.shred import shred
from hub.archive.tables import TABLES
from hub.core.model import Record, Source
from hub.errors import HubError
from hub.kafka.spans import log_spans, read_span
from hub.settings import WorkerSettings
from hub.wire import contracts

OF_TOPIC: dict[str, tuple[str, ...]] = {
    contracts.EVENTS: ("events", "operator_reports"),
    contracts.RELEASES: ("notices",),
    contracts.ACKS: ("acks", "effects"),
    contracts.REPORTS: ("reports",),
    contracts.REPORTED: ("reported",),
    contracts.ANSWERS: ("answers",),
    contracts.REJECTED: ("rejections",),
    contracts.HELD: ("held",),
    contracts.LOOKUPS: ("lookups", "looked_up"),
    contracts.PLATFORMS: ("platforms",),
    contracts.OPERATORS: ("operators",),
}
"""The tables that hold rows of a topic, besides `messages`; every topic that is not here is one of receipts."""

BEYOND = 2**63 - 1
WINDOW = 2_000
Key = tuple[int, int]


class Difference(NamedTuple):
    """One row that is not as the logs say. `place` is the row's partition, offset and `seq`."""

    table: str
    place: str
    what: str


class Place(NamedTuple):
    """A log, and the offset at which its comparison ends."""

    topic: str
    part: int
    end: int

    @property
    def keeps(self) -> bool:
        """Say whether the log holds everything from its start."""
        name = "receipts.<operator>" if self.topic.startswith(RECEIPTS) else self.topic
        return contracts.topics()[name].retention == "keep"

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the tables that hold the log's rows."""
        return ("messages", *OF_TOPIC.get(self.topic, ("receipts",)))


async def check(settings: WorkerSettings, engine: Engine, keys: Keyring) -> AsyncIterator[Difference]:
    """Yield every difference, one after another; there is none if the archive is right.

    Raises:
        HubError: the logs or the database cannot be read.
    """
    with engine.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        checker = Checker(connection, keys)
        places = await asyncio.to_thread(checker.places)
        known = {TopicPartition(one.topic, one.part): (one, Progress()) for one in places}
        spans = await log_spans(settings, known)
        for tp, (place, _) in known.items():
            if spans[tp][1] < place.end:
                yield Difference("archive_places", f"{place.topic} {place.part}", "extra")
        wanted = {tp: (spans[tp][0], min(place.end, spans[tp][1])) for tp, (place, _) in known.items()}
        async for batch in read_span(settings, wanted):
            if batch:
                at = known[TopicPartition(batch[0].topic, batch[0].partition)]
                for one in await asyncio.to_thread(list, checker.compare(*at, batch)):
                    yield one
        for place, progress in known.values():
            for one in await asyncio.to_thread(list, checker.finish(place, progress)):
                yield one
        for one in await asyncio.to_thread(list, checker.strangers(places)):
            yield one


class Progress:
    """How far one log is compared, and the fold up to there if it is a partition of `releases`."""

    def __init__(self) -> None:
        self.next = 0
        self.fold = CaseFold({}, {})


class Checker:
    """Compares windows of one log with the archive's rows."""

    def __init__(self, connection: Connection, keys: Keyring) -> None:
        self._db = connection
        self._keys = keys

    def places(self) -> list[Place]:
        """Return how far the archive is in each log."""
        rows = self._db.execute(text("SELECT topic, part, next_offset FROM archive_places ORDER BY topic, part"))
        return [Place(*row) for row in rows]

    def compare(self, place: Place, progress: Progress, records: Sequence[Record]) -> Iterator[Difference]:
        """Compare the records that come next; a row before or between them that no record gives is a difference too."""
        for start in range(0, len(records), WINDOW):
            window = records[start : start + WINDOW]
            if window:
                yield from self._window(place, window, progress, window[-1].offset + 1)

    def finish(self, place: Place, progress: Progress) -> Iterator[Difference]:
        """Check that no row lies beyond the last record, and that the cases are those of the fold."""
        yield from self._window(place, (), progress, BEYOND)
        if place.topic == contracts.RELEASES:
            yield from self._cases(place, progress.fold)

    def _window(self, place: Place, records: Sequence[Record], progress: Progress, until: int) -> Iterator[Difference]:
        found = {table: self._rows(table, place, progress.next, until) for table in place.tables}
        said = list(records)
        if not place.keeps:
            said += self._gone(place, found["messages"], {one.offset for one in records})
        expected = by_table(_rows_of(said, progress.fold))
        progress.next = until
        for table in place.tables:
            yield from self._differences(table, expected.get(table, []), found[table])

    def _gone(self, place: Place, messages: Sequence[Found[Any]], there: set[int]) -> list[Record]:
        """Return the messages that the archive has and the log no longer has, from their own sealed bytes."""
        gone = []
        for row in messages:
            if row.log_offset not in there and row.log_offset < place.end:
                try:
                    message = out_of(self._keys, MessageRow, row)
                except HubError:
                    continue
                gone.append(unpack(message))  # type: ignore[arg-type]
        return gone

    def _rows(self, table: str, place: Place, first: int, until: int) -> Sequence[Found[Any]]:
        columns = TABLES[table].c
        wanted = [columns.part == place.part, columns.log_offset >= first, columns.log_offset < until]
        if table == "messages":
            wanted.append(columns.topic == place.topic)
        if table == "receipts":
            wanted.append(columns.operator == place.topic.removeprefix(RECEIPTS))
        return self._db.execute(select(TABLES[table]).where(and_(*wanted))).all()

    def _differences(self, table: str, expected: Sequence[Row], found: Sequence[Any]) -> Iterator[Difference]:
        by_key: dict[Key, Any] = {}
        for row in found:
            if _key(row) in by_key:
                yield Difference(table, _name(row), "extra")
            by_key[_key(row)] = row
        for one in expected:
            row = by_key.pop(_key(one), None)
            if row is None:
                yield Difference(table, _name(one), "missing")
            elif not self._same(table, one, row):
                yield Difference(table, _name(one), "changed")
        for row in by_key.values():
            yield Difference(table, _name(row), "extra")

    def _same(self, table: str, expected: Row, row: Sequence[Any]) -> bool:
        number = getattr(expected, "number_key", None)
        try:
            return out_of(self._keys, ROWS[table], row, () if number is None else (number,)) == expected
        except (HubError, ValueError):
            return False

    def _cases(self, place: Place, fold: CaseFold) -> Iterator[Difference]:
        cases = TABLES["cases"]
        expected: Mapping[Source, CaseRow] = fold.changed
        at = 0
        keys = sorted(position.offset for position in expected)
        while True:
            block = keys[at : at + WINDOW]
            first = block[0] if at else 0
            until = keys[at + WINDOW] if at + WINDOW < len(keys) else BEYOND
            wanted = and_(cases.c.part == place.part, cases.c.log_offset >= first, cases.c.log_offset < until)
            rows = self._db.execute(select(cases).where(wanted)).all()
            yield from self._differences("cases", [expected[Source(place.part, one)] for one in block], rows)
            at += WINDOW
            if at >= len(keys):
                return

    def strangers(self, places: Sequence[Place]) -> Iterator[Difference]:
        """Yield the rows of logs that the archive does not follow."""
        for table in TABLES:
            parts = {one.part for one in places if table in (*one.tables, "cases")}
            column = {"messages": "topic", "receipts": "operator"}.get(table)
            known = {one.topic if column == "topic" else one.topic.removeprefix(RECEIPTS) for one in places}
            strange = f"{column} <> ALL(:known)" if column else "part <> ALL(:parts)"
            query = text(f"SELECT * FROM {table} WHERE {strange} LIMIT {WINDOW}")
            values = {"known": list(known)} if column else {"parts": list(parts)}
            for row in self._db.execute(query, values):
                yield Difference(table, _name(row), "extra")


def _rows_of(records: Sequence[Record], fold: CaseFold) -> Iterator[Row]:
    for record in records:
        shredded = shred(record)
        yield shredded.message
        yield from shredded.rows
        if shredded.notice is not None:
            yield fold.add(Noticed(record, shredded.notice))


def _key(row: Any) -> Key:
    return row.log_offset, getattr(row, "seq", 0)


def _name(row: Any) -> str:
    return f"{row.part}-{row.log_offset}-{getattr(row, 'seq', 0)}"
