"""Accounts in any SQL table, and the adapter's own tables beside them, through SQLAlchemy Core.

Accounts and records change in one transaction of one database. That is what makes the adapter exact: after a crash
either a batch is in both or in neither, and the log is read on from there.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyroaring import BitMap
from sqlalchemy import Column, Connection, Engine, Table, and_, delete, insert, select
from sqlalchemy import bindparam as bind

from hub.core.coverage import pack, unpack
from hub.core.model import Outcome, Source
from hub.sdk.accounts import (
    Binding,
    Changes,
    Held,
    Known,
    Outbox,
    Place,
    Progress,
    Readability,
    SaidKey,
    Touch,
    Waiting,
    Wanted,
)
from hub.sdk.last_cases import Evidence, LastCase
from hub.sdk.stores.sql_accounts import SqlAccounts, SqlTable, chunks
from hub.sdk.stores.sql_index import PREFIX, SqlIndex
from hub.sdk.stores.tables import Tables

ZLIB_LEVEL = 1
"""Stages are mostly runs: the fastest level already packs a segment into some kilobytes."""

__all__ = ["SqlStore", "SqlTable"]


class SqlStore:
    """Implements `hub.sdk.accounts.AccountStore` and `Index`.

    Args:
        engine: of the database the accounts are in; the adapter's own tables are made there if missing.
        layout: the accounts' table.
        prefix: of the adapter's own tables; adapters that share a database need one each.
        index_key: a secret for the record of last cases, kept outside the database (`hub.sdk.stores.sql_index`).

    Raises:
        PlatformError: the table or one of its columns is not there, or the record was begun with another key.
    """

    def __init__(self, engine: Engine, layout: SqlTable, prefix: str = PREFIX, index_key: bytes | None = None) -> None:
        self._engine = engine
        self._tables = Tables(prefix)
        self._accounts = SqlAccounts(engine, layout)
        self.index = SqlIndex(engine, prefix, index_key, self._tables.metadata)
        self._tables.metadata.create_all(engine)
        self.index.prepare()

    def readability(self) -> Readability:
        """Read the bound numbers once and count those that cannot be read."""
        with self._engine.connect() as connection:
            return self._accounts.readability(connection)

    def progress(self) -> Progress:
        """How far each partition was heard."""
        with self._engine.connect() as connection:
            return _progress(connection, self._tables)

    def last_case(self, number: str) -> LastCase | None:
        """The last case of a number."""
        return self.index.last_case(number)

    def evidence(self) -> Evidence:
        """How far the record of last cases goes back and how new it is."""
        return self.index.evidence()

    @contextmanager
    def transaction(self) -> Iterator[SqlSession]:
        """One transaction of the database."""
        with self._engine.begin() as connection:
            yield SqlSession(connection, self._tables, self._accounts, self.index)

    def outbox(self) -> Outbox:
        """What is committed and not yet acknowledged."""
        with self._engine.connect() as connection:
            waiting = connection.execute(select(self._tables.waiting)).all()
            said = connection.execute(select(self._tables.said)).all()
            log_id = _progress(connection, self._tables).log_id
        return Outbox(
            log_id,
            {row.partition: Waiting(row.through, row.digest, row.published_at) for row in waiting},
            {SaidKey(row.partition, row.segment, Outcome(row.outcome)): unpack(row.bitmap) for row in said},
        )

    def acknowledged(self, outbox: Outbox) -> None:
        """Forget exactly what this outbox held."""
        waiting, said = self._tables.waiting, self._tables.said
        with self._engine.begin() as connection:
            for partition, one in outbox.waiting.items():
                same = (waiting.c.partition == partition, waiting.c.through == one.through)
                connection.execute(delete(waiting).where(*same))
            now = _said_now(connection, said, outbox.said)
            rows = [_said_row(key, bits - outbox.said[key]) for key, bits in now.items()]
            _delete_each(connection, said, rows)
            _insert(connection, said, [row for row in rows if unpack(row["bitmap"])])


class SqlSession:
    """Implements `hub.sdk.accounts.Session`: one transaction."""

    def __init__(self, connection: Connection, tables: Tables, accounts: SqlAccounts, index: SqlIndex) -> None:
        self._connection = connection
        self._index = index
        self._tables = tables
        self._accounts = accounts
        self._rows: dict[str, dict[str, Any]] = {}

    def load(self, wanted: Wanted) -> Known:
        """What the store knows of what is wanted."""
        number_of = self._accounts.written(wanted.numbers)
        touches = self._touches_of(wanted.cases, number_of)
        self._keep(self._accounts.bound_to(self._connection, number_of))
        gone = [touch for touch in touches if touch.account_id not in self._rows]
        ids = dict.fromkeys(self._accounts.id_of(touch.snapshot) for touch in gone)
        self._keep(self._accounts.with_ids(self._connection, ids))
        touches += self._freezes_on(self._rows, number_of)
        progress = _progress(self._connection, self._tables)
        return Known(
            log_id=progress.log_id,
            places=progress.places,
            stages=self._stages(wanted.segments),
            accounts={name: self._accounts.account(row, number_of) for name, row in self._rows.items()},
            touches={(touch.case, touch.account_id): touch for touch in touches},
            unbinds=self._unbinds(wanted.since_hour),
            last_cases=self._index.load(self._connection, wanted.subjects),
        )

    def _keep(self, rows: Iterable[dict[str, Any]]) -> None:
        self._rows |= {str(row[self._accounts.layout.account_id]): row for row in rows}

    def _touches_of(self, cases: Iterable[Source], number_of: Mapping[str, str]) -> list[Touch]:
        touched = self._tables.touched
        by_partition: dict[int, list[int]] = {}
        for case in cases:
            by_partition.setdefault(case.partition, []).append(case.offset)
        found: list[Touch] = []
        for partition, offsets in by_partition.items():
            for chunk in chunks(sorted(offsets)):
                query = select(touched).where(touched.c.partition == partition, touched.c.opened_at.in_(chunk))
                found += [self._touch(row, number_of) for row in self._connection.execute(query)]
        return found

    def _freezes_on(self, names: Iterable[str], number_of: Mapping[str, str]) -> list[Touch]:
        touched = self._tables.touched
        query = select(touched).where(touched.c.held == Held.FREEZE.value)
        found: list[Touch] = []
        for chunk in chunks(names):
            rows = self._connection.execute(query.where(touched.c.account_id.in_(chunk)))
            found += [self._touch(row, number_of) for row in rows]
        return found

    def _touch(self, row: Any, number_of: Mapping[str, str]) -> Touch:
        return Touch(
            case=Source(row.partition, row.opened_at),
            account_id=row.account_id,
            outcome=Outcome(row.outcome),
            held=Held(row.held),
            number=self._accounts.read(row.number, number_of),
            bound_at=row.bound_at,
            snapshot=row.snapshot,
        )

    def _stages(self, segments: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        stages = self._tables.stages
        found: dict[tuple[int, int], bytes] = {}
        for partition, segment in sorted(segments):
            query = select(stages.c.packed).where(stages.c.partition == partition, stages.c.segment == segment)
            packed = self._connection.execute(query).scalar_one_or_none()
            if packed is not None:
                found[partition, segment] = zlib.decompress(packed)
        return found

    def _unbinds(self, since_hour: int) -> dict[int, int]:
        unbinds = self._tables.unbinds
        rows = self._connection.execute(select(unbinds).where(unbinds.c.hour >= since_hour))
        return {row.hour: row.unbinds for row in rows}

    def save(self, changes: Changes) -> None:
        """Write the changes; they count once the transaction ends well."""
        self._save_accounts(changes)
        self._index.save(self._connection, changes)
        tables = self._tables
        self._put(tables.touched, (self._touched_row(touch) for touch in changes.touches.values()))
        self._put(tables.progress, (_progress_row(changes.log_id, *one) for one in changes.places.items()))
        self._put(tables.stages, (_stages_row(*key, packed) for key, packed in changes.stages.items()))
        self._put(tables.unbinds, ({"hour": hour, "unbinds": count} for hour, count in changes.unbinds.items()))
        before = _waiting_now(self._connection, tables.waiting)
        self._put(tables.waiting, (_waiting_row(key, one, before) for key, one in changes.waiting.items()))
        said = _said_now(self._connection, tables.said, changes.said)
        empty = BitMap()
        self._put(tables.said, (_said_row(key, bits | said.get(key, empty)) for key, bits in changes.said.items()))

    def _save_accounts(self, changes: Changes) -> None:
        self._accounts.apply(self._connection, changes.effects.values(), self._rows)
        if self._accounts.layout.frozen is not None:
            return
        frozen = self._tables.frozen
        names = [{"account_id": name} for name in changes.effects]
        marked = [{"account_id": one.account_id} for one in changes.effects.values() if one.binding is Binding.FROZEN]
        _delete_each(self._connection, frozen, names)
        _insert(self._connection, frozen, marked)

    def _touched_row(self, touch: Touch) -> dict[str, Any]:
        """The touch, its number as this store writes them: a store that keys them keeps none in the clear."""
        written = self._accounts.layout.form.written(touch.number)
        return {
            "partition": touch.case.partition,
            "opened_at": touch.case.offset,
            "account_id": touch.account_id,
            "outcome": touch.outcome.value,
            "held": touch.held.value,
            "number": written[0] if written else "",
            "bound_at": touch.bound_at,
            "snapshot": touch.snapshot,
        }

    def _put(self, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        _replace(self._connection, table, list(rows))


def _replace(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert or overwrite rows by primary key, in the one way every database knows."""
    _delete_each(connection, table, rows)
    _insert(connection, table, rows)


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _delete_each(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        keys: list[Column[Any]] = list(table.primary_key)
        same = and_(*(key == bind(f"the_{key.name}") for key in keys))
        values = [{f"the_{key.name}": row[key.name] for key in keys} for row in rows]
        connection.execute(delete(table).where(same), values)


def _progress(connection: Connection, tables: Tables) -> Progress:
    rows = connection.execute(select(tables.progress)).all()
    places = {row.partition: Place(row.next_offset, row.last_source) for row in rows}
    return Progress(rows[0].log_id if rows else None, places)


def _progress_row(log_id: bytes | None, partition: int, place: Place) -> dict[str, Any]:
    return {"partition": partition, "log_id": log_id, **place._asdict()}


def _stages_row(partition: int, segment: int, stages: bytes) -> dict[str, Any]:
    return {"partition": partition, "segment": segment, "packed": zlib.compress(stages, ZLIB_LEVEL)}


def _waiting_now(connection: Connection, table: Table) -> dict[int, Waiting]:
    rows = connection.execute(select(table))
    return {row.partition: Waiting(row.through, row.digest, row.published_at) for row in rows}


def _waiting_row(partition: int, waiting: Waiting, before: Mapping[int, Waiting]) -> dict[str, Any]:
    return {"partition": partition, **waiting.after(before.get(partition))._asdict()}


def _said_now(connection: Connection, table: Table, keys: Iterable[SaidKey]) -> dict[SaidKey, BitMap]:
    wanted = set(keys)
    rows = connection.execute(select(table)) if wanted else ()
    found = ((SaidKey(row.partition, row.segment, Outcome(row.outcome)), row.bitmap) for row in rows)
    return {key: unpack(bitmap) for key, bitmap in found if key in wanted}


def _said_row(key: SaidKey, bits: BitMap) -> dict[str, Any]:
    return {
        "partition": key.partition,
        "segment": key.segment,
        "outcome": key.outcome.value,
        "bitmap": pack(bits),
    }
