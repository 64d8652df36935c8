"""This module is the store for accounts in any SQL table, with the adapter's own tables beside it (SQLAlchemy Core).

Accounts and records change in one transaction of one database. This makes the adapter exact: after a crash
a batch is either in both or in neither, and the log is read on from there. For example,
`SqlStore(engine, SqlTable("users", usual_forms("CN"), account_id="id", number="phone"))` acts on the table `users`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from hub.errors import PlatformError
from hub.sdk.accounts import Binding, Changes, Done, Effect, Known, Outbox, Progress, Readability, Wanted
from hub.sdk.deeds import AccountsRefused, Ask, AskKey, Retry
from hub.sdk.last_cases import Evidence, LastCase
from hub.sdk.stores.bulk import bulk_for
from hub.sdk.stores.deeds import log_done
from hub.sdk.stores.faults import Refused, refusals, told
from hub.sdk.stores.records import NoRecords, Records
from hub.sdk.stores.sql_accounts import SqlAccounts, SqlTable
from hub.sdk.stores.sql_fuse import SqlFuses
from hub.sdk.stores.sql_index import PREFIX, SqlIndex
from hub.sdk.stores.tables import Tables

log = logging.getLogger(__name__)

__all__ = ["PREFIX", "SqlStore", "SqlTable"]


class SqlStore:
    """This implements `hub.sdk.accounts.AccountStore` and `Index`.

    Args:
        engine: that of the accounts' database; the adapter's own tables are made there if missing.
        layout: the accounts' table.
        prefix: the prefix of the adapter's own tables; adapters that share a database need one each.
        index_key: a secret for the record of last cases, kept outside the database (`hub.sdk.stores.sql_index`).
        make_tables: if False, only the accounts are read, for a check that is to change nothing.

    Raises:
        PlatformError: the table or one of its columns is not there, an account could not be unbound in it, or the
            record of last cases was begun with another key.
        StoreAway: the database does not answer.
    """

    def __init__(
        self,
        engine: Engine,
        layout: SqlTable,
        prefix: str = PREFIX,
        index_key: bytes | None = None,
        *,
        make_tables: bool = True,
    ) -> None:
        if engine.dialect.name in {"mysql", "mariadb"}:
            # By default MySQL also locks the gaps between numbers: nobody could register while a batch is handled.
            engine = engine.execution_options(isolation_level="READ COMMITTED")
        self._engine = engine
        self._tables = Tables(prefix)
        with told():
            self._accounts = SqlAccounts(engine, layout)
            self.index = SqlIndex(engine, prefix, index_key, self._tables.metadata)
            if make_tables:
                self._tables.metadata.create_all(engine)
                self.index.prepare()
            else:
                self.index.evidence()  # this refuses another key than the record's
            # Without the newest of the tables nothing is read: they are made when the adapter starts.
            self._heard = make_tables or inspect(engine).has_table(self._tables.life_since.name)
        self.fuses = SqlFuses(engine, self._tables, there=self._heard)

    def readability(self) -> Readability:
        """Read the bound numbers once and count those that cannot be read."""
        with self._connected() as connection:
            return self._accounts.readability(connection)

    def ages(self) -> Readability:
        """Read the ages of some accounts and count those outside `PLAUSIBLE_MS` or in no known form."""
        with self._connected() as connection:
            return self._accounts.ages(connection)

    def progress(self) -> Progress:
        """Return how far each partition was heard."""
        with self._connected() as connection:
            return self._records(connection).progress()

    def last_case(self, number: str) -> LastCase | None:
        """Return the last case of a number."""
        return self.index.last_case(number)

    def evidence(self) -> Evidence:
        """Return how far the record of last cases goes back and how new it is."""
        return self.index.evidence()

    @contextmanager
    def transaction(self) -> Iterator[SqlSession]:
        """Open one transaction of the database."""
        with told(), self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # no row that is read may change before it is written
            session = SqlSession(connection, self._tables, self._accounts, self.index, heard=self._heard)
            yield session
        log_done(log, session.asked)

    def outbox(self) -> Outbox:
        """Return what is committed and not yet acknowledged."""
        with self._connected() as connection:
            return self._records(connection).outbox()

    def acknowledged(self, outbox: Outbox) -> None:
        """Forget exactly what this outbox held."""
        with told(), self._engine.begin() as connection:
            self._records(connection).acknowledged(outbox)

    def due(self, now_ms: int, most: int) -> list[Retry]:
        """Return cases whose time to be tried again has come."""
        with self._connected() as connection:
            return self._records(connection).due(now_ms, most)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with told(), self._engine.connect() as connection:
            yield connection

    def _records(self, connection: Connection) -> Records:
        kind = Records if self._heard else NoRecords
        return kind(connection, self._tables, lambda kept: self._accounts.number_kept(kept, {}))


class SqlSession:
    """This implements `hub.sdk.accounts.Session`; it is one transaction."""

    def __init__(
        self, connection: Connection, tables: Tables, accounts: SqlAccounts, index: SqlIndex, *, heard: bool
    ) -> None:
        self._connection = connection
        self._index = index
        self._tables = tables
        self._accounts = accounts
        self._number_of: dict[str, str] = {}
        self._heard = heard
        kind = Records if heard else NoRecords
        self._records = kind(connection, tables, lambda kept: accounts.number_kept(kept, self._number_of))
        self._rows: dict[str, dict[str, Any]] = {}
        self.asked: list[Ask] = []

    def load(self, wanted: Wanted) -> Known:
        """Return what the store knows of what is wanted."""
        self._number_of = number_of = self._accounts.sought(wanted.numbers)
        touches = self._records.touches_of(wanted.cases)
        self._keep(self._accounts.bound_to(self._connection, number_of))
        gone = [touch for touch in touches if touch.account_id not in self._rows]
        ids = dict.fromkeys(self._accounts.id_of(touch.snapshot) for touch in gone)
        self._keep(self._accounts.with_ids(self._connection, ids))
        touches += self._records.freezes_on(self._rows)
        progress, fuses = self._records.progress(), self._records.fuses
        return Known(
            log_id=progress.log_id,
            places=progress.places,
            stages=self._records.stages(wanted.segments),
            accounts={name: self._accounts.account(row, number_of) for name, row in self._rows.items()},
            touches={(touch.case, touch.account_id): touch for touch in touches},
            last_cases=self._index.load(self._connection, wanted.subjects) if self._heard else {},
            spent=fuses.spent(wanted.operators, wanted.since_hour) if self._heard else {},
            retries=self._records.retries(wanted.cases),
            held=fuses.held(wanted.cases) if self._heard else {},
            blown=fuses.blown(wanted.operators) if self._heard else frozenset(),
            life_since=self._records.life_since(wanted.cases) if self._heard else {},
        )

    def _keep(self, rows: Iterable[dict[str, Any]]) -> None:
        layout, found = self._accounts.layout, list(rows)
        named = {layout.name_of(row[layout.account_id]): row for row in found}
        if len(named) < len(found):
            raise PlatformError(
                f"two rows of table {layout.name} have one {layout.account_id}",
                todo="Name a column in the settings that is unique: a row is one account with one number.",
            )
        self._rows |= named

    def ask(self, asks: Sequence[Ask]) -> dict[AskKey, Done]:
        """Run the platform's own SQL on each account; if it raises, it is undone and counts as FAILED."""
        self.asked += asks
        calls = self._accounts.layout.calls
        if not calls:
            return {}
        called = [ask for ask in asks if ask.key.deed in calls]
        answers = {ask.key: self._call(calls[ask.key.deed], ask) for ask in called}
        # The rows are read again: what these calls changed must not look as if somebody else had changed the account.
        self._keep(self._accounts.with_ids(self._connection, {self._accounts.id_of(ask.snapshot) for ask in called}))
        return {key: done for key, done in answers.items() if done is not Done.DONE}

    def _call(self, statement: str, ask: Ask) -> Done:
        account_id = self._accounts.id_of(ask.snapshot)
        values = {"account_id": account_id, "deed": ask.key.deed.value, "case": str(ask.key.case)}
        try:
            with refusals(), self._connection.begin_nested():
                result = self._connection.execute(text(statement), values)
                row = result.first() if result.returns_rows else None
        except Refused as wrong:
            log.warning("%s of case %s: the platform's own SQL failed (%s)", ask.key.deed, ask.key.case, wrong)
            return Done.FAILED
        said = str(row[0]).upper() if row is not None and row[0] is not None else Done.DONE.value
        return Done(said) if said in set(Done) else Done.DONE

    def save(self, changes: Changes) -> None:
        """Write the changes; they count once the transaction ends well."""
        self._save_accounts(changes.effects)
        self._records.save(changes, self._accounts.kept)
        self._index.save(self._connection, changes)

    def _save_accounts(self, effects: Mapping[str, Effect]) -> None:
        putting = {
            name: effect.number
            for name, effect in effects.items()
            if self._accounts.puts_number(effect, self._rows[name])
        }
        if putting and not self._accounts.hold_still(self._connection):
            raise AccountsRefused(frozenset(putting))
        refused = self._apply(list(effects.values()))
        taken = self._taken(putting, refused)
        if refused - taken:
            log.warning("the database refuses to change %d accounts; they count as FAILED", len(refused - taken))
        if refused or taken:
            raise AccountsRefused(refused - taken, taken)
        if self._accounts.layout.frozen is not None or not effects:
            return
        frozen, bulk = self._tables.frozen, bulk_for(self._connection)
        marked = {name for name, one in effects.items() if one.binding is Binding.FROZEN}
        bulk.delete(frozen, [{"account_id": name} for name in effects if name not in marked])
        bulk.put(frozen, [{"account_id": name} for name in sorted(marked)])

    def _taken(self, putting: Mapping[str, str], refused: frozenset[str]) -> frozenset[str]:
        """Return the accounts whose number somebody else holds, and was not seen to hold when the store was read.

        Args:
            putting: the number that is put on each account.
            refused: the accounts that the database left as they were, such as for a constraint that a number is unique.
        """
        holders = {number: self._accounts.holders(self._connection, number) for number in sorted(set(putting.values()))}
        known = self._rows.keys()
        return frozenset(
            name
            for name, number in putting.items()
            if (holders[number] - {name} if name in refused else holders[number] - known)
        )

    def _apply(self, effects: list[Effect]) -> frozenset[str]:
        """Leave accounts as said; return those that the database's own rules forbid, which are found by halving."""
        if not effects:
            return frozenset()
        try:
            with refusals(), self._connection.begin_nested():
                self._accounts.apply(self._connection, effects, self._rows)
        except Refused:
            if len(effects) == 1:
                return frozenset({effects[0].account_id})
            half = len(effects) // 2
            return self._apply(effects[:half]) | self._apply(effects[half:])
        return frozenset()
