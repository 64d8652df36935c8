"""This module converts times: files have ISO 8601 with a zone, the code has UTC milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class NoZone(ValueError):
    """The time has no zone, so it is not known which moment it means."""


def time_ms(text: str) -> int:
    """Return an ISO 8601 time in milliseconds since 1970 UTC; what is finer than a millisecond is cut off.

    Raises:
        NoZone: it has neither Z nor an offset.
        ValueError: it is no ISO 8601 time.
    """
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise NoZone("a time without a zone")
    return (read - EPOCH) // MILLISECOND


def iso_time(at_ms: int) -> str:
    """Return a time for people and files, such as 2026-01-31T08:00:00.000Z."""
    return (EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
