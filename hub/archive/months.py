"""This module makes the tables' partitions, one for each month of record time.

They are made ahead for this month and the next, and whenever a message needs one: for example, a message of November
2026 needs `events_y2026m11`. No clock shows a time outside 2015 to 2100; a message with such a time goes to the table's
`_other` partition. So a table never has more than about a thousand partitions, whatever times are sent.
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
    """Return the months since year 0; None for a time outside `YEARS`."""
    if not _start(YEARS.start * MONTHS_A_YEAR) <= at_ms < _start(YEARS.stop * MONTHS_A_YEAR):
        return None
    at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    return at.year * MONTHS_A_YEAR + at.month - 1


def ahead(now_ms: int) -> set[int]:
    """Return this month and the next."""
    month = month_of(now_ms)
    return set() if month is None else {month, month + 1}


def _start(month: int) -> int:
    year, index = divmod(month, MONTHS_A_YEAR)
    return int(datetime(year, index + 1, 1, tzinfo=UTC).timestamp() * 1_000)


def partition_name(table: str, month: int) -> str:
    """Return the name of a table's partition, such as `events_y2026m11`."""
    year, index = divmod(month, MONTHS_A_YEAR)
    return f"{table}_y{year}m{index + 1:02d}"


def make(cursor: Any, months: Iterable[int]) -> None:
    """Make the partitions of these months that do not exist yet."""
    for month in sorted(months):
        for table in BY_MONTH:
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {partition_name(table, month)} PARTITION OF {table} "
                f"FOR VALUES FROM ({_start(month)}) TO ({_start(month + 1)})"
            )
