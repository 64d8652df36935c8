"""This module reads the database: one answer sees one state of it, and lists are read in pages.

For example, a page whose last row has record time 1700000000000 and position 7-120033 gives
`next` = `1700000000000-7-120033`, and that word is the `before` of the next page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, TextClause
from sqlalchemy.exc import OperationalError

from hub.archive.database import away
from hub.errors import HubError

PAGE_MAX = 1_000
READING = (
    "-cdefault_transaction_read_only=on "
    "-cdefault_transaction_isolation=repeatable\\ read "
    "-cstatement_timeout=10s -cjit=off -cplan_cache_mode=force_generic_plan"
)
"""Readers write nothing and see one state throughout an answer; the server ends a question after ten seconds. JIT
would compile for longer than these questions take. Over many months planning takes longer than the question itself, so
each question is planned once for each connection, and PostgreSQL leaves out months while the question runs."""
PREPARED_AT = 0
"""How often a question is asked on a connection before it is prepared."""

FIRST_PAGE = (2**63 - 1, 2**31 - 1, 2**63 - 1)


class Asking:
    """One read-only transaction, in which all questions of one answer see the same state."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Asking:
        try:
            self._connection: Connection = self._engine.connect()
            self._connection.begin()
        except OperationalError as wrong:
            raise away(wrong) from wrong
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._connection:  # this closes it in every case
            if kind is None:
                self._connection.commit()  # at a rollback psycopg forgets its prepared statements

    def all(self, query: TextClause, **values: Any) -> Sequence[Any]:
        """Return every row."""
        try:
            return self._connection.execute(query, values).all()
        except OperationalError as wrong:
            raise away(wrong) from wrong

    def one(self, query: TextClause, **values: Any) -> Any:
        """Return the first row, or None."""
        rows = self.all(query, **values)
        return rows[0] if rows else None


def page(before: str | None, limit: int) -> dict[str, int]:
    """Return the parameters of the query for a page.

    Raises:
        HubError: `before` is not a word that a page gave as its `next`.
    """
    words = FIRST_PAGE if before is None else tuple(int(one) for one in before.split("-") if one.isdecimal())
    if len(words) != len(FIRST_PAGE) or any(one > most for one, most in zip(words, FIRST_PAGE, strict=True)):
        raise HubError("`before` is no page of this list", todo="Take it from the `next` of the page before.")
    return {
        "at": words[0],
        "page_part": words[1],
        "page_offset": words[2],
        "most": min(max(limit, 1), PAGE_MAX),
    }


def next_page(rows: Sequence[Any], limit: int) -> str | None:
    """Return the `before` of the page after these rows; None if they are the last."""
    if len(rows) < min(max(limit, 1), PAGE_MAX):
        return None
    return f"{rows[-1].record_time}-{rows[-1].part}-{rows[-1].log_offset}"
