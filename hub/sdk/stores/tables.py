"""This module defines the adapter's own tables: what it heard, what each case touched, what is to be acknowledged."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine


def _large() -> TypeEngine[bytes]:
    """Return the type of bytes that may exceed 64 KiB, where MySQL's plain BLOB ends."""
    return LargeBinary().with_variant(mysql.MEDIUMBLOB, "mysql", "mariadb")


def _account_id() -> String:
    """Return the type of an account id; "a" and "A" are two accounts also where text compares without case."""
    exact = mysql.VARCHAR(191, charset="utf8mb4", collation="utf8mb4_bin")
    return String(191).with_variant(exact, "mysql", "mariadb")


def _operator() -> String:
    """Return the type of an operator's id, compared exactly."""
    return String(128).with_variant(mysql.VARCHAR(128, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


class Tables:
    """These are the tables of one adapter.

    Args:
        prefix: stands before each name; adapters that share a database need one each.
    """

    def __init__(self, prefix: str) -> None:
        self.metadata = MetaData()
        self._prefix = prefix
        self._make_heard()
        self._make_touched()
        self._make_said()
        self._make_fuses()

    def _table(self, name: str, *columns: Column[object]) -> Table:
        return Table(self._prefix + name, self.metadata, *columns)

    def _make_heard(self) -> None:
        self.progress = self._table(
            "progress",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("log_id", LargeBinary(16), nullable=False),
            Column("next_offset", BigInteger, nullable=False),
            Column("last_source", BigInteger, nullable=False),
        )
        self.stages = self._table(
            "stages",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("segment", BigInteger, primary_key=True, autoincrement=False),
            Column("packed", _large(), nullable=False),  # zlib of one byte for each position
        )

    def _make_touched(self) -> None:
        self.touched = self._table(
            "touched",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("opened_at", BigInteger, primary_key=True, autoincrement=False),
            Column("account_id", _account_id(), primary_key=True, index=True),
            Column("outcome", String(16), nullable=False),
            Column("held", String(16), nullable=False),
            Column("number", String(32), nullable=False),
            Column("bound_at", BigInteger),
            Column("snapshot", Text().with_variant(mysql.MEDIUMTEXT, "mysql", "mariadb"), nullable=False),
        )
        self.frozen = self._table("frozen", Column("account_id", _account_id(), primary_key=True))
        self.retries = self._table(
            "retries",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("opened_at", BigInteger, primary_key=True, autoincrement=False),
            Column("notice_at", BigInteger, nullable=False),  # the offset of the notice to be heard again
            Column("attempts", Integer, nullable=False),
            Column("due_at", BigInteger, nullable=False, index=True),  # UTC milliseconds
        )
        self.life_since = self._table(
            "life_since",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("opened_at", BigInteger, primary_key=True, autoincrement=False),
            Column("since", BigInteger, nullable=False),  # UTC milliseconds
        )
        self.asked = (
            self._table(  # what a platform's service was asked to do, until it is committed (`hub.sdk.stores.http`)
                "asked",
                Column("account_id", _account_id(), primary_key=True),
                Column("partition", Integer, primary_key=True, autoincrement=False),
                Column("opened_at", BigInteger, primary_key=True, autoincrement=False),
                Column("notice_at", BigInteger, nullable=False),
                Column("again", Integer, nullable=False),
                Column("number", String(32)),
                Column("bound_at", BigInteger),
                Column("snapshot", Text, nullable=False),
            )
        )

    def _make_said(self) -> None:
        self.waiting = self._table(
            "waiting",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("through", BigInteger, nullable=False),
            Column("digest", LargeBinary(32), nullable=False),
            Column("published_at", BigInteger, nullable=False),
        )
        self.said = self._table(
            "said",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("segment", BigInteger, primary_key=True, autoincrement=False),
            Column("outcome", String(16), primary_key=True),
            Column("bitmap", _large(), nullable=False),
        )

    def _make_fuses(self) -> None:
        self.fuse_spent = self._table(
            "fuse_spent",
            Column("operator", _operator(), primary_key=True),
            Column("kind", String(16), primary_key=True),
            Column("hour", BigInteger, primary_key=True, autoincrement=False),  # hours since 1970, by `published_at`
            Column("deeds", Integer, nullable=False),
        )
        self.fuse_held = self._table(
            "fuse_held",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("opened_at", BigInteger, primary_key=True, autoincrement=False),
            Column("operator", _operator(), nullable=False),
            Column("kind", String(16), nullable=False),
            Column("notice_at", BigInteger, nullable=False),  # the offset of the case's newest notice
            Column("held_at", BigInteger, nullable=False),  # UTC milliseconds of record time
            Column("state", String(16), nullable=False, index=True),
        )
        held = self.fuse_held.c  # whether a fuse is blown is asked with every batch, however many cases it holds
        Index(f"{self._prefix}fuse_held_whose", held.operator, held.kind, held.state)
        self.fuse_decisions = self._table(
            "fuse_decisions",
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("operator", _operator(), nullable=False),
            Column("state", String(16), nullable=False),
            Column("by", String(191), nullable=False),
            Column("reason", Text, nullable=False),
            Column("decided_at", BigInteger, nullable=False),  # UTC milliseconds
            Column("cases", Integer, nullable=False),
        )
