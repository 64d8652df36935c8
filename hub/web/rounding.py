"""This module rounds counts for outsiders down to tens, so that 27 is shown as 20, "at least twenty". It is pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K")


def ten(count: int) -> int:
    """Return a count rounded down to tens."""
    return count - count % 10


def tens(counts: Mapping[K, int]) -> dict[K, int]:
    """Return counts rounded down to tens; those under ten are left out."""
    return {name: ten(count) for name, count in counts.items() if count >= 10}
