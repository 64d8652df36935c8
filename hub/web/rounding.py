"""Counts as outsiders are told them: in tens, rounded down, so that "20" is "at least twenty". Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K")


def ten(count: int) -> int:
    """A count in tens."""
    return count - count % 10


def tens(counts: Mapping[K, int]) -> dict[K, int]:
    """Counts in tens; those under ten are left out."""
    return {name: ten(count) for name, count in counts.items() if count >= 10}
