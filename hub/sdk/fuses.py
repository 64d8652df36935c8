"""This module holds the values of an adapter's fuses: what was counted, what they held, and what a person decided.

A fuse is a limit on what one operator's notices may have done in any 24 hours of record time. There is one for
unbinding and one for putting numbers back. What would go beyond it is held until a person lets it through or gives it
up. Other operators' notices are not concerned.

For example, the operator `north` has a case released that would be its 1,001st unbinding: the case's accounts are
frozen, and `HeldCase(7-120033, "north", FuseKind.UNBIND, …)` waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from hub.core.model import Source


class FuseKind(StrEnum):
    """This is what a fuse counts."""

    UNBIND = "UNBIND"
    PUT_BACK = "PUT_BACK"
    """A number that a case had taken is put on its account again."""


class HeldState(StrEnum):
    """This is what became of a case that a fuse held."""

    HELD = "HELD"
    """No person has decided. While an operator has such cases, its fuse is blown."""

    RELEASE = "RELEASE"
    """A person lets it through; the adapter does it, and forgets that it was held."""

    GIVE_UP = "GIVE_UP"
    """A person gives it up; the adapter has not undone yet what the fuse left."""

    GIVEN_UP = "GIVEN_UP"
    """It was given up: the case's later notices do nothing here either."""


DECIDED = frozenset({HeldState.RELEASE, HeldState.GIVE_UP})
"""In these states it is the adapter's turn."""


class SpentKey(NamedTuple):
    """This names one count: of one operator, in one hour (since 1970, of record time)."""

    operator: str
    kind: FuseKind
    hour: int


class HeldCase(NamedTuple):
    """This is a case that a fuse held. `position` is its newest notice, `held_at` that one's record time (UTC ms)."""

    case: Source
    operator: str
    kind: FuseKind
    position: Source
    held_at: int
    state: HeldState = HeldState.HELD


class Decision(NamedTuple):
    """This is a person's decision about all that is held of an operator; `cases` is how many there were."""

    operator: str
    state: HeldState
    by: str
    reason: str
    decided_at: int
    cases: int = 0


class HeldSum(NamedTuple):
    """This is how many cases of an operator are in one state, and the oldest `held_at` of them (UTC ms)."""

    operator: str
    kind: FuseKind
    state: HeldState
    cases: int
    since: int


class FuseBook(Protocol):
    """This is the part of a store that keeps what fuses held. Another process may decide while an adapter runs."""

    def decided(self, most: int) -> list[HeldCase]:
        """Return cases that a person decided about and the adapter has not carried out, at most `most`."""
        ...

    def sums(self) -> list[HeldSum]:
        """Return what is held, by operator, kind and state."""
        ...

    def decide(self, decision: Decision) -> int:
        """Decide about all that is held of an operator; return how many cases that is. If there are any, it is kept.

        A release also begins the operator's counts anew: a person has looked, and the next notice must not blow the
        fuse again.
        """
        ...

    def decisions(self) -> list[Decision]:
        """Return every decision, the oldest first."""
        ...


def blown(sums: list[HeldSum]) -> dict[str, int]:
    """Return the operators whose fuse is blown, each with how many cases wait for a person."""
    found: dict[str, int] = {}
    for one in sums:
        if one.state is HeldState.HELD:
            found[one.operator] = found.get(one.operator, 0) + one.cases
    return found


NOTHING_SPENT: Mapping[SpentKey, int] = {}
