"""The clock on the wall, as every program of the hub reads it."""

from __future__ import annotations

import time


def system_clock() -> int:
    """Now, UTC milliseconds."""
    return time.time_ns() // 1_000_000
