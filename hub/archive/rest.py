"""This module replaces what must not be readable at rest in rows that go into the tables, and puts it back afterwards.

For example, `number_key` holds +8613800138000 in an `EventRow`, and the digest of that number in the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql

from hub.archive.keys import Keyring
from hub.archive.rows import ROWS, TABLE_OF, CaseRow, MessageRow, Row
from hub.archive.tables import TABLES

_NUMBER_KEYS = {row: row._fields.index("number_key") for row in ROWS.values() if "number_key" in row._fields}
_SEALED = MessageRow._fields.index("sealed")
_NUMBER_SEALED = CaseRow._fields.index("number_sealed")
UNKNOWN = "?"
"""What stands in place of a number whose digest is not a digest of an expected number."""


def message_place(row: MessageRow) -> str:
    """Return the place that a message's bytes are sealed for."""
    return f"messages/{row.topic}/{row.part}/{row.log_offset}"


def number_place(row: Any) -> str:
    """Return the place that a case's number is sealed for."""
    return f"cases/{row.part}/{row.log_offset}/number"


def at_rest(keys: Keyring, row: Row) -> Sequence[Any]:
    """Return a row as its table holds it."""
    at = _NUMBER_KEYS.get(type(row))
    if isinstance(row, MessageRow):
        return (*row[:_SEALED], keys.seal(row.sealed, message_place(row)))
    if at is None or row[at] is None:
        return row
    found: list[Any] = list(row)
    found[at] = keys.digest(found[at])
    if isinstance(row, CaseRow):
        found[_NUMBER_SEALED] = keys.seal(row.number_sealed.encode(), number_place(row))
    return found


def out_of(keys: Keyring, kind: type[Row], values: Sequence[Any], numbers: Iterable[str] = ()) -> Row:
    """Return a row as it was before `at_rest`; its number is one of `numbers`, or `UNKNOWN`.

    Raises:
        HubError: a seal in the row does not open.
    """
    row: Any = kind._make(values)
    if isinstance(row, MessageRow):
        return row._replace(sealed=keys.unseal(row.sealed, message_place(row)))
    if isinstance(row, CaseRow):
        row = row._replace(number_sealed=keys.unseal(row.number_sealed, number_place(row)).decode())  # type: ignore[arg-type]
        numbers = (row.number_sealed,)
    if kind in _NUMBER_KEYS and row.number_key is not None:
        stored = bytes(row.number_key)
        row = row._replace(number_key=next((one for one in numbers if stored in keys.digests(one)), UNKNOWN))
    found: Row = row
    return found


def column_types(table: str) -> list[str]:
    """Return the types of a table's columns, as PostgreSQL names them."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return [str(column.type.compile(dialect=dialect)).lower() for column in TABLES[table].columns]


def by_table(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows by the table to which they belong."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(TABLE_OF[type(row)], []).append(row)
    return found
