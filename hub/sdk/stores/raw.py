"""This module reads column values of any database driver as times, and keeps them as text, to put back unchanged.

For example, `keep({"bound_at": datetime(2026, 1, 31)})` is `{"bound_at": {"!datetime": "2026-01-31T00:00:00"}}`.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.core.model import PLAUSIBLE_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def keep(values: Any) -> str:
    """Return values of a row as JSON; a value for which JSON has no form carries its type's name."""
    return json.dumps(values, default=_tagged, ensure_ascii=False, sort_keys=True)


def restore(text: str) -> Any:
    """Return the values that `keep` was given."""
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
    """Return a column's value in UTC milliseconds, or None if it is empty, unreadable or outside `PLAUSIBLE_MS`.

    With None the age is unknown, and the account is frozen at most.

    Args:
        value: a datetime or date, ISO 8601 text, or a number (also as text) of `unit_ms` since 1970.
        unit_ms: 1 for milliseconds, 1,000 for seconds.
        zone: the zone of datetimes and texts that carry none.
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
    """Return a time (UTC milliseconds) if it is in `PLAUSIBLE_MS`, else None.

    A value outside is no age of a mobile number's binding: it stands for "unknown", or it was written in another unit.
    """
    return at_ms if at_ms in PLAUSIBLE_MS else None


def _of_text(text: str) -> datetime | Decimal | None:
    if text.isascii() and text.isdigit() and len(text) > len("20260131"):
        return Decimal(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
