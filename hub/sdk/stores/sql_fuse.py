"""This module keeps in SQL what the fuses counted and held, and what persons decided.

The adapter writes counts and held cases in the transaction of a batch (`load`, `save`). A person's decision is a
transaction of its own, in another process while the adapter runs (`SqlFuses.decide`): it turns what is HELD into
RELEASE or GIVE_UP, and the adapter finds it there (`SqlFuses.decided`). For example, `platform fuse release --operator
north` turns every HELD row of `north` into RELEASE, and keeps who said so and why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from hub.core.model import Source
from hub.sdk.accounts import Changes
from hub.sdk.fuses import DECIDED, Decision, FuseKind, HeldCase, HeldState, HeldSum, SpentKey
from hub.sdk.stores.bulk import Row, bulk_for, chunks
from hub.sdk.stores.faults import told
from hub.sdk.stores.tables import Tables


class SqlFuses:
    """This implements `hub.sdk.fuses.FuseBook`.

    Args:
        there: whether the tables were made.
    """

    def __init__(self, engine: Engine, tables: Tables, *, there: bool = True) -> None:
        self._engine = engine
        self._tables = tables
        self._there = there

    def decided(self, most: int) -> list[HeldCase]:
        """Return cases that a person decided about and the adapter has not carried out, at most `most`."""
        held = self._tables.fuse_held
        query = select(held).where(held.c.state.in_([one.value for one in DECIDED])).limit(most)
        return [_held(row) for row in self._rows(query)]

    def sums(self) -> list[HeldSum]:
        """Return what is held, by operator, kind and state."""
        held = self._tables.fuse_held
        by = (held.c.operator, held.c.kind, held.c.state)
        query = select(*by, func.count().label("cases"), func.min(held.c.held_at).label("since")).group_by(*by)
        return [
            HeldSum(row.operator, FuseKind(row.kind), HeldState(row.state), row.cases, row.since)
            for row in self._rows(query.order_by(*by))
        ]

    def decide(self, decision: Decision) -> int:
        """Decide about all that is held of an operator, and keep the decision; return how many cases that is."""
        held, spent = self._tables.fuse_held, self._tables.fuse_spent
        with self._writing() as connection:
            mine = (held.c.operator == decision.operator, held.c.state == HeldState.HELD.value)
            kinds = connection.execute(select(held.c.kind).where(*mine).distinct()).scalars().all()
            cases = connection.execute(update(held).where(*mine).values(state=decision.state.value)).rowcount
            if not cases:
                return 0
            if decision.state is HeldState.RELEASE:
                counted = (spent.c.operator == decision.operator, spent.c.kind.in_(kinds))
                connection.execute(delete(spent).where(*counted))
            place = connection.execute(select(func.count()).select_from(self._tables.fuse_decisions)).scalar_one()
            row = {**decision._asdict(), "id": place + 1, "state": decision.state.value, "cases": cases}
            connection.execute(insert(self._tables.fuse_decisions), row)
        return cases

    def decisions(self) -> list[Decision]:
        """Return every decision, the oldest first."""
        table = self._tables.fuse_decisions
        return [
            Decision(row.operator, HeldState(row.state), row.by, row.reason, row.decided_at, row.cases)
            for row in self._rows(select(table).order_by(table.c.id))
        ]

    def _rows(self, query: Any) -> list[Any]:
        if not self._there:
            return []
        with told(), self._engine.connect() as connection:
            return list(connection.execute(query))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with told(), self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


class FuseRecords:
    """These are the same records within one transaction of the adapter."""

    def __init__(self, connection: Connection, tables: Tables) -> None:
        self._bulk = bulk_for(connection)
        self._connection = connection
        self._tables = tables

    def spent(self, operators: Collection[str], since_hour: int) -> dict[SpentKey, int]:
        """Return the counts of operators from an hour on."""
        table, found = self._tables.fuse_spent, dict[SpentKey, int]()
        for some in chunks(sorted(operators)):
            query = select(table).where(table.c.operator.in_(some), table.c.hour >= since_hour)
            rows = self._connection.execute(query)
            found |= {SpentKey(row.operator, FuseKind(row.kind), row.hour): row.deeds for row in rows}
        return found

    def held(self, cases: Iterable[Source]) -> dict[Source, HeldCase]:
        """Return which of these cases a fuse holds."""
        table, found = self._tables.fuse_held, dict[Source, HeldCase]()
        offsets: dict[int, list[int]] = {}
        for case in sorted(cases):
            offsets.setdefault(case.partition, []).append(case.offset)
        for partition, some in offsets.items():
            query = select(table).where(table.c.partition == partition)
            rows = self._bulk.rows(query, "opened_at", some, table.c.opened_at.type)
            found |= {one.case: one for one in map(_held, rows)}
        return found

    def blown(self, operators: Collection[str]) -> frozenset[tuple[str, FuseKind]]:
        """Return the fuses of operators that hold something nobody decided about."""
        table, found = self._tables.fuse_held, set[tuple[str, FuseKind]]()
        for operator, kind in product(sorted(operators), FuseKind):
            mine = (table.c.operator == operator, table.c.kind == kind.value, table.c.state == HeldState.HELD.value)
            if self._connection.execute(select(table.c.opened_at).where(*mine).limit(1)).first() is not None:
                found.add((operator, kind))
        return frozenset(found)

    def save(self, changes: Changes) -> None:
        """Write what a batch changed."""
        spent, held = self._tables.fuse_spent, self._tables.fuse_held
        self._bulk.put(
            spent, [{**key._asdict(), "kind": key.kind.value, "deeds": n} for key, n in changes.spent.items()]
        )
        gone = [case for case, one in changes.held.items() if one is None]
        self._bulk.delete(held, [{"partition": case.partition, "opened_at": case.offset} for case in gone])
        self._bulk.put(held, [_held_row(one) for one in changes.held.values() if one is not None])


def _held(row: Any) -> HeldCase:
    case, position = Source(row.partition, row.opened_at), Source(row.partition, row.notice_at)
    return HeldCase(case, row.operator, FuseKind(row.kind), position, row.held_at, HeldState(row.state))


def _held_row(held: HeldCase) -> Row:
    return {
        "partition": held.case.partition,
        "opened_at": held.case.offset,
        "operator": held.operator,
        "kind": held.kind.value,
        "notice_at": held.position.offset,
        "held_at": held.held_at,
        "state": held.state.value,
    }
