"""This module reads, inserts, changes and deletes many rows at once in any database.

Every database knows IN lists and statements that run for many rows. PostgreSQL gets whole columns as arrays, with one
statement and one round trip for thousands of rows. For example, the rows of 3,000 numbers take three IN lists, and one
`= ANY` on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Column, Connection, TableClause, and_, bindparam, delete, insert, text, update
from sqlalchemy import Table as OwnTable
from sqlalchemy.sql import Select
from sqlalchemy.types import CHAR, NullType, String, TypeEngine

CHUNK = 1_000
"""One IN list has so many values; no database takes fewer (SQLite takes 32,766, Oracle 1,000)."""

ARRAY_CHUNK = 20_000
"""One array has so many values; this is some megabytes at most."""

T = TypeVar("T")
Row = dict[str, Any]


def chunks(values: Iterable[T], most: int = CHUNK) -> Iterator[list[T]]:
    """Yield values in parts, each with as many as one statement takes."""
    left = iter(values)
    while chunk := list(islice(left, most)):
        yield chunk


class Update(NamedTuple):
    """This describes a change: rows are found by `by`, `still` must be as given (NULL too), `sets` are written."""

    table: TableClause
    by: str
    still: str
    sets: tuple[str, ...]


class Bulk:
    """This is the way that every database knows. It serves one connection, for as long as its transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def rows(self, query: Select[Any], by: str, values: Iterable[Any], kind: TypeEngine[Any]) -> Iterator[Any]:
        """Yield the rows of a query whose column has one of the values.

        Args:
            by: the column's name.
            kind: the column's type, as the database gives it.
        """
        del kind
        for chunk in chunks(values):
            yield from self.connection.execute(query.where(_column(query, by).in_(chunk)))

    def put(self, table: OwnTable, rows: list[Row]) -> None:
        """Insert or overwrite rows by primary key."""
        if rows:
            self.connection.execute(_upsert(self.connection.dialect.name, table), rows)

    def delete(self, table: OwnTable, rows: list[Row], by: Sequence[str] = ()) -> None:
        """Delete rows by primary key, or by the columns named."""
        if rows:
            names = by or [key.name for key in table.primary_key]
            same = and_(*(table.c[name] == bindparam(f"the_{name}") for name in names))
            values = [{f"the_{name}": row[name] for name in names} for row in rows]
            self.connection.execute(delete(table).where(same), values)

    def update(self, shape: Update, kinds: Mapping[str, TypeEngine[Any]], rows: list[Row]) -> int:
        """Change rows; return how many matched.

        Args:
            rows: the values of `by`, `still` and `sets` as `key`, `was` and `to_<column>`.
        """
        del kinds
        c = shape.table.c
        query = update(shape.table).where(c[shape.by] == bindparam("key"))
        query = query.values({c[name]: bindparam(f"to_{name}") for name in shape.sets})
        nulls = [{name: value for name, value in row.items() if name != "was"} for row in rows if row["was"] is None]
        others = [row for row in rows if row["was"] is not None]
        return self._changed(query.where(c[shape.still].is_(None)), nulls) + self._changed(
            query.where(c[shape.still] == bindparam("was")), others
        )

    def _changed(self, query: Any, rows: list[Row]) -> int:
        if rows and self.connection.dialect.supports_sane_multi_rowcount:
            return self.connection.execute(query, rows).rowcount
        return sum(self.connection.execute(query, row).rowcount for row in rows)


class PostgresBulk(Bulk):
    """This is the way of PostgreSQL: whole columns as arrays."""

    def rows(self, query: Select[Any], by: str, values: Iterable[Any], kind: TypeEngine[Any]) -> Iterator[Any]:
        """Do as `Bulk.rows` does, with one array and `= ANY`, which uses the column's index."""
        name = self._array_type(kind)
        if name is None:
            yield from super().rows(query, by, values, kind)
            return
        asked = query.where(text(f"{self._quoted(by)} = ANY(CAST(:wanted AS {name}))"))
        for chunk in chunks(values, ARRAY_CHUNK):
            yield from self.connection.execute(asked, {"wanted": chunk})

    def put(self, table: OwnTable, rows: list[Row]) -> None:
        """Do as `Bulk.put` does, with one statement."""
        names = [one.name for one in table.columns]
        keys = ", ".join(self._quoted(one.name) for one in table.primary_key)
        rest = [one for one in names if one not in table.primary_key]
        doing = ", ".join(f"{self._quoted(one)} = EXCLUDED.{self._quoted(one)}" for one in rest)
        conflict = f"DO UPDATE SET {doing}" if rest else "DO NOTHING"
        into = f"INSERT INTO {self._name(table)} ({', '.join(map(self._quoted, names))})"
        arrays = self._arrays({name: table.columns[name].type for name in names})
        self._execute(f"{into} SELECT * FROM {arrays} ON CONFLICT ({keys}) {conflict}", names, rows)

    def delete(self, table: OwnTable, rows: list[Row], by: Sequence[str] = ()) -> None:
        """Do as `Bulk.delete` does, with one statement."""
        names = list(by) or [key.name for key in table.primary_key]
        arrays = self._arrays({name: table.columns[name].type for name in names})
        mine, theirs = (", ".join(f"{one}.{self._quoted(name)}" for name in names) for one in ("mine", "theirs"))
        listed = f"{arrays} AS theirs({', '.join(map(self._quoted, names))})"
        self._execute(
            f"DELETE FROM {self._name(table)} AS mine USING {listed} WHERE ({mine}) = ({theirs})", names, rows
        )

    def update(self, shape: Update, kinds: Mapping[str, TypeEngine[Any]], rows: list[Row]) -> int:
        """Do as `Bulk.update` does, with one statement, unless the array of a column's type is unknown."""
        wanted = {"key": kinds[shape.by], "was": kinds[shape.still]}
        wanted |= {f"to_{name}": kinds[name] for name in shape.sets}
        if any(self._array_type(kind) is None for kind in wanted.values()):
            return super().update(shape, kinds, rows)
        sets = ", ".join(f"{self._quoted(name)} = theirs.{self._quoted(f'to_{name}')}" for name in shape.sets)
        listed = f"{self._arrays(wanted)} AS theirs({', '.join(map(self._quoted, wanted))})"
        by, still = self._quoted(shape.by), self._quoted(shape.still)
        same = f"mine.{by} = theirs.key AND mine.{still} IS NOT DISTINCT FROM theirs.was"
        changing = f"UPDATE {self._name(shape.table)} AS mine SET {sets} FROM {listed} WHERE {same}"
        return self._execute(changing, wanted, rows)

    def _execute(self, statement: str, names: Iterable[str], rows: list[Row]) -> int:
        """Run a statement over rows; their columns are the arrays `:p0`, `:p1`, … in the order of the names.

        Returns:
            How many rows it affected.
        """
        count = 0
        for chunk in chunks(rows, ARRAY_CHUNK):
            columns = {f"p{place}": [row[name] for row in chunk] for place, name in enumerate(names)}
            count += self.connection.execute(text(statement), columns).rowcount
        return count

    def _arrays(self, kinds: Mapping[str, TypeEngine[Any]]) -> str:
        listed = (f"CAST(:p{place} AS {self._array_type(kind)})" for place, kind in enumerate(kinds.values()))
        return f"unnest({', '.join(listed)})"

    def _array_type(self, kind: TypeEngine[Any]) -> str | None:
        """Return PostgreSQL's name of an array of a type, None if unknown. It has no length, which would cut values."""
        if isinstance(kind, CHAR):
            return "bpchar[]"
        if isinstance(kind, String) and type(kind).__name__ in {"String", "VARCHAR", "TEXT", "Text"}:
            return "text[]"
        if isinstance(kind, NullType) or type(kind).__name__ in {"ARRAY", "JSON", "JSONB", "DOMAIN"}:
            return None
        return f"{kind.compile(dialect=self.connection.dialect)}[]"

    def _quoted(self, name: str) -> str:
        return self.connection.dialect.identifier_preparer.quote(name)

    def _name(self, table: TableClause) -> str:
        return self.connection.dialect.identifier_preparer.format_table(table)


def bulk_for(connection: Connection) -> Bulk:
    """Return the way for the connection's database."""
    postgres = connection.dialect.name == "postgresql" and connection.dialect.driver == "psycopg"
    return PostgresBulk(connection) if postgres else Bulk(connection)


def _column(query: Select[Any], name: str) -> Column[Any]:
    found: Any = query.selected_columns[name]
    return found  # type: ignore[no-any-return]


def _upsert(dialect: str, table: OwnTable) -> Any:
    names = [one.name for one in table.columns if one.name not in table.primary_key]
    if dialect in {"mysql", "mariadb"}:
        from sqlalchemy.dialects.mysql import insert as mysql_insert

        query = mysql_insert(table)
        keep = names or [key.name for key in table.primary_key]
        return query.on_duplicate_key_update({name: query.inserted[name] for name in keep})
    if dialect in {"sqlite", "postgresql"}:
        from sqlalchemy.dialects import postgresql, sqlite

        other = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
        keys = list(table.primary_key)
        if not names:
            return other.on_conflict_do_nothing(index_elements=keys)
        return other.on_conflict_do_update(index_elements=keys, set_={name: other.excluded[name] for name in names})
    return insert(table)
