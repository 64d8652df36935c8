"""This module sorts a database's errors: it is away, it refuses these rows, or it was asked wrongly.

Only the kind of error and its code are passed on, because messages quote rows, and rows hold numbers. For example, a
lost connection becomes `StoreAway`, and a violated constraint becomes `Refused` inside `refusals`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from hub.errors import PlatformError, StoreAway

log = logging.getLogger(__name__)

REFUSED_BY_MYSQL = {1644, 3819, 4025}
"""MySQL gives these codes for a trigger (SIGNAL) or a CHECK; PyMySQL has no class of its own for them."""


STATEMENT_CHARS = 300
"""The log shows so many characters of a statement, which holds places for values, not the values."""


class Refused(Exception):
    """The database's own rules forbid this change."""


@contextmanager
def told() -> Iterator[None]:
    """Raise a database's errors as the hub's own.

    Raises:
        StoreAway: the database is away, or others hold the rows; this may be tried again.
        PlatformError: the database does not understand or allow what is asked.
    """
    try:
        yield
    except DBAPIError as wrong:
        kind = _kind(wrong)
        log.error("%s at: %s", kind, (wrong.statement or "")[:STATEMENT_CHARS])
        away = isinstance(wrong, OperationalError | InterfaceError) or wrong.connection_invalidated
        if away and not _is_refusal(wrong):
            raise StoreAway(
                f"the database does not do its part: {kind}",
                todo="Check its address, that it runs and that nobody holds locks; nothing is lost, start again.",
            ) from None
        raise PlatformError(
            f"the database refuses what the adapter asks: {kind}",
            todo="Check the adapter's rights, and the columns in the settings against the table.",
        ) from None


@contextmanager
def refusals() -> Iterator[None]:
    """Distinguish a change that the database's rules forbid from a database that is away.

    Raises:
        Refused: the database forbids the change.
    """
    try:
        yield
    except DBAPIError as wrong:
        if not _is_refusal(wrong):
            raise
        raise Refused(_kind(wrong)) from None


def _is_refusal(wrong: DBAPIError) -> bool:
    if wrong.connection_invalidated:
        return False
    if isinstance(wrong, OperationalError):
        arguments: tuple[object, ...] = getattr(wrong.orig, "args", ())
        return bool(arguments) and arguments[0] in REFUSED_BY_MYSQL
    return isinstance(wrong, IntegrityError | DataError | InternalError | ProgrammingError | NotSupportedError)


def _kind(wrong: DBAPIError) -> str:
    """Return the driver's name for the error, and its code."""
    arguments: tuple[object, ...] = getattr(wrong.orig, "args", ())
    code = getattr(wrong.orig, "sqlstate", None) or (arguments[0] if arguments else None)
    said = f" {code}" if isinstance(code, int) or (isinstance(code, str) and len(code) == 5) else ""
    return f"{type(wrong.orig).__name__}{said}"
