"""This module counts one platform's figures, pair by pair.

For example, if the platform said UNBOUND of case 7-120033, the pair is resolved; if it said FROZEN, it is a FROZEN gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from typing import Any, NamedTuple

from hub.recount.cases import UNDONE, CaseNow, Position
from hub.recount.wire import Message

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ANSWER_WITHIN_MS = {1: 24 * HOUR_MS, 2: 3 * DAY_MS, 3: 7 * DAY_MS}


class Word(NamedTuple):
    """What the recount makes of an outcome: whether it is shown of a case in force, the gap it leaves, whether it
    speaks against NOT_BOUND, and whether it is to be undone with its case."""

    in_force: bool = True
    gap: str | None = None
    against_not_bound: bool = False
    touched: bool = False


WORDS = {
    "UNBOUND": Word(against_not_bound=True, touched=True),
    "FROZEN": Word(gap="FROZEN", against_not_bound=True, touched=True),
    "DECLINED": Word(gap="DECLINED", against_not_bound=True),
    "NOT_BOUND": Word(),
    "FAILED": Word(gap="FAILED"),
    "REINSTATED": Word(in_force=False),
}
"""Of several that were said of a case in force, the first one here is shown. Written anew, and not taken from the hub's
own table: a recount that went by that would find it right whatever stands there."""

SHOWN_FIRST = [name for name, word in WORDS.items() if word.in_force]
AGAINST_NOT_BOUND = {name for name, word in WORDS.items() if word.against_not_bound}
TOUCHED = {name for name, word in WORDS.items() if word.touched}

Figures = dict[str, Any]


def figures_of(
    platform: Message,
    cases: Iterable[CaseNow],
    said: Mapping[Position, set[str]],
    received: Mapping[int, int],
    reported: Set[Position],
    now_ms: int,
) -> Figures:
    """Return what `coverage` must say of a platform.

    Args:
        platform: its roster record.
        cases: all of them.
        said: every outcome it ever said, by position.
        received: the highest offset that it ever said it received, by partition.
        reported: the positions of cases with reports that have no answer yet.
        now_ms: the time of the figures, UTC milliseconds.
    """
    outcomes: Counter[str] = Counter()
    gaps: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for case in cases:
        words = said.get(case.position, set())
        undone = case.stage in UNDONE
        shown = "REINSTATED" if undone and "REINSTATED" in words else _first_said(words)
        if shown is not None:
            outcomes[shown] += 1
        against_report = case.position in reported and shown in SHOWN_FIRST
        count["disputes"] += against_report or ("NOT_BOUND" in words and bool(words & AGAINST_NOT_BOUND))
        count["restore_pending"] += undone and bool(words & TOUCHED) and "REINSTATED" not in words
        if undone or not _counts(platform, case):
            continue
        count["in_force"] += 1
        gap = "DISPUTED" if against_report else _gap(platform, case, words, shown, received)
        if gap is None:
            count["resolved"] += 1
            continue
        gaps[gap] += 1
        count["overdue"] += now_ms >= _answer_by(platform, case, shown)
        count["exposed"] += case.stage == "RELEASED"
        count["incident"] += case.stage == "REASSIGNED"
    names = ("in_force", "resolved", "overdue", "exposed", "incident", "restore_pending", "disputes")
    return {
        "state": platform["state"],
        **{name: count[name] for name in names},
        "outcomes": dict(outcomes),
        "gaps": dict(gaps),
        "received": dict(received),
    }


def open_gap(
    platform: Message, case: CaseNow, words: set[str], received: Mapping[int, int], reported: Set[Position]
) -> str | None:
    """Return the gap of one pair, or None if it is resolved or does not count."""
    if case.stage in UNDONE or not _counts(platform, case):
        return None
    shown = _first_said(words)
    if case.position in reported and shown in SHOWN_FIRST:
        return "DISPUTED"
    return _gap(platform, case, words, shown, received)


def _first_said(words: set[str]) -> str | None:
    return next((outcome for outcome in SHOWN_FIRST if outcome in words), None)


def _counts(platform: Message, case: CaseNow) -> bool:
    if platform["state"] == "EXEMPT":
        return False
    if platform["state"] == "LEFT" and platform["left_at"] is not None:
        return bool(case.published_at < platform["left_at"])
    return True


def _gap(
    platform: Message, case: CaseNow, words: set[str], shown: str | None, received: Mapping[int, int]
) -> str | None:
    """Return the class of a gap, or None if the pair is resolved. UNBOUND settles a dispute."""
    if shown == "UNBOUND":
        return None
    if "NOT_BOUND" in words and words & AGAINST_NOT_BOUND:
        return "DISPUTED"
    if shown is not None:
        return WORDS[shown].gap
    if platform["state"] != "CONNECTED":
        return "NOT_CONNECTED"
    partition, offset = case.position
    return "NOT_RECEIVED" if offset > received.get(partition, -1) else "NO_OUTCOME"


def _answer_by(platform: Message, case: CaseNow, shown: str | None) -> int:
    """Return the time from which a gap is overdue, UTC milliseconds."""
    limit = case.published_at + ANSWER_WITHIN_MS[platform["tier"]]
    if case.reissue_not_before is None:
        return limit
    reissue = case.reissue_not_before - 7 * DAY_MS
    return reissue if shown == "FROZEN" else min(limit, reissue)
