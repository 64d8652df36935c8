"""What a database says when it does not do as told: it is away, it refuses these rows, or it was asked wrongly.

Nothing of its words is passed on but the kind of fault and its code: they quote rows, and rows hold numbers.
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
"""Raised by a trigger (SIGNAL), or against a CHECK: PyMySQL has no class of its own for them."""


STATEMENT_CHARS = 300
"""Of a statement, for the log; it holds places for values, not the values."""


class Refused(Exception):
    """The database's own rules forbid this change."""


@contextmanager
def told() -> Iterator[None]:
    """Say a database's faults in the hub's words.

    Raises:
        StoreAway: it is away, or others are at the rows; to be tried again.
        PlatformError: it does not understand or allow what is asked.
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
    """Tell a change that the database's rules forbid from a database that is not there.

    Raises:
        Refused: it forbids the change.
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
    """Return the driver's name for the fault and its code."""
    arguments: tuple[object, ...] = getattr(wrong.orig, "args", ())
    code = getattr(wrong.orig, "sqlstate", None) or (arguments[0] if arguments else None)
    said = f" {code}" if isinstance(code, int) or (isinstance(code, str) and len(code) == 5) else ""
    return f"{type(wrong.orig).__name__}{said}"
