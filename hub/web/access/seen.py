"""What each role sees of an answer. Pure.

1. Registrar and auditor see everything.
2. A platform sees its own row, cells and standing whole, and of the others what everybody sees.
3. Everybody else sees public figures. Where fewer than ten cases are in force, the row or the cell is left out, and
   `suppressed` says how many rows that were. What platforms said is told in tens, rounded down, so a count is "at
   least so many"; `in_tens` says so. An operator that publishes one case and looks before and after does not see
   whose count moved by one. How many cases are in force is exact: it follows from the roster, not from accounts.
4. What is worked out from such counts is worked out from the tens, in every digit: the estimates of blind spots, and
   a standing, for which fewer than ten unanswered cases are none (`sight`). Hours to effect are the upper edge of
   their bucket (`hub.core.cohorts`), and none of fewer than a hundred effects. What was found bound is left out.
5. Names that no roster knows, and what a report says of a platform, are a person's words: for registrar and auditor.
   An operator sees of a report in its case when it came, its kind and where it lies, whoever passed it on.
6. An operator sees its own row of the operators, and of a case neither effects nor counts by platform: one word over
   the platforms that are CONNECTED, and which are not, which follows from the roster alone (`routes.case_pages`).
7. A reason that receipts keep to themselves (`intake.RECEIPTED_AS`) is told by no list and no count either.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

from hub.core.cohorts import EFFECTS, Took
from hub.core.intake import RECEIPTED_AS
from hub.core.model import REFUSAL_TODO, Refusal, Role
from hub.web import shapes
from hub.web.access.auth import Caller
from hub.web.access.who import STAFF
from hub.web.board.snapshot import Sight
from hub.web.rounding import ten, tens

SMALL = 10
"""Counts below it, and above nought, are small cells."""

K = TypeVar("K")
OF_PLATFORMS = frozenset({"effect", "answer", "lookup"})
"""Kinds of moments that name a platform or an asker."""
REPORT = "report"


def sight(found: Sight, caller: Caller) -> Sight:
    """The board as pages for somebody are to be made from it."""
    if caller.role in STAFF:
        return found
    return found._replace(in_tens=True, own=caller.subject if caller.role is Role.PLATFORM else None)


def overview(found: shapes.Overview, caller: Caller) -> shapes.Overview:
    """Sums over all platforms tell of nobody; their small breakdowns are left out."""
    if caller.role in STAFF:
        return found
    halves = {name: _pairs(getattr(found, name)) for name in ("pairs", "connected", "unconnected")}
    return found.model_copy(update={**halves, "in_tens": True})


def platforms(found: shapes.Platforms, caller: Caller) -> shapes.Platforms:
    """Every platform, or those of which enough cases are in force."""
    if caller.role in STAFF:
        return found
    rows = [one for one in (_row(row, caller) for row in found.platforms) if one is not None]
    suppressed = len(found.platforms) - len(rows)
    return found.model_copy(update={"platforms": rows, "suppressed": suppressed, "in_tens": True})


def platform(found: shapes.PlatformDetail, caller: Caller) -> shapes.PlatformDetail | None:
    """One platform; None if too few cases are in force there."""
    if _is_own(found.platform.id, caller):
        return found
    row = _row(found.platform, caller)
    if row is None:
        return None
    history = [one.model_copy(update={"note": None}) for one in found.history]
    cells = [_cell(one) for one in found.cells]
    return found.model_copy(update={"platform": row, "history": history, "cells": cells, "in_tens": True})


def heatmap(found: shapes.Heatmap, caller: Caller) -> shapes.Heatmap:
    """The map without its small cells."""
    if caller.role in STAFF:
        return found
    rows = [
        row if _is_own(row.id, caller) else row.model_copy(update={"cells": [_cell(one) for one in row.cells]})
        for row in found.rows
    ]
    return found.model_copy(update={"rows": rows, "in_tens": True})


def blind_spots(found: shapes.BlindSpots, caller: Caller) -> shapes.BlindSpots:
    """Platforms of the roster; names as people said them are for the staff."""
    if caller.role in STAFF:
        return found
    spots = [_outward(one) for one in found.spots if one.id is not None]
    return found.model_copy(update={"spots": spots, "in_tens": True})


def _outward(one: shapes.BlindSpot) -> shapes.BlindSpot:
    """Everything in tens, the upper end rounded up: it is no more exact than what it is worked out from."""
    counts = {name: ten(getattr(one, name) or 0) for name in ("reported", "would_close", "exposed", "incident")}
    estimates = {
        "expected": None if one.expected is None else ten(int(one.expected)),
        "low": ten(int(one.low)),
        "high": None if one.high is None else 10.0 * math.ceil(one.high / 10),
    }
    return one.model_copy(update={**counts, **estimates})


def operators(found: shapes.Operators, caller: Caller) -> shapes.Operators:
    """Every operator; an operator sees itself alone, the public no small counts."""
    if caller.role in STAFF:
        return found
    told = [one.model_copy(update={"rejected": _as_receipted(one.rejected)}) for one in found.operators]
    if caller.role is Role.OPERATOR:
        return found.model_copy(update={"operators": [one for one in told if one.id == caller.subject]})
    rows = [one.model_copy(update={"rejected": _large(one.rejected), "breaches": _large(one.breaches)}) for one in told]
    return found.model_copy(update={"operators": rows})


def refusals(found: shapes.RefusalPage, caller: Caller) -> shapes.RefusalPage:
    """Refused messages, each with the reason its receipt gives."""
    if caller.role in STAFF:
        return found
    rows = []
    for one in found.refusals:
        reason = RECEIPTED_AS.get(one.reason, one.reason)
        rows.append(one.model_copy(update={"reason": reason, "todo": REFUSAL_TODO[reason]}))
    return found.model_copy(update={"refusals": rows})


def case(found: shapes.Case, caller: Caller) -> shapes.Case:
    """A case: with every platform's effect for the staff, with one word for its operator."""
    if caller.role in STAFF:
        return found
    moments = [
        one.model_copy(update={"who": None}) if one.kind == REPORT else one
        for one in found.moments
        if one.kind not in OF_PLATFORMS
    ]
    hidden: dict[str, Any] = {"effects": None, "cleared": None, "pending": None, "refused": None, "moments": moments}
    return found.model_copy(update=hidden)


def _is_own(platform_id: str, caller: Caller) -> bool:
    return caller.role in STAFF or (caller.role is Role.PLATFORM and caller.subject == platform_id)


def _row(row: shapes.PlatformRow, caller: Caller) -> shapes.PlatformRow | None:
    if _is_own(row.id, caller):
        return row
    if 0 < row.pairs.in_force < SMALL:
        return None
    return row.model_copy(update={"pairs": _pairs(row.pairs), "bound_per_10000": None, "outlier": False})


def _pairs(pairs: shapes.Pairs) -> shapes.Pairs:
    """Pairs with everything but `in_force` in tens."""
    counts = {name: value for name, value in pairs if isinstance(value, int) and name != "in_force"}
    breakdowns = {"outcomes": tens(pairs.outcomes), "gaps": tens(pairs.gaps)}
    return pairs.model_copy(update={**breakdowns, **{name: ten(value) for name, value in counts.items()}})


def _cell(cell: shapes.Cell | None) -> shapes.Cell | None:
    if cell is None or 0 < cell.in_force < SMALL:
        return None
    coarse = {"resolved": ten(cell.resolved), "takeover_safe": ten(cell.takeover_safe)}
    return cell.model_copy(
        update={"outcomes": tens(cell.outcomes), "hours_to_effect_median": _told_hours(cell), **coarse}
    )


def _told_hours(cell: shapes.Cell) -> float | None:
    """Every case that shows an effect has had its first."""
    effects = sum(count for outcome, count in cell.outcomes.items() if outcome in EFFECTS)
    median = cell.hours_to_effect_median
    return None if median is None else Took(effects, median).told_hours


def _as_receipted(counts: Mapping[Refusal, int]) -> dict[Refusal, int]:
    told: Counter[Refusal] = Counter()
    for reason, count in counts.items():
        told[RECEIPTED_AS.get(reason, reason)] += count
    return dict(told)


def _large(counts: Mapping[K, int]) -> dict[K, int]:
    return {name: count for name, count in counts.items() if count >= SMALL}
