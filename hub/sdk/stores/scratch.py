"""This module holds what a dry run remembers, in a temporary SQLite database on the disk, gone with the process.

It takes no more memory than SQLite's page cache, for a log of any length and any number of accounts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from hub.core.model import Outcome, Source, Stage
from hub.sdk.accounts import Account, Changes, Held, Touch
from hub.sdk.last_cases import LastCase

TABLES = """
CREATE TABLE accounts (account_id TEXT PRIMARY KEY, number TEXT, bound_at INTEGER, snapshot TEXT) WITHOUT ROWID;
CREATE INDEX accounts_number ON accounts (number);
CREATE TABLE touches (partition INTEGER, opened_at INTEGER, account_id TEXT, outcome TEXT, held TEXT, number TEXT,
    bound_at INTEGER, snapshot TEXT, PRIMARY KEY (partition, opened_at, account_id)) WITHOUT ROWID;
CREATE INDEX touches_account ON touches (account_id);
CREATE TABLE last_cases (number TEXT PRIMARY KEY, partition INTEGER, opened_at INTEGER, stage TEXT,
    bound_before INTEGER, free_until INTEGER, earlier_before INTEGER, earlier_until INTEGER) WITHOUT ROWID;
CREATE TABLE stages (partition INTEGER, segment INTEGER, packed BLOB, PRIMARY KEY (partition, segment));
CREATE TABLE life (partition INTEGER, opened_at INTEGER, since INTEGER,
    PRIMARY KEY (partition, opened_at)) WITHOUT ROWID;
CREATE TABLE done (partition INTEGER, opened_at INTEGER, PRIMARY KEY (partition, opened_at)) WITHOUT ROWID;
"""


class Scratch:
    """This is the database of one dry run."""

    def __init__(self) -> None:
        # With an empty name SQLite makes a file of its own, deleted when it is closed. Only one thread uses it at a
        # time.
        self._connection = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._connection.executescript(TABLES)

    def accounts(self, names: Collection[str], numbers: Collection[str]) -> dict[str, Account]:
        """Return the accounts with these ids, or bound to these numbers."""
        rows = [
            *self._each("SELECT * FROM accounts WHERE account_id = ?", ((one,) for one in names)),
            *self._each("SELECT * FROM accounts WHERE number = ?", ((one,) for one in numbers)),
        ]
        return {row[0]: Account(*row) for row in rows}

    def touches(self, cases: Collection[Source], names: Collection[str]) -> dict[tuple[Source, str], Touch]:
        """Return the touches of these cases, or of these accounts."""
        rows = [
            *self._each("SELECT * FROM touches WHERE partition = ? AND opened_at = ?", cases),
            *self._each("SELECT * FROM touches WHERE account_id = ?", ((one,) for one in names)),
        ]
        found = (Touch(Source(*row[:2]), row[2], Outcome(row[3]), Held(row[4]), row[5], row[6], row[7]) for row in rows)
        return {(one.case, one.account_id): one for one in found}

    def last_cases(self, numbers: Collection[str]) -> dict[str, LastCase]:
        """Return the last cases of these numbers."""
        rows = self._each("SELECT * FROM last_cases WHERE number = ?", ((one,) for one in numbers))
        return {row[0]: LastCase(Source(*row[1:3]), Stage(row[3]), *row[4:]) for row in rows}

    def stages(self, segments: Collection[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """Return the stages of these segments."""
        rows = self._each("SELECT * FROM stages WHERE partition = ? AND segment = ?", segments)
        return {(row[0], row[1]): row[2] for row in rows}

    def done_with(self, cases: Collection[Source]) -> set[Source]:
        """Return those of these cases that hold nothing any more."""
        rows = self._each("SELECT * FROM done WHERE partition = ? AND opened_at = ?", cases)
        return {Source(*row) for row in rows}

    def life_since(self, cases: Collection[Source]) -> dict[Source, int]:
        """Return from when on proofs speak against these cases, where that is known."""
        rows = self._each("SELECT * FROM life WHERE partition = ? AND opened_at = ?", cases)
        return {Source(*row[:2]): row[2] for row in rows}

    def keep(self, changes: Changes, left: Collection[Account], thawed: Collection[str]) -> None:
        """Remember what would have been written: records, the accounts as they would be left, and those put back."""
        self._connection.execute("BEGIN")
        self._put("accounts", (one[:4] for one in left))  # what is acted on is not AMBIGUOUS
        self._connection.executemany("DELETE FROM accounts WHERE account_id = ?", ((one,) for one in thawed))
        self._put("touches", ((*one.case, *one[1:]) for one in changes.touches.values()))
        self._put("last_cases", ((number, *one.case, *one[1:]) for number, one in changes.last_cases.items()))
        self._put("stages", ((*key, packed) for key, packed in changes.stages.items()))
        self._put("life", ((*case, since) for case, since in changes.life_since.items()))
        self._put("done", changes.done_with)
        self._connection.execute("COMMIT")

    def _put(self, table: str, rows: Any) -> None:
        width = {"accounts": 4, "touches": 8, "last_cases": 8, "stages": 3, "life": 3, "done": 2}[table]
        marks = ", ".join("?" * width)
        self._connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)

    def _each(self, query: str, values: Any) -> Iterator[Any]:
        for one in values:
            yield from self._connection.execute(query, one)
