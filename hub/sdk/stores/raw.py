"""Column values as they come from any database driver: read as times, and kept as text to be put back unchanged."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
SANE_MS = range(631_152_000_000, 4_102_444_800_000)
"""1990 to 2100: what lies outside is no age of a mobile number's binding, but a value that stands for "unknown", or
read in another unit than it was written in."""


def keep(values: Any) -> str:
    """Return values of a row as JSON; what JSON has no form for carries its type's name."""
    return json.dumps(values, default=_tagged, ensure_ascii=False, sort_keys=True)


def restore(text: str) -> Any:
    """Return the values of `keep`."""
    return json.loads(text, object_hook=_untagged)


def _tagged(value: Any) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"!datetime": value.isoformat()}
    if isinstance(value, date):
        return {"!date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"!decimal": str(value)}
    if isinstance(value, UUID):
        return {"!uuid": str(value)}
    if isinstance(value, bytes | memoryview):
        return {"!bytes": base64.b64encode(bytes(value)).decode()}
    raise TypeError(f"a column of type {type(value).__name__} cannot be kept")


_READ: dict[str, Any] = {
    "!datetime": datetime.fromisoformat,
    "!date": date.fromisoformat,
    "!decimal": Decimal,
    "!uuid": UUID,
    "!bytes": base64.b64decode,
}


def _untagged(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        ((tag, text),) = found.items()
        if tag in _READ:
            return _READ[tag](text)
    return found


def time_ms(value: Any, unit_ms: int, zone: ZoneInfo) -> int | None:
    """Return UTC milliseconds of a column's value, or None if it has none, cannot be read or lies outside `SANE_MS`.

    Then its age is unknown, and the account is frozen at most.

    Args:
        value: a datetime or date, ISO 8601 text, or a number (also as text) of `unit_ms` since 1970.
        unit_ms: 1 for milliseconds, 1,000 for seconds.
        zone: of datetimes and texts that carry none.
    """
    if isinstance(value, str):
        value = _of_text(value.strip())
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float | Decimal):
        return sane(int(value * unit_ms)) if isfinite(value) else None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - gets its zone below
    if not isinstance(value, datetime):
        return None
    at = value if value.tzinfo is not None else value.replace(tzinfo=zone)
    return sane((at - EPOCH) // MILLISECOND)


def sane(at_ms: int) -> int | None:
    """Return a time, if it can be one."""
    return at_ms if at_ms in SANE_MS else None


def _of_text(text: str) -> datetime | Decimal | None:
    if text.isascii() and text.isdigit() and len(text) > len("20260131"):
        return Decimal(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
