"""This module connects to the archive's database and migrates its schema to the newest revision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from hub.archive.tables import metadata
from hub.errors import HubError

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
DRIVER = "postgresql+psycopg"
CONNECT_S = 10
POOL = 8


def open_engine(
    dsn: str, schema: str, *, pool: int = POOL, options: str = "", prepared_at: int | None = None
) -> Engine:
    """Return an engine whose connections use the tables of one schema. It does not connect yet.

    `options` are more options of the server. `prepared_at` is how often a statement is sent before it is prepared; if
    it is None, psycopg's default holds.

    Raises:
        HubError: `dsn` is not the address of a PostgreSQL, or the schema's name is not allowed.
    """
    try:
        url = make_url(dsn)
    except ArgumentError:
        raise HubError("that is no address of a database", todo="postgresql://user@host/database") from None
    if url.get_backend_name() != "postgresql":
        raise HubError(f"the archive needs PostgreSQL, not {url.get_backend_name()}", todo="Give its address.")
    if not schema.isidentifier() or not schema.isascii() or schema != schema.lower():
        raise HubError("a schema is named by lower-case letters, digits and _", todo="Choose another --schema.")
    return create_engine(
        url.set(drivername=DRIVER),
        connect_args={"connect_timeout": CONNECT_S, "options": f"-csearch_path={schema} -ctimezone=UTC {options}"}
        | ({} if prepared_at is None else {"prepare_threshold": prepared_at}),
        pool_size=pool,
        max_overflow=0,
        pool_pre_ping=True,
    )


def migrate(engine: Engine, schema: str) -> str:
    """Make the schema if there is none, and bring it to the newest revision. Return that revision.

    Raises:
        HubError: no PostgreSQL answers, or the schema is of a newer version than this program.
    """
    script = ScriptDirectory(str(MIGRATIONS))
    head = script.get_current_head() or ""

    def upgrade(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs(head, revision)  # as Alembic's own commands do

    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
            # If two programs start at once, one migrates and the other finds it done.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), {"schema": f"migrate {schema}"})
            known = {one.revision for one in script.walk_revisions()}
            now = MigrationContext.configure(connection).get_current_revision()
            if now is not None and now not in known:
                raise HubError(f"schema {schema} is of a newer version ({now})", todo="Install that version.")
            with EnvironmentContext(Config(), script, fn=upgrade) as environment:
                environment.configure(connection=connection, target_metadata=metadata)
                environment.run_migrations()
    except OperationalError as wrong:
        raise away(wrong) from wrong
    return head


def away(wrong: OperationalError) -> HubError:
    """Return what to say when no PostgreSQL answers; it never holds the address, which may hold a password."""
    state = getattr(wrong.orig, "sqlstate", None)
    return HubError(
        f"PostgreSQL does not answer ({state or type(wrong.orig).__name__})",
        todo="Check --dsn, and that the server runs and takes this user.",
    )
