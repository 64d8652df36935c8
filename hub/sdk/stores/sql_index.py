"""This module keeps the login check's record in SQL: the last case of every number, keyed, and how far it goes back.

For example, the row of +8613800138000 is found by BLAKE2b of the number with the record's key.

The key protects the numbers: no table of the adapter holds a number in the clear, so a dump of the record alone tells
nobody which numbers were given up, and two platforms' records cannot be joined. All numbers can be tried (a country has
only 10^10 mobile ones), so the protection is exactly as good as the secrecy of the key. By default the key is in a
table beside the record, so a person with the whole database has it too. A key of the platform's own, given to the
adapter and the login check and kept outside the database, protects a stolen database as well.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from hub.core.model import Source, Stage
from hub.errors import PlatformError
from hub.sdk.accounts import Changes
from hub.sdk.last_cases import Evidence, LastCase

PREFIX = "unbind_hub_"
KEY_BYTES = 32
DIGEST_BYTES = 16
"""With 128 bits, two of 10^10 numbers have the same digest with a chance of one in 10^18."""

PROOF_OF = b"the key of the record of last cases"
CHUNK = 1_000
"""One IN list has so many values."""

THE_ONE = 1


class IndexTables:
    """These are the tables of the record."""

    def __init__(self, metadata: MetaData, prefix: str) -> None:
        self.last_cases = Table(
            prefix + "last_cases",
            metadata,
            Column("number_key", _exactly(DIGEST_BYTES), primary_key=True),
            Column("partition", Integer, nullable=False),
            Column("opened_at", BigInteger, nullable=False),
            Column("stage", String(16), nullable=False),
            Column("bound_before", BigInteger, nullable=False),
            Column("free_until", BigInteger),
            Column("earlier_before", BigInteger),
            Column("earlier_until", BigInteger),
            sqlite_with_rowid=False,  # the row lies in the key's tree: an answer takes one search, not two
        )
        self.evidence = Table(
            prefix + "evidence",
            metadata,
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("since", BigInteger, nullable=False),
        )
        self.state = Table(
            prefix + "login_check",
            metadata,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("number_key", LargeBinary(KEY_BYTES)),  # NULL if the platform keeps it elsewhere
            Column("proof", LargeBinary(DIGEST_BYTES), nullable=False),
            Column("caught_up_at", BigInteger),
        )


def _exactly(size: int) -> Any:
    return LargeBinary(size).with_variant(mysql.BINARY(size), "mysql", "mariadb")


class SqlIndex:
    """This implements `hub.sdk.last_cases.Index`, and writes the same tables for the adapter.

    Reading it makes no tables: a login service needs no more than the right to read these three.

    Args:
        key: 16 to 64 bytes of the platform's own; with None one is made at first, and kept in the database.
        metadata: the adapter's, whose `create_all` makes the tables.
    """

    def __init__(
        self, engine: Engine, prefix: str = PREFIX, key: bytes | None = None, metadata: MetaData | None = None
    ) -> None:
        if key is not None and not DIGEST_BYTES <= len(key) <= hashlib.blake2b.MAX_KEY_SIZE:
            raise PlatformError("the key of the record must have 16 to 64 bytes", todo="Make one of 32 random bytes.")
        self.tables = IndexTables(metadata or MetaData(), prefix)
        # An answer takes one statement without a transaction around it: these are the fewest round trips.
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._engine = engine
        self._given = key
        self._key: bytes | None = None
        self._one = select(self.tables.last_cases).where(self.tables.last_cases.c.number_key == bindparam("one"))

    # What the adapter uses

    def prepare(self) -> None:
        """Make or read the key, once the tables are there.

        Raises:
            PlatformError: the record was begun with another key.
        """
        with self._engine.connect() as connection:
            there = self._find_key(connection)
        if not there:
            made = secrets.token_bytes(KEY_BYTES) if self._given is None else None
            row = {"id": THE_ONE, "number_key": made, "proof": _digest(self._given or made or b"", PROOF_OF)}
            try:
                with self._engine.begin() as connection:
                    connection.execute(insert(self.tables.state), row)
            except IntegrityError:
                pass  # another process of this platform was first, and its key counts
            with self._engine.connect() as connection:
                self._find_key(connection)

    def load(self, connection: Connection, numbers: Iterable[str]) -> dict[str, LastCase]:
        """Return the last cases of numbers."""
        number_of = {self._digest(connection, one): one for one in numbers}
        table = self.tables.last_cases
        found: dict[str, LastCase] = {}
        for chunk in _chunks(number_of):
            rows = connection.execute(select(table).where(table.c.number_key.in_(chunk)))
            found |= {number_of[bytes(row.number_key)]: _last_case(row) for row in rows}
        return found

    def save(self, connection: Connection, changes: Changes) -> None:
        """Write what changed."""
        tables = self.tables
        keyed = ((self._digest(connection, number), one) for number, one in changes.last_cases.items())
        upsert(connection, tables.last_cases, [_row(key, one) for key, one in keyed])
        if changes.evidence:
            known = set(connection.execute(select(tables.evidence.c.partition)).scalars())
            fresh = {one: since for one, since in changes.evidence.items() if one not in known}
            upsert(connection, tables.evidence, [{"partition": one, "since": at} for one, at in fresh.items()])
        if changes.caught_up_at is not None:
            one = tables.state.c.id == THE_ONE
            connection.execute(tables.state.update().where(one).values(caught_up_at=changes.caught_up_at))

    # What the login check uses

    def last_case(self, number: str) -> LastCase | None:
        """Return the last case of a number, or None."""
        with self._reading.connect() as connection:
            row = connection.execute(self._one, {"one": self._digest(connection, number)}).one_or_none()
        return None if row is None else _last_case(row)

    def evidence(self) -> Evidence:
        """Return how far the record goes back and how new it is; it is empty where no adapter ever ran."""
        tables = self.tables
        with self._reading.connect() as connection:
            if self._key is None and not inspect(connection).has_table(tables.state.name):
                return Evidence()
            state = connection.execute(select(tables.state)).one_or_none()
            if state is None:
                return Evidence()
            self._take_key(state)  # each time, because an adapter with fresh tables has another key
            since = connection.execute(select(tables.evidence)).all()
        return Evidence(state.caught_up_at, {row.partition: row.since for row in since})

    # The key

    def _digest(self, connection: Connection, number: str) -> bytes:
        if self._key is None and not self._find_key(connection):
            raise PlatformError("the record has no key yet", todo="Start the adapter once; it makes the tables.")
        assert self._key is not None
        return _digest(self._key, number.encode())

    def _find_key(self, connection: Connection) -> bool:
        if self._key is not None:
            return True
        row = connection.execute(select(self.tables.state)).one_or_none()
        if row is None:
            return False
        self._take_key(row)
        return True

    def _take_key(self, row: Any) -> None:
        if self._key is not None and _digest(self._key, PROOF_OF) == bytes(row.proof):
            return
        key = self._given if self._given is not None else row.number_key
        if key is None or _digest(bytes(key), PROOF_OF) != bytes(row.proof):
            raise PlatformError(
                "the record of last cases was begun with another key: nothing would be found in it",
                todo="Give the adapter and the login check the key it was begun with.",
            )
        self._key = bytes(key)


def _digest(key: bytes, what: bytes) -> bytes:
    return hashlib.blake2b(what, key=key, digest_size=DIGEST_BYTES).digest()


def _last_case(row: Any) -> LastCase:
    return LastCase(
        case=Source(row.partition, row.opened_at),
        stage=Stage(row.stage),
        bound_before=row.bound_before,
        free_until=row.free_until,
        earlier_before=row.earlier_before,
        earlier_until=row.earlier_until,
    )


def _row(key: bytes, one: LastCase) -> dict[str, Any]:
    return {
        "number_key": key,
        "partition": one.case.partition,
        "opened_at": one.case.offset,
        "stage": one.stage.value,
        "bound_before": one.bound_before,
        "free_until": one.free_until,
        "earlier_before": one.earlier_before,
        "earlier_until": one.earlier_until,
    }


def _chunks(values: Iterable[bytes]) -> Iterator[list[bytes]]:
    left = iter(values)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def upsert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert or overwrite whole rows by primary key, as fast as the database allows."""
    if not rows:
        return
    write = UPSERTS.get(connection.dialect.name, _delete_and_insert)
    # In the order of the key, two adapters that overlap for a moment wait for each other instead of locking up.
    keys = [column.name for column in table.primary_key]
    write(connection, table, sorted(rows, key=lambda row: [row[key] for key in keys]))


def _postgresql(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Write all rows as arrays, one for each column, with one statement and one round trip for any number of rows."""
    arrays = [bindparam(column.name, type_=ARRAY(column.type)) for column in table.columns]
    query = postgresql.insert(table).from_select(list(table.columns.keys()), select(*map(func.unnest, arrays)))
    connection.execute(
        query.on_conflict_do_update(index_elements=list(table.primary_key), set_=_others(table, query.excluded)),
        {column.name: [row[column.name] for row in rows] for column in table.columns},
    )


def _sqlite(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    query = sqlite.insert(table)
    keys = list(table.primary_key)
    connection.execute(query.on_conflict_do_update(index_elements=keys, set_=_others(table, query.excluded)), rows)


def _mysql(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    query = mysql.insert(table)
    connection.execute(query.on_duplicate_key_update(_others(table, query.inserted)), rows)


def _delete_and_insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Write rows in the way that every database knows."""
    keys = list(table.primary_key)
    same = and_(*(key == bindparam(f"the_{key.name}") for key in keys))
    connection.execute(delete(table).where(same), [{f"the_{key.name}": row[key.name] for key in keys} for row in rows])
    connection.execute(insert(table), rows)


def _others(table: Table, values: ReadOnlyColumnCollection[str, Any]) -> dict[str, Any]:
    return {column.name: values[column.name] for column in table.columns if not column.primary_key}


UPSERTS = {"postgresql": _postgresql, "sqlite": _sqlite, "mysql": _mysql, "mariadb": _mysql}
