"""A platform's own table of accounts: how it is laid out, found in, and changed. Only the columns named are touched.

Nothing is known of the columns' types but what the driver gives: values are read as they come (`hub.sdk.stores.raw`)
and written back as they were. Of a row only what differs is written, and only if its number is still the one read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, column, func, inspect, select, table, update
from sqlalchemy import bindparam as bind
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.sql import Select, Update

from hub.errors import PlatformError
from hub.sdk.accounts import ELSEWHERE, Account, Binding, Effect, Readability
from hub.sdk.numbering import NumberForm
from hub.sdk.stores import raw

CHUNK = 1_000
"""Values in one IN list: well under what any database takes (SQLite: 32,766; Oracle: 1,000)."""

T = TypeVar("T")


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Values by as many as one IN list takes."""
    left = iter(values)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


class _Shape(NamedTuple):
    """Updates that are one statement: the columns they set, and whether the number was NULL."""

    columns: tuple[str, ...]
    no_number: bool


@dataclass(frozen=True)
class SqlTable:
    """How a platform keeps its accounts. Index the number column: every batch asks for its numbers by equality."""

    name: str
    form: NumberForm
    account_id: str = "account_id"
    number: str = "number"
    bound_at: str | None = "bound_at"
    """None: no age is known, so everything is frozen and nothing unbound."""

    schema: str | None = None
    frozen: str | None = None
    """The column that keeps an account from logging in; None: the table `<prefix>frozen`, for the login to consult."""

    frozen_value: object = 1
    unbound_value: object = None
    """What the number column holds without a number; NULL and the empty text always count as that."""

    also_clear: tuple[str, ...] = ()
    """Columns that go with the number, such as its encrypted form: NULL when unbound, put back with it."""

    bound_at_unit_ms: int = 1_000
    """Of ages that are numbers: 1,000 for seconds since 1970, 1 for milliseconds."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """Of ages that carry no zone."""

    scan_rows_max: int = 200_000
    """Rows whose numbers are read at the start; of a larger table the first and the last by account id."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column the adapter looks at."""
        named = (self.account_id, self.number, self.bound_at, self.frozen, *self.also_clear)
        return tuple(dict.fromkeys(name for name in named if name is not None))


class SqlAccounts:
    """The accounts of one table.

    Raises:
        PlatformError: the table or one of its columns is not there.
    """

    def __init__(self, engine: Engine, layout: SqlTable) -> None:
        self.layout = layout
        types = _column_types(engine, layout)
        missing = [name for name in layout.columns if name not in types]
        if missing:
            raise PlatformError(
                f"table {layout.name} has no column {', '.join(missing)}", todo="Correct the names in the settings."
            )
        self._whole_numbers = types[layout.number] is int
        self._table = table(layout.name, *(column(name) for name in layout.columns), schema=layout.schema)

    def written(self, numbers: Iterable[str]) -> dict[str, str]:
        """The number behind every string the numbers may be stored as."""
        return {text: number for number in sorted(numbers) for text in self.layout.form.written(number)}

    def bound_to(self, connection: Connection, texts: Collection[str]) -> list[dict[str, Any]]:
        """The rows bound to numbers written so, locked until the transaction ends."""
        values: Iterable[Any] = texts
        if self._whole_numbers:
            values = {int(text) for text in texts if text.isascii() and text.isdigit()}
        return self._rows(connection, self.layout.number, values)

    def with_ids(self, connection: Connection, ids: Iterable[Any]) -> list[dict[str, Any]]:
        """The rows with these ids, as the driver gave them, locked until the transaction ends."""
        return self._rows(connection, self.layout.account_id, ids)

    def _rows(self, connection: Connection, by: str, values: Iterable[Any]) -> list[dict[str, Any]]:
        query = select(self._table).with_for_update()
        found = (connection.execute(query.where(self._table.c[by].in_(chunk))).mappings() for chunk in chunks(values))
        return [dict(row) for row in chain.from_iterable(found)]

    def account(self, row: Mapping[str, Any], number_of: Mapping[str, str]) -> Account:
        """A row as an account."""
        layout = self.layout
        bound_at = None if layout.bound_at is None else row[layout.bound_at]
        return Account(
            account_id=str(row[layout.account_id]),
            number=None if self._is_unbound(row) else self.read(str(row[layout.number]), number_of),
            bound_at=raw.time_ms(bound_at, layout.bound_at_unit_ms, layout.zone),
            snapshot=raw.keep(dict(row)),
        )

    def read(self, text: str, number_of: Mapping[str, str]) -> str:
        """The number of a stored string, ELSEWHERE if it can be told neither from it nor from what was asked."""
        return self.layout.form.read(text) or number_of.get(text, ELSEWHERE)

    def id_of(self, snapshot: str) -> Any:
        """The account id in a snapshot, as the driver gave it."""
        return raw.restore(snapshot)[self.layout.account_id]

    def _is_unbound(self, row: Mapping[str, Any]) -> bool:
        return row[self.layout.number] in (None, "", self.layout.unbound_value)

    def apply(self, connection: Connection, effects: Iterable[Effect], rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Leave accounts as said.

        Args:
            rows: by account id, as they were read in this transaction.
        """
        alike: dict[_Shape, list[dict[str, Any]]] = {}
        for effect in effects:
            row = rows[effect.account_id]
            after = self._after(effect, row)
            shape = _Shape(
                columns=tuple(name for name in sorted(after) if after[name] != row[name]),
                no_number=row[self.layout.number] is None,
            )
            values = {f"new_{name}": after[name] for name in shape.columns}
            values |= {"the_id": row[self.layout.account_id], "the_number": row[self.layout.number]}
            alike.setdefault(shape, []).append(values)
        for shape, all_values in alike.items():
            if shape.columns:
                connection.execute(self._update(shape), all_values)

    def _update(self, shape: _Shape) -> Update:
        c = self._table.c
        number = c[self.layout.number]
        same_number = number.is_(None) if shape.no_number else number == bind("the_number")
        query = update(self._table).where(c[self.layout.account_id] == bind("the_id"), same_number)
        return query.values({c[name]: bind(f"new_{name}") for name in shape.columns})

    def _after(self, effect: Effect, row: Mapping[str, Any]) -> dict[str, Any]:
        """What the columns are to hold; those not named stay."""
        layout = self.layout
        before = raw.restore(effect.snapshot)
        after = {} if layout.frozen is None else {layout.frozen: before[layout.frozen]}
        if effect.binding is Binding.UNBOUND:
            return {layout.number: layout.unbound_value, **dict.fromkeys(layout.also_clear), **after}
        if effect.binding is Binding.FROZEN and layout.frozen is not None:
            after = {layout.frozen: layout.frozen_value}
        if effect.binding is not Binding.THAWED and self._is_unbound(row):
            after = before | after
        return after

    def readability(self, connection: Connection) -> Readability:
        """Read the bound numbers, of a large table those of its first and last accounts."""
        layout = self.layout
        number, key = self._table.c[layout.number], self._table.c[layout.account_id]
        bound = select(number).where(number.is_not(None))
        rows = connection.execute(select(func.count()).select_from(bound.subquery())).scalar_one()
        if rows <= layout.scan_rows_max:
            return self._count(connection, [bound])
        half = layout.scan_rows_max // 2
        return self._count(connection, [bound.order_by(key).limit(half), bound.order_by(key.desc()).limit(half)])

    def _count(self, connection: Connection, queries: Iterable[Select[Any]]) -> Readability:
        texts = self._texts(connection, queries)
        readable = [self.layout.form.readable(text) for text in texts]
        return Readability(len(readable), len(readable) - sum(readable))

    def _texts(self, connection: Connection, queries: Iterable[Select[Any]]) -> Iterator[str]:
        for query in queries:
            for (value,) in connection.execution_options(yield_per=CHUNK).execute(query):
                if not self._is_unbound({self.layout.number: value}):
                    yield str(value)


def _column_types(engine: Engine, layout: SqlTable) -> dict[str, type | None]:
    try:
        found = inspect(engine).get_columns(layout.name, schema=layout.schema)
    except NoSuchTableError as wrong:
        raise PlatformError(f"there is no table {layout.name}", todo="Correct the name in the settings.") from wrong
    return {one["name"]: _python_type(one["type"]) for one in found}


def _python_type(kind: Any) -> type | None:
    try:
        return kind.python_type  # type: ignore[no-any-return]
    except NotImplementedError:
        return None
