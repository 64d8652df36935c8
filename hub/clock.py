"""The clock on the wall, as every program of the hub reads it."""

from __future__ import annotations

import time


def system_clock() -> int:
    """Now, UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Silence:
    """How long a finite job has waited for what is to come: the bound of its loop. What follows for ever has none."""

    def __init__(self, s_max: float) -> None:
        self.s_max = s_max
        self._since_s = time.monotonic()

    def end(self) -> None:
        """Something came."""
        self._since_s = time.monotonic()

    @property
    def is_too_long(self) -> bool:
        """Whether nothing came for longer than the bound."""
        return time.monotonic() - self._since_s > self.s_max
