"""This module decides what the fuses let one batch do. It is pure; `hub.sdk.fuses` has the values.

For example, with a limit of 1,000 and 1,000 unbindings of `north` within 24 hours, `lets` is False for its next notice
that would unbind, and True for those of `south`.

Rules:
1. A fuse counts by the notice's operator, over any 24 hours of record time, apart for each kind.
2. It is checked for a whole notice: either all it asks for is done, or nothing.
3. Once it has held a case of an operator, it holds all that this operator asks for, until a person has decided, or the
   operator itself has taken back what was held.
4. A case that a person let through is not counted. A case that a person gave up is left alone by its later notices.
"""

from __future__ import annotations

from hub.core.model import DAY_MS, HOUR_MS, ReleaseNotice, Source
from hub.sdk.accounts import Known
from hub.sdk.fuses import DECIDED, FuseKind, HeldCase, HeldState, SpentKey

FUSE_HOURS = DAY_MS // HOUR_MS


class Fuse:
    """This holds the counts and the held cases of one batch, and changes both notice by notice.

    Args:
        limits: how much each kind may have in 24 hours; a kind that is not there is not limited.
    """

    def __init__(self, known: Known, limits: dict[FuseKind, int]) -> None:
        self.changed: dict[Source, HeldCase | None] = {}
        self._limits = limits
        self._spent: dict[tuple[str, FuseKind], dict[int, int]] = {}
        self._counted: set[SpentKey] = set()
        for key, count in known.spent.items():
            self._spent.setdefault(key[:2], {})[key.hour] = count
        self._held = dict(known.held)
        self._blown = set(known.blown)

    def spent(self) -> dict[SpentKey, int]:
        """Return the counts that changed."""
        return {key: self._spent[key[:2]][key.hour] for key in self._counted}

    def in_day(self, notice: ReleaseNotice, kind: FuseKind) -> int:
        """Return what counts towards a fuse of the notice's operator at the time of the notice."""
        since, mine = hour_of(notice) - FUSE_HOURS, self._spent.get((notice.operator, kind), {})
        return sum(count for hour, count in mine.items() if hour > since)

    def lets(self, case: Source, notice: ReleaseNotice, kind: FuseKind, asked: int) -> bool:
        """Return whether a notice may do what it asks for at so many accounts."""
        if not asked or kind not in self._limits or self.state_of(case, kind) is HeldState.RELEASE:
            return True
        if (notice.operator, kind) in self._blown:
            return False
        return self.in_day(notice, kind) + asked <= self._limits[kind]

    def count(self, case: Source, notice: ReleaseNotice, kind: FuseKind) -> None:
        """Count what was done to one account."""
        if self.state_of(case, kind) is not HeldState.RELEASE:
            key = SpentKey(notice.operator, kind, hour_of(notice))
            mine = self._spent.setdefault(key[:2], {})
            mine[key.hour] = mine.get(key.hour, 0) + 1
            self._counted.add(key)

    def state_of(self, case: Source, kind: FuseKind) -> HeldState | None:
        """Return what became of a case that this kind of fuse held, or None if it holds none."""
        held = self._held.get(case)
        return None if held is None or held.kind is not kind else held.state

    def is_decided(self, case: Source, position: Source) -> bool:
        """Return whether a person decided about a case whose newest notice is at this position."""
        held = self._held.get(case)
        return held is not None and held.position == position and held.state in DECIDED

    def hold(self, case: Source, position: Source, notice: ReleaseNotice, kind: FuseKind) -> None:
        """Hold a case for a person."""
        self._blown.add((notice.operator, kind))
        held = self._held.get(case)
        if held is not None and held.kind is kind:
            position = max(position, held.position)  # a report has an old notice looked at again
        self._put(case, HeldCase(case, notice.operator, kind, position, notice.published_at))

    def give_up(self, case: Source, position: Source) -> None:
        """Note that what a person gave up was left alone."""
        self._put(case, self._held[case]._replace(state=HeldState.GIVEN_UP, position=position))

    def let_go(self, case: Source) -> None:
        """Forget that a case was held."""
        if case in self._held:
            self._put(case, None)

    def _put(self, case: Source, held: HeldCase | None) -> None:
        self.changed[case] = held
        if held is None:
            del self._held[case]
        else:
            self._held[case] = held


def hour_of(notice: ReleaseNotice) -> int:
    """Return the hour in which a notice was published, in hours since 1970; the fuses count by it."""
    return notice.published_at // HOUR_MS
