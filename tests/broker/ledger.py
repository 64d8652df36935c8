"""What coverage must be, worked out apart from the hub: plain sets, one pair at a time, slow and obvious."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyroaring import BitMap

from hub.core.model import SEGMENT, Coverage, GapClass, Judged, Outcome, PlatformState, Received, Record, Source, Tile
from hub.wire.contracts import decode

Said = dict[tuple[str, int, Outcome], set[int]]
FIRST_SHOWN = (Outcome.UNBOUND, Outcome.FROZEN, Outcome.DECLINED, Outcome.NOT_BOUND, Outcome.FAILED)
CONTRADICTS_NOT_BOUND = (Outcome.UNBOUND, Outcome.FROZEN, Outcome.DECLINED)
GAP_SHOWN = {
    Outcome.FROZEN: GapClass.FROZEN,
    Outcome.DECLINED: GapClass.DECLINED,
    Outcome.FAILED: GapClass.FAILED,
}


@dataclass
class Ledger:
    """Everything that platforms said and that must count.

    `cases`: every opened case, and whether it was undone. Cases are younger than any deadline and not released.
    """

    cases: dict[Source, bool]
    said: Said = field(default_factory=lambda: defaultdict(set))
    received: dict[tuple[str, int], int] = field(default_factory=dict)

    def note(self, platform: str, partition: int, through: int, said: Mapping[Outcome, Iterable[int]]) -> None:
        """Write down one acknowledgement."""
        for outcome, offsets in said.items():
            self.said[platform, partition, outcome] |= set(offsets)
        self.received[platform, partition] = max(through, self.received.get((platform, partition), -1))

    def figures(self, platform: str, state: PlatformState = PlatformState.CONNECTED) -> dict[str, Any]:
        """One platform's figures."""
        outcomes: Counter[Outcome] = Counter()
        gaps: Counter[GapClass] = Counter()
        counts: Counter[str] = Counter()
        for case, undone in self.cases.items():
            heard = {one for one in Outcome if case.offset in self.said.get((platform, case.partition, one), ())}
            shown = _shown(heard, undone)
            if shown is not None:
                outcomes[shown] += 1
            disputed = Outcome.NOT_BOUND in heard and not heard.isdisjoint(CONTRADICTS_NOT_BOUND)
            counts["disputes"] += disputed
            if undone:
                touched = not heard.isdisjoint((Outcome.FROZEN, Outcome.UNBOUND))
                counts["restore_pending"] += touched and Outcome.REINSTATED not in heard
                continue
            counts["in_force"] += 1
            gap = self._gap(platform, case, shown, disputed=disputed, state=state)
            counts["resolved"] += gap is None
            if gap is not None:
                gaps[gap] += 1
        return {
            **{name: counts[name] for name in ("in_force", "resolved", "restore_pending", "disputes")},
            "outcomes": dict(outcomes),
            "gaps": dict(gaps),
            "received": {partition: through for (one, partition), through in self.received.items() if one == platform},
        }

    def _gap(
        self, platform: str, case: Source, shown: Outcome | None, *, disputed: bool, state: PlatformState
    ) -> GapClass | None:
        if shown is Outcome.UNBOUND or (shown is Outcome.NOT_BOUND and not disputed):
            return None
        if disputed:
            return GapClass.DISPUTED
        if shown is not None:
            return GAP_SHOWN[shown]
        if state is not PlatformState.CONNECTED:
            return GapClass.NOT_CONNECTED
        reached = self.received.get((platform, case.partition), -1) >= case.offset
        return GapClass.NO_OUTCOME if reached else GapClass.NOT_RECEIVED


def _shown(heard: set[Outcome], undone: bool) -> Outcome | None:
    if undone and Outcome.REINSTATED in heard:
        return Outcome.REINSTATED
    return next((one for one in FIRST_SHOWN if one in heard), None)


def shown_figures(coverage: Coverage) -> dict[str, Any]:
    """The same figures out of the hub's record."""
    return {
        "in_force": coverage.in_force,
        "resolved": coverage.resolved,
        "restore_pending": coverage.restore_pending,
        "disputes": coverage.disputes,
        "outcomes": {one.outcome: one.pairs for one in coverage.outcomes},
        "gaps": {one.gap: one.pairs for one in coverage.gaps},
        "received": {one.partition: one.through for one in coverage.received},
    }


def stored(tiles: Iterable[Record]) -> Ledger:
    """What the durable copy says: the newest record of each key of `tiles`, all epochs together."""
    newest = {record.key: record.value for record in tiles}
    found = Ledger({})
    for value in newest.values():
        if value is None:
            continue
        one: Tile | Received | Judged = decode(value, Tile, Received, Judged)
        if isinstance(one, Received):
            found.note(one.platform, one.partition, one.through, {})
        if isinstance(one, Tile):
            for said in one.said:
                offsets = {one.segment * SEGMENT + bit for bit in BitMap.deserialize(said.bitmap)}
                found.said[one.platform, one.partition, said.outcome] |= offsets
    return found


def differences(expected: Ledger, coverages: Iterable[Coverage], tiles: Iterable[Record]) -> list[str]:
    """Where the hub's figures and its durable copy are not what they must be; empty if nowhere."""
    found = []
    for coverage in coverages:
        want, have = expected.figures(coverage.platform, coverage.state), shown_figures(coverage)
        found += [
            f"{coverage.platform}.{name}: {have[name]}, not {want[name]}" for name in want if have[name] != want[name]
        ]
    kept = stored(tiles)
    for key in sorted(set(expected.said) | set(kept.said)):
        want_bits, have_bits = expected.said.get(key, set()), kept.said.get(key, set())
        if want_bits != have_bits:
            lost, invented = len(want_bits - have_bits), len(have_bits - want_bits)
            found.append(f"tiles {'/'.join(map(str, key))}: {lost} lost, {invented} invented")
    if kept.received != expected.received:
        found.append("tiles: received differs")
    return found
