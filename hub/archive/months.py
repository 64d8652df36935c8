"""Partitions by month of record time: made ahead for this month and the next, and whenever a message needs one.

Times outside 2015 to 2100 are nobody's clock; such a message goes to the table's `_other` partition. So there are
never more than a thousand partitions a table, whatever times are sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hub.archive.tables import BY_MONTH

YEARS = range(2015, 2101)
PARTITION = re.compile(r"_(y\d{4}m\d{2}|other)$")
MONTHS_A_YEAR = 12


def month_of(at_ms: int) -> int | None:
    """Months since year 0, None outside `YEARS`."""
    if not _start(YEARS.start * MONTHS_A_YEAR) <= at_ms < _start(YEARS.stop * MONTHS_A_YEAR):
        return None
    at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    return at.year * MONTHS_A_YEAR + at.month - 1


def ahead(now_ms: int) -> set[int]:
    """This month and the next."""
    month = month_of(now_ms)
    return set() if month is None else {month, month + 1}


def _start(month: int) -> int:
    year, index = divmod(month, MONTHS_A_YEAR)
    return int(datetime(year, index + 1, 1, tzinfo=UTC).timestamp() * 1_000)


def partition_name(table: str, month: int) -> str:
    """Such as `events_y2026m11`."""
    year, index = divmod(month, MONTHS_A_YEAR)
    return f"{table}_y{year}m{index + 1:02d}"


def make(cursor: Any, months: Iterable[int]) -> None:
    """Make the partitions of these months that are not there."""
    for month in sorted(months):
        for table in BY_MONTH:
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {partition_name(table, month)} PARTITION OF {table} "
                f"FOR VALUES FROM ({_start(month)}) TO ({_start(month + 1)})"
            )
