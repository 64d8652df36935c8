"""This module writes the archive: one transaction holds rows and the offsets after them, so a kill loses nothing.

Rules:
1. A batch's rows, the cases it changes and the offsets after it are one transaction.
2. A place moves only from the offset that this writer knows, so two writers at once cannot both count a message.
3. One writer at a time holds the schema's lock; another one waits for it, and gives up after 30 s.
4. A message that PostgreSQL does not take as rows is kept as bytes with a mark; the others of its batch are not lost.

5. A place also moves past offsets that hold no message, such as the marker that ends a sender's transaction.

For example, after the record at `acks` 3-41 is kept, the place of `acks` 3 has `next_offset` 42.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from hub.archive import months
from hub.archive.case_rows import CaseFold, Noticed
from hub.archive.database import away
from hub.archive.keys import Keyring
from hub.archive.rest import at_rest, by_table, column_types
from hub.archive.rows import ROWS, CaseRow, Row
from hub.archive.shred import Shredded, shred, unreadable
from hub.clock import system_clock
from hub.core.model import HubLog, Record, Refusal
from hub.errors import HubError
from hub.wire import contracts

log = logging.getLogger(__name__)

LOCK_WAIT_S = 30
Tp = tuple[str, int]
MOVING = ", ".join(
    f"{name} = moved.{name}" for name in ("stage", "reminders", "scheduled_at", "last_at", "moved_at", "last_offset")
)


class Kept(NamedTuple):
    """How far one log is kept. `last_source` is the offset of the last source that the fold of that partition of
    `releases` has; it is -1 before the first and for other logs."""

    next_offset: int = 0
    last_source: int = -1


class Away(Exception):
    """The database does not answer now; it may answer later."""


class Moved(Exception):
    """The places are not where this writer left them: the archive was rebuilt meanwhile."""


class Store:
    """The archive, open for writing. Several threads must not use it at once."""

    def __init__(self, engine: Engine, keys: Keyring, schema: str) -> None:
        self._keys = keys
        self._schema = schema
        try:
            self._pooled = engine.raw_connection()
        except OperationalError as wrong:
            raise Away(str(away(wrong).message)) from wrong
        self._db: psycopg.Connection[Any] = self._pooled.driver_connection  # type: ignore[assignment]
        self._types = {table: column_types(table) for table in ROWS}
        self._months: set[int] = set()
        self.places: dict[Tp, Kept] = {}
        self.newest_ms: dict[str, int] = {}

    def close(self) -> None:
        """Disconnect, which releases the lock."""
        if not self._db.closed:
            self._db.close()
            self._pooled.invalidate()

    def open(self, hub_log: HubLog) -> None:
        """Take the lock, and check that the tables are of these logs.

        Raises:
            HubError: another archive writes, or the tables hold another hub's logs.
        """
        with self._db.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
            try:
                cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", (f"write {self._schema}",))
            except psycopg.errors.LockNotAvailable:
                raise HubError(f"another archive writes {self._schema}", todo="End it, or choose a --schema.") from None
            cursor.execute("SET lock_timeout = 0")
            cursor.execute(
                "INSERT INTO archive_meta SELECT %s, %s, %s WHERE NOT EXISTS (SELECT FROM archive_meta)",
                (hub_log.log_id, hub_log.hub_id, hub_log.partitions),
            )
            cursor.execute("SELECT log_id FROM archive_meta")
            if [bytes(one) for (one,) in cursor] != [hub_log.log_id]:
                raise HubError("the archive holds the logs of another hub", todo="Choose another --schema or --dsn.")
            cursor.execute("CREATE TEMP TABLE IF NOT EXISTS moved (LIKE cases) ON COMMIT DELETE ROWS")
            self._months = set()
            self._make_months(cursor, months.ahead(system_clock()))
        self._db.commit()
        self._read_places()

    def _read_places(self) -> None:
        found = self._db.execute("SELECT topic, part, next_offset, last_source FROM archive_places").fetchall()
        self.places = {(topic, part): Kept(*kept) for topic, part, *kept in found}
        self._db.commit()

    def see(self, ends: Mapping[Tp, int]) -> None:
        """Store where the logs end now; a log that is new is kept from its start."""
        with self._db.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO archive_places VALUES (%s, %s, 0, %s, NULL, %s, -1) "
                "ON CONFLICT (topic, part) DO UPDATE SET log_end = excluded.log_end, seen_at = excluded.seen_at",
                [(*tp, end, system_clock()) for tp, end in ends.items()],
            )
            self._make_months(cursor, months.ahead(system_clock()))
        self._db.commit()
        for tp in ends:
            self.places.setdefault(tp, Kept())

    def write(self, records: Sequence[Record]) -> None:
        """Keep messages; those of each partition are the next ones, in order.

        Raises:
            Moved: another program moved the places.
        """
        self._write([shred(one) for one in records], records)

    def _write(self, shredded: Sequence[Shredded], records: Sequence[Record]) -> None:
        try:
            self._transact(shredded, records)
        except psycopg.DataError as wrong:
            self._db.rollback()
            if len(records) > 1:
                half = len(records) // 2
                self._write(shredded[:half], records[:half])
                self._write(shredded[half:], records[half:])
                return
            (one,) = records
            log.error("%s %d-%d: %s; kept as bytes", one.topic, one.partition, one.offset, type(wrong).__name__)
            self._transact([unreadable(one, f"{Refusal.HUB_FAULT}: {type(wrong).__name__}")], records)
        except BaseException:
            if not self._db.closed:
                self._db.rollback()
            raise

    def _transact(self, shredded: Sequence[Shredded], records: Sequence[Record]) -> None:
        after = {(one.topic, one.partition): one for one in records}
        with self._db.cursor() as cursor:
            needed = {months.month_of(one.record_time) for one in records}
            if self._make_months(cursor, {one for one in needed if one is not None}):
                self._db.commit()  # making partitions locks out readers; that must not last as long as a batch
            noticed = [Noticed(record, one.notice) for record, one in zip(records, shredded, strict=True) if one.notice]
            fold = self._fold(cursor, noticed)
            notices = [fold.add(one) for one in noticed]
            places = {
                tp: Kept(one.offset + 1, fold.last_sources.get(tp[1], -1) if tp[0] == contracts.RELEASES else -1)
                for tp, one in after.items()
            }
            # The places move first: if another program has moved them, nothing of this batch may be written.
            self._move(cursor, places, {tp: one.record_time for tp, one in after.items()})
            rows: list[Row] = [row for one in shredded for row in (one.message, *one.rows)]
            for table, found in by_table([*rows, *notices]).items():
                self._copy(cursor, table, table, found)
            self._put_cases(cursor, fold)
        self._db.commit()
        self.places |= places
        self.newest_ms |= {topic: one.record_time for (topic, _), one in after.items()}

    def reach(self, places: Mapping[Tp, int]) -> None:
        """Note that everything before some offsets is kept. The last offsets may hold no message.

        Raises:
            Moved: another program moved the places.
        """
        known = {tp: (self.places[tp], end) for tp, end in places.items()}
        moved = {tp: kept._replace(next_offset=end) for tp, (kept, end) in known.items() if kept.next_offset < end}
        if not moved:
            return
        try:
            with self._db.cursor() as cursor:
                self._move(cursor, moved, {})
        except BaseException:
            if not self._db.closed:
                self._db.rollback()
            raise
        self._db.commit()
        self.places |= moved

    def take_over(self, records: Sequence[Record]) -> None:
        """Keep messages before the places, from logs that no longer hold them; notices are never among them."""
        with self._db.cursor() as cursor:
            needed = {months.month_of(one.record_time) for one in records}
            self._make_months(cursor, {one for one in needed if one is not None})
            rows = [row for one in map(shred, records) for row in (one.message, *one.rows)]
            for table, found in by_table(rows).items():
                self._copy(cursor, table, table, found)
        self._db.commit()

    def _make_months(self, cursor: Any, needed: set[int]) -> bool:
        missing = needed - self._months
        months.make(cursor, missing)
        self._months |= missing
        return bool(missing)

    def _fold(self, cursor: Any, noticed: Sequence[Noticed]) -> CaseFold:
        """Return a fold onto the last cases of the numbers that these notices are about."""
        numbers = {one.notice.subject.value for one in noticed}
        of = {digest: number for number in numbers for digest in self._keys.digests(number)}
        known: dict[str, CaseRow] = {}
        if of:
            cursor.execute(
                "SELECT DISTINCT ON (number_key) * FROM cases WHERE number_key = ANY(%s) "
                "ORDER BY number_key, log_offset DESC",
                (list(of),),
            )
            for values in cursor:
                row = CaseRow._make(values)
                digest: Any = row.number_key
                number = of[bytes(digest)]
                if number not in known or known[number].log_offset < row.log_offset:
                    known[number] = row._replace(number_key=number, number_sealed=number)
        last = {part: kept.last_source for (topic, part), kept in self.places.items() if topic == contracts.RELEASES}
        return CaseFold(known, last)

    def _copy(self, cursor: Any, table: str, into: str, rows: Iterable[Row]) -> None:
        with cursor.copy(f"COPY {into} FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(self._types[table])
            for row in rows:
                copy.write_row(at_rest(self._keys, row))

    def _put_cases(self, cursor: Any, fold: CaseFold) -> None:
        opened: list[CaseRow] = []
        moved: list[CaseRow] = []
        for position, row in fold.changed.items():
            place = self.places.get((contracts.RELEASES, position.partition), Kept())
            (opened if position.offset >= place.next_offset else moved).append(row)
        if opened:
            self._copy(cursor, "cases", "cases", opened)
        if moved:
            self._copy(cursor, "cases", "moved", moved)
            cursor.execute(
                f"UPDATE cases SET {MOVING} FROM moved "
                "WHERE cases.part = moved.part AND cases.log_offset = moved.log_offset"
            )

    def _move(self, cursor: Any, places: Mapping[Tp, Kept], times: Mapping[Tp, int]) -> None:
        """Move places. `times` are the record times of the last messages before them; without one, it stays."""
        rows = [(*tp, self.places[tp].next_offset, *places[tp], times.get(tp), system_clock()) for tp in places]
        cursor.execute(
            "UPDATE archive_places AS p SET next_offset = m.next_offset, last_source = m.last_source, "
            "record_time = coalesce(m.record_time, p.record_time), log_end = greatest(p.log_end, m.next_offset), "
            "seen_at = m.seen_at "
            "FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) "
            "AS m (topic, part, was, next_offset, last_source, record_time, seen_at) "
            "WHERE p.topic = m.topic AND p.part = m.part AND p.next_offset = m.was",
            [list(column) for column in zip(*rows, strict=True)],
        )
        if cursor.rowcount != len(rows):
            raise Moved
