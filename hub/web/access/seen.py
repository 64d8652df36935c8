"""What each role sees of an answer. Pure.

1. Registrar and auditor see everything.
2. A platform sees itself, and of the others what everybody sees.
3. Everybody else sees public figures. A count of 1 to 9 in a public table is left out (small cells): of a breakdown the
   entry, of a heat map the cell, of the platforms the row, and `suppressed` says how many rows that were. Nothing is
   rounded or set to nought, so what is shown is true.
4. Names that no roster knows are what a person said; they are for registrar and auditor.
5. An operator sees its own row of the operators whole, and of a case neither effects nor counts by platform.
"""

from __future__ import annotations

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
    return found.model_copy(update=halves)


def platforms(found: shapes.Platforms, caller: Caller) -> shapes.Platforms:
    """Every platform, or those of which enough cases are in force."""
    if caller.role in STAFF:
        return found
    rows = [one for one in (_row(row, caller) for row in found.platforms) if one is not None]
    return found.model_copy(update={"platforms": rows, "suppressed": len(found.platforms) - len(rows)})


def platform(found: shapes.PlatformDetail, caller: Caller) -> shapes.PlatformDetail | None:
    """One platform; None if too few cases are in force there."""
    if _is_own(found.platform.id, caller):
        return found
    row = _row(found.platform, caller)
    if row is None:
        return None
    history = [one.model_copy(update={"note": None}) for one in found.history]
    return found.model_copy(update={"platform": row, "history": history, "cells": [_cell(one) for one in found.cells]})


def heatmap(found: shapes.Heatmap, caller: Caller) -> shapes.Heatmap:
    """The map without its small cells."""
    rows = [
        row if _is_own(row.id, caller) else row.model_copy(update={"cells": [_cell(one) for one in row.cells]})
        for row in found.rows
    ]
    return found.model_copy(update={"rows": rows})


def blind_spots(found: shapes.BlindSpots, caller: Caller) -> shapes.BlindSpots:
    """Platforms of the roster; names as people said them are for the staff."""
    if caller.role in STAFF:
        return found
    spots = [
        one.model_copy(update={"reported": None}) if 0 < (one.reported or 0) < SMALL else one
        for one in found.spots
        if one.id is not None
    ]
    return found.model_copy(update={"spots": spots})


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
    return pairs.model_copy(update={"outcomes": _large(pairs.outcomes), "gaps": _large(pairs.gaps)})


def _cell(cell: shapes.Cell | None) -> shapes.Cell | None:
    if cell is None or 0 < cell.in_force < SMALL:
        return None
    return cell.model_copy(update={"outcomes": _large(cell.outcomes)})


def _large(counts: Mapping[K, int]) -> dict[K, int]:
    return {name: count for name, count in counts.items() if count >= SMALL}
