"""This module reads and changes a platform's own table of accounts. It touches only the columns that are named.

It knows of the columns' types only what the driver gives: values are read as they come (`hub.sdk.stores.raw`)
and written back as they were. Only the columns of a row that differ are written, and only if its number is still the
one that was read. For example, unbinding "u1" sets its number to NULL only if it is still the 13800138000 that was
read.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, column, func, inspect, select, table
from sqlalchemy.exc import NoSuchTableError, OperationalError, ProgrammingError
from sqlalchemy.sql import Select
from sqlalchemy.types import CHAR

from hub.errors import PlatformError
from hub.sdk.accounts import Account, Binding, Effect, Readability
from hub.sdk.stores import raw
from hub.sdk.stores.bulk import CHUNK, Update, bulk_for
from hub.sdk.stores.faults import Refused
from hub.sdk.stores.matching import bound, count, is_of, kept, kept_number, sought
from hub.sdk.stores.sql_table import SqlTable

__all__ = ["SqlAccounts", "SqlTable"]

log = logging.getLogger(__name__)

LOCK_WAIT_MS = 500
"""The adapter waits so long for the table, then tries again later. PostgreSQL looks for deadlocks after 1,000 ms."""


class SqlAccounts:
    """These are the accounts of one table.

    Raises:
        PlatformError: the table or one of its columns is not there.
    """

    def __init__(self, engine: Engine, layout: SqlTable) -> None:
        self.layout = layout
        found = _columns(engine, layout)
        missing = [name for name in layout.columns if name not in found]
        if missing:
            raise PlatformError(
                f"table {layout.name} has no column {', '.join(missing)}", todo="Correct the names in the settings."
            )
        cannot = [one for one in (layout.number, *layout.also_clear) if not found[one].get("nullable", True)]
        if layout.unbound_value is not None and layout.number in cannot:
            cannot.remove(layout.number)
        if cannot:
            raise PlatformError(
                f"column {', '.join(cannot)} of table {layout.name} cannot be empty, so no account can be unbound",
                todo="Give unbound_value for the number (such as '' or 'none-{account_id}'); set other columns by "
                "`set` under UNBIND instead of also_clear.",
            )
        self._types = {name: found[name]["type"] for name in layout.columns}
        self._whole_numbers = _python_type(self._types[layout.number]) is int
        self._table = table(layout.name, *(column(name) for name in layout.columns), schema=layout.schema)

    def sought(self, numbers: Iterable[str]) -> dict[str, str]:
        """Return, for every text as which the numbers may be stored, the number."""
        return sought(self.layout.form, numbers)

    def bound_to(self, connection: Connection, texts: Collection[str]) -> list[dict[str, Any]]:
        """Return the rows bound to numbers written so, locked until the transaction ends."""
        values: Iterable[Any] = texts
        if self._whole_numbers:
            values = {int(text) for text in texts if text.isascii() and text.isdigit()}
        return self._rows(connection, self.layout.number, values)

    def with_ids(self, connection: Connection, ids: Iterable[Any]) -> list[dict[str, Any]]:
        """Return the rows with these ids, as the driver gave them, locked until the transaction ends."""
        return self._rows(connection, self.layout.account_id, ids)

    def _rows(self, connection: Connection, by: str, values: Iterable[Any]) -> list[dict[str, Any]]:
        # This is not FOR UPDATE: rows elsewhere that refer to an account may still be made.
        query = select(self._table).with_for_update(key_share=True)
        found = bulk_for(connection).rows(query, by, values, self._types[by])
        return [self._unpadded(dict(row._mapping)) for row in found]

    def _unpadded(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row without the spaces that fill a number's column of fixed width."""
        number = self.layout.number
        if isinstance(self._types[number], CHAR) and isinstance(row[number], str):
            row[number] = row[number].rstrip(" ")
        return row

    def account(self, row: Mapping[str, Any], number_of: Mapping[str, str]) -> Account:
        """Return a row as an account."""
        layout = self.layout
        bound_at = None if layout.bound_at is None else row[layout.bound_at]
        found = None if layout.is_unbound(row) else bound(layout.form, str(row[layout.number]), number_of)
        proven_at = None if layout.proven_at is None else row[layout.proven_at]
        return Account(
            account_id=layout.name_of(row[layout.account_id]),
            number=None if found is None else found.number,
            bound_at=raw.time_ms(bound_at, layout.bound_at_unit_ms, layout.zone),
            snapshot=raw.keep(dict(row)),
            proven_at=None if proven_at is None else raw.time_ms(proven_at, layout.bound_at_unit_ms, layout.zone),
            may_be=frozenset() if found is None else found.may_be,
        )

    def kept(self, number: str) -> str:
        """Return a number as the records keep it: as this store writes it, so keyed numbers are not in the clear."""
        return kept(self.layout.form, number)

    def number_kept(self, text: str, number_of: Mapping[str, str]) -> str:
        """Return the number of a text that the records keep, or ELSEWHERE if neither it nor what was asked tells it."""
        return kept_number(self.layout.form, text, number_of)

    def id_of(self, snapshot: str) -> Any:
        """Return the account id in a snapshot, as the driver gave it."""
        return raw.restore(snapshot)[self.layout.account_id]

    def apply(self, connection: Connection, effects: Iterable[Effect], rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Leave accounts as said.

        Args:
            rows: the rows by account id, as they were read in this transaction.

        Raises:
            Refused: the database left some rows as they were.
        """
        layout, alike = self.layout, dict[tuple[str, ...], list[dict[str, Any]]]()
        for effect in effects:
            row = rows[effect.account_id]
            after = layout.after(effect.binding, row, self._before(effect, row))
            columns = tuple(name for name in sorted(after) if after[name] != row[name])
            values = {f"to_{name}": after[name] for name in columns}
            values |= {"key": row[layout.account_id], "was": row[layout.number]}
            alike.setdefault(columns, []).append(values)
        for columns, all_values in alike.items():
            if columns:
                shape = Update(self._table, layout.account_id, layout.number, columns)
                changed = bulk_for(connection).update(shape, self._types, all_values)
                if changed < len(all_values):  # a trigger or a policy that lets changes pass without making them
                    raise Refused(f"{len(all_values) - changed} of {len(all_values)} rows were not changed")

    def puts_number(self, effect: Effect, row: Mapping[str, Any]) -> bool:
        """Return whether leaving an account so puts a number on it that it does not have."""
        return effect.binding in (Binding.AS_BEFORE, Binding.FROZEN) and self.layout.is_unbound(row)

    def holders(self, connection: Connection, number: str) -> set[str]:
        """Return the ids of the accounts bound to a number now; other transactions cannot change them any more."""
        return {
            self.layout.name_of(row[self.layout.account_id]) for row in self.bound_to(connection, self.sought([number]))
        }

    def hold_still(self, connection: Connection) -> bool:
        """Let nobody bind a number until the transaction ends, where the database would not show it to `holders`.

        SQLite has one writer, and MySQL's locking reads wait for rows that others are about to insert. PostgreSQL shows
        only what is committed, so the table is locked against writers for the moment that is left. The adapter gives
        way after `LOCK_WAIT_MS`: no transaction of the platform waits for longer, or is ended for it as a deadlock.

        Returns:
            Whether it may go on now.
        """
        if connection.dialect.name != "postgresql":
            return True
        name = connection.dialect.identifier_preparer.format_table(self._table)
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
                connection.exec_driver_sql(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")
                connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
        except ProgrammingError:  # rights on single columns do not allow it; then what is committed is what counts
            log.warning("table %s cannot be locked while numbers are put back: the adapter has no UPDATE on it", name)
        except OperationalError:
            log.warning("table %s is too busy to be locked while numbers are put back; they are tried again", name)
            return False
        return True

    def _before(self, effect: Effect, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the account's snapshot; if the account had moved to the effect's number since, it has that number."""
        before: dict[str, Any] = raw.restore(effect.snapshot)
        if not self.layout.is_unbound(row):  # then its number stays
            return before
        number, form = self.layout.number, self.layout.form
        text = form.plainest(effect.number)
        if text is None or is_of(form, str(before[number]), effect.number):
            return before
        theirs = {name: row[name] for name in self.layout.also_clear}
        return {**before, **theirs, number: int(text) if self._whole_numbers else text}

    def readability(self, connection: Connection) -> Readability:
        """Read the bound numbers; in a large table, read those of its first and last accounts."""
        layout = self.layout
        number, key = self._table.c[layout.number], self._table.c[layout.account_id]
        bound = select(number).where(number.is_not(None))
        if isinstance(layout.unbound_value, str):
            written = layout.unbound_value.replace("%", r"\%").replace("_", r"\_").replace("{account_id}", "%")
            bound = bound.where(number.not_like(written, escape="\\"))
        rows = connection.execute(select(func.count()).select_from(bound.subquery())).scalar_one()
        if rows <= layout.scan_rows_max:
            return self._count(connection, [bound])
        half = layout.scan_rows_max // 2
        return self._count(connection, [bound.order_by(key).limit(half), bound.order_by(key.desc()).limit(half)])

    def ages(self, connection: Connection) -> Readability:
        """Read the ages of some rows; return how many there are, and how many cannot be ages."""
        layout = self.layout
        if layout.bound_at is None:
            return Readability(0, 0)
        at = self._table.c[layout.bound_at]
        found = connection.execute(select(at).where(at.is_not(None)).limit(layout.scan_rows_max)).scalars().all()
        known = [raw.time_ms(one, layout.bound_at_unit_ms, layout.zone) for one in found]
        return Readability(len(known), sum(one is None for one in known))

    def _count(self, connection: Connection, queries: Iterable[Select[Any]]) -> Readability:
        return count(self.layout.form, self._texts(connection, queries))

    def _texts(self, connection: Connection, queries: Iterable[Select[Any]]) -> Iterator[str]:
        for query in queries:
            for (value,) in connection.execution_options(yield_per=CHUNK).execute(query):
                text = self._unpadded({self.layout.number: value})[self.layout.number]
                if text != "":
                    yield str(text)


def _columns(engine: Engine, layout: SqlTable) -> dict[str, Any]:
    try:
        found = inspect(engine).get_columns(layout.name, schema=layout.schema)
    except NoSuchTableError as wrong:
        raise PlatformError(f"there is no table {layout.name}", todo="Correct the name in the settings.") from wrong
    return {one["name"]: one for one in found}


def _python_type(kind: Any) -> type | None:
    try:
        return kind.python_type  # type: ignore[no-any-return]
    except NotImplementedError:
        return None
