"""The adapter's own tables beside a platform's: what it heard, what each case touched, what is to be acknowledged."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text


class Tables:
    """The tables of one adapter.

    Args:
        prefix: before each name; adapters that share a database need one each.
    """

    def __init__(self, prefix: str) -> None:
        self.metadata = MetaData()

        def table(name: str, *columns: Column[object]) -> Table:
            return Table(prefix + name, self.metadata, *columns)

        self.progress = table(
            "progress",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("log_id", LargeBinary(16), nullable=False),
            Column("next_offset", BigInteger, nullable=False),
            Column("last_source", BigInteger, nullable=False),
        )
        self.stages = table(
            "stages",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("segment", BigInteger, primary_key=True, autoincrement=False),
            Column("packed", LargeBinary, nullable=False),  # zlib of one byte a position
        )
        self.touched = table(
            "touched",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("opened_at", BigInteger, primary_key=True, autoincrement=False),
            Column("account_id", String(191), primary_key=True, index=True),
            Column("outcome", String(16), nullable=False),
            Column("held", String(16), nullable=False),
            Column("number", String(32), nullable=False),
            Column("bound_at", BigInteger),
            Column("snapshot", Text, nullable=False),
        )
        self.frozen = table("frozen", Column("account_id", String(191), primary_key=True))
        self.unbinds = table(
            "unbinds",
            Column("hour", BigInteger, primary_key=True, autoincrement=False),  # since 1970, by `published_at`
            Column("unbinds", Integer, nullable=False),
        )
        self.waiting = table(
            "waiting",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("through", BigInteger, nullable=False),
            Column("digest", LargeBinary(32), nullable=False),
            Column("published_at", BigInteger, nullable=False),
        )
        self.said = table(
            "said",
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("segment", BigInteger, primary_key=True, autoincrement=False),
            Column("outcome", String(16), primary_key=True),
            Column("bitmap", LargeBinary, nullable=False),
        )
