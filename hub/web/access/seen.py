"""What each role sees of an answer. Pure.

1. Registrar and auditor see everything.
2. A platform sees itself, and of the others what everybody sees.
3. Everybody else sees public figures. Where fewer than ten cases are in force, the row or the cell is left out, and
   `suppressed` says how many rows that were. What platforms said is told in tens, rounded down, so a count is "at
   least so many"; `in_tens` says so. An operator that publishes one case and looks before and after does not see
   whose count moved by one. How many cases are in force is exact: it follows from the roster, not from accounts.
4. Names that no roster knows are what a person said; they are for registrar and auditor.
5. An operator sees its own row of the operators whole, and of a case neither effects nor counts by platform.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from hub.core.model import Role
from hub.web import shapes
from hub.web.access.auth import Caller
from hub.web.access.who import STAFF

SMALL = 10
"""Counts below it, and above nought, are small cells."""

K = TypeVar("K")
OF_PLATFORMS = frozenset({"effect", "answer", "lookup"})
"""Kinds of moments that name a platform or an asker."""


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
    spots = [_spot(one) for one in found.spots if one.id is not None]
    return found.model_copy(update={"spots": spots, "in_tens": True})


def _spot(one: shapes.BlindSpot) -> shapes.BlindSpot:
    few = 0 < (one.reported or 0) < SMALL
    coarse = {name: _ten(getattr(one, name)) for name in ("would_close", "exposed", "incident")}
    estimates = {
        "expected": None if one.expected is None else _ten(int(one.expected)),
        "low": _ten(int(one.low)),
        "high": None if one.high is None else 10.0 * math.ceil(one.high / 10),
    }
    return one.model_copy(
        update={"reported": None if few or one.reported is None else _ten(one.reported), **coarse, **estimates}
    )


def operators(found: shapes.Operators, caller: Caller) -> shapes.Operators:
    """Every operator; an operator sees itself alone, the public no small counts."""
    if caller.role in STAFF:
        return found
    if caller.role is Role.OPERATOR:
        return found.model_copy(update={"operators": [one for one in found.operators if one.id == caller.subject]})
    rows = [
        one.model_copy(update={"rejected": _large(one.rejected), "breaches": _large(one.breaches)})
        for one in found.operators
    ]
    return found.model_copy(update={"operators": rows})


def case(found: shapes.Case, caller: Caller) -> shapes.Case:
    """A case: with every platform's effect for the staff, with one word for its operator."""
    if caller.role in STAFF:
        return found
    moments = [one for one in found.moments if one.kind not in OF_PLATFORMS]
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
    breakdowns = {"outcomes": _tens(pairs.outcomes), "gaps": _tens(pairs.gaps)}
    return pairs.model_copy(update={**breakdowns, **{name: _ten(value) for name, value in counts.items()}})


def _cell(cell: shapes.Cell | None) -> shapes.Cell | None:
    if cell is None or 0 < cell.in_force < SMALL:
        return None
    coarse = {"resolved": _ten(cell.resolved), "takeover_safe": _ten(cell.takeover_safe)}
    return cell.model_copy(update={"outcomes": _tens(cell.outcomes), **coarse})


def _ten(count: int) -> int:
    return count - count % 10


def _tens(counts: Mapping[K, int]) -> dict[K, int]:
    return {name: _ten(count) for name, count in counts.items() if count >= SMALL}


def _large(counts: Mapping[K, int]) -> dict[K, int]:
    return {name: count for name, count in counts.items() if count >= SMALL}
