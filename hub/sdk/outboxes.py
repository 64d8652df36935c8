"""This module holds the values for what is committed and not yet acknowledged.

For example, `Outbox.waiting` has `{7: Waiting(120100, …)}` if partition 7 is handled through 120100.
"""

from __future__ import annotations

from typing import NamedTuple

from pyroaring import BitMap

from hub.core.model import Outcome, OutcomeReason


class Waiting(NamedTuple):
    """This is what one partition has to acknowledge: all up to an offset, with the greatest `published_at` of it."""

    through: int
    digest: bytes
    published_at: int

    def after(self, before: Waiting | None) -> Waiting:
        """Return the one of the two that reaches further, with the greater `published_at` of both."""
        if before is None:
            return self
        furthest = before if before.through > self.through else self
        return furthest._replace(published_at=max(self.published_at, before.published_at))


class SaidKey(NamedTuple):
    """This names one outcome, with its reason if it has one, in one segment of 65,536 positions of one partition."""

    partition: int
    segment: int
    outcome: Outcome
    reason: OutcomeReason | None = None


class Outbox(NamedTuple):
    """This is what is committed and not yet acknowledged.

    `waiting` is by partition; `said` holds positions within the segment, by key.
    """

    log_id: bytes | None
    waiting: dict[int, Waiting]
    said: dict[SaidKey, BitMap]
