"""This module keeps in memory what the fuses counted and held, and what persons decided.

For example, `MemoryFuses().sums()` is empty until a batch was saved in which a fuse held something.
"""

from __future__ import annotations

from collections.abc import Collection
from threading import RLock

from hub.core.model import Source
from hub.sdk.accounts import Changes
from hub.sdk.fuses import DECIDED, Decision, FuseKind, HeldCase, HeldState, HeldSum, SpentKey


class MemoryFuses:
    """This implements `hub.sdk.fuses.FuseBook`.

    Args:
        lock: that of the store, so that nobody decides in the midst of a batch.
    """

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._spent: dict[SpentKey, int] = {}
        self.held: dict[Source, HeldCase] = {}
        self._decisions: list[Decision] = []

    def decided(self, most: int) -> list[HeldCase]:
        """Return cases that a person decided about and the adapter has not carried out, at most `most`."""
        with self._lock:
            return [one for one in self.held.values() if one.state in DECIDED][:most]

    def sums(self) -> list[HeldSum]:
        """Return what is held, by operator, kind and state."""
        found: dict[tuple[str, FuseKind, HeldState], list[int]] = {}
        with self._lock:
            for one in self.held.values():
                found.setdefault((one.operator, one.kind, one.state), []).append(one.held_at)
        return [HeldSum(*key, len(times), min(times)) for key, times in sorted(found.items())]

    def decide(self, decision: Decision) -> int:
        """Decide about all that is held of an operator, and keep the decision; return how many cases that is."""
        with self._lock:
            mine = [
                one for one in self.held.values() if one.operator == decision.operator and one.state is HeldState.HELD
            ]
            if not mine:
                return 0
            self.held |= {one.case: one._replace(state=decision.state) for one in mine}
            if decision.state is HeldState.RELEASE:
                anew = {(decision.operator, one.kind) for one in mine}
                self._spent = {key: count for key, count in self._spent.items() if key[:2] not in anew}
            self._decisions.append(decision._replace(cases=len(mine)))
        return len(mine)

    def decisions(self) -> list[Decision]:
        """Return every decision, the oldest first."""
        return list(self._decisions)

    def spent(self, operators: Collection[str], since_hour: int) -> dict[SpentKey, int]:
        """Return the counts of operators from an hour on."""
        return {key: n for key, n in self._spent.items() if key.operator in operators and key.hour >= since_hour}

    def blown(self, operators: Collection[str]) -> frozenset[tuple[str, FuseKind]]:
        """Return the fuses of operators that hold something nobody decided about."""
        waiting = (one for one in self.held.values() if one.state is HeldState.HELD)
        return frozenset((one.operator, one.kind) for one in waiting if one.operator in operators)

    def save(self, changes: Changes) -> None:
        """Write what a batch changed."""
        self._spent |= changes.spent
        for case, held in changes.held.items():
            self.held.pop(case, None)
            if held is not None:
                self.held[case] = held
