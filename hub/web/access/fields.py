"""This module says what somebody outside the staff sees of each field of an answer, with one table for each shape.

A field that no table knows is hidden: it keeps its default, and a shape with such a field that has no default is
refused. So only registrar and auditor see a new column, until somebody has said here who else sees it. The module is
pure. For example, `bound_per_10000` of another platform's row is left out, and its `pairs` are shown in tens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic.fields import FieldInfo

from hub.core.cohorts import Took
from hub.core.intake import RECEIPTED_AS
from hub.core.model import REFUSAL_TODO, Refusal
from hub.core.outcomes import EFFECTS
from hub.web import shapes
from hub.web.rounding import ten, tens

SMALL = 10
"""Counts below this number and above zero are small cells."""

OF_PLATFORMS = frozenset({"effect", "answer", "lookup"})
"""The kinds of moments that name a platform or somebody who asked."""

REPORT = "report"
K = TypeVar("K")
S = TypeVar("S", bound=shapes.Shape)
Tell = Callable[[Any, Any], Any]
"""A function of a field's value and of the whole that has the field; it returns what is shown of the field."""


def same(value: Any, _: Any) -> Any:
    """Return the value as it is; shapes in it follow their own tables."""
    return value


def hidden(value: Any, _: Any) -> Any:
    """Mark a field as hidden: its default takes its place, and this function is never called."""
    raise AssertionError(f"nobody asks for a field that is hidden, of {type(value).__name__}")


class Told(NamedTuple):
    """What is shown of a field: `outside` to everybody else, `own` to the one whom the row is about, who normally sees
    it whole."""

    outside: Tell
    own: Tell = same


def _told_in_tens(value: Any, _: Any) -> Any:
    return tens(value) if isinstance(value, dict) else ten(int(value or 0))


def _estimate_in_tens(value: float | None, _: Any) -> int | None:
    return None if value is None else ten(int(value))


def _estimate_up_to_tens(value: float | None, _: Any) -> float | None:
    return None if value is None else 10.0 * math.ceil(value / 10)


def _as_receipted(counts: Mapping[Refusal, int], _: Any) -> dict[Refusal, int]:
    told: Counter[Refusal] = Counter()
    for reason, count in counts.items():
        told[RECEIPTED_AS.get(reason, reason)] += count
    return dict(told)


def _large(counts: Mapping[K, int], _: Any) -> dict[K, int]:
    return {name: count for name, count in counts.items() if count >= SMALL}


def _large_as_receipted(counts: Mapping[Refusal, int], whole: Any) -> dict[Refusal, int]:
    return _large(_as_receipted(counts, whole), whole)


def _large_cells(cells: list[shapes.Cell | None], _: Any) -> list[shapes.Cell | None]:
    return [None if cell is None or 0 < cell.in_force < SMALL else cell for cell in cells]


def _hours(median: float | None, cell: shapes.Cell) -> float | None:
    """Return the median as outsiders see it; every case that shows an effect has had its first effect."""
    effects = sum(count for outcome, count in cell.outcomes.items() if outcome in EFFECTS)
    return None if median is None else Took(effects, median).told_hours


def _receipted(reason: Refusal, _: Any) -> Refusal:
    return RECEIPTED_AS.get(reason, reason)


def _todo(_: str, row: shapes.RefusalRow) -> str:
    return REFUSAL_TODO[RECEIPTED_AS.get(row.reason, row.reason)]


def _moments(moments: list[shapes.Moment], _: Any) -> list[shapes.Moment]:
    return [
        one.model_copy(update={"who": None}) if one.kind == REPORT else one
        for one in moments
        if one.kind not in OF_PLATFORMS
    ]


def _nothing(_: Any, __: Any) -> None:
    return None


SAME, HIDDEN, TENS = Told(same), Told(hidden), Told(_told_in_tens)
ALWAYS_IN_TENS = Told(lambda _, __: True)


def _all_same(*names: str) -> dict[str, Told]:
    return dict.fromkeys(names, SAME)


TOLD: dict[type[shapes.Shape], dict[str, Told]] = {
    shapes.Name: _all_same("zh", "en"),
    shapes.AsOf: _all_same("now_ms", "read_at", "behind_messages", "behind_ms", "stale"),
    shapes.Guide: _all_same("url", "steps", "contact"),
    shapes.Today: _all_same(
        *("opened", "scheduled", "released", "reassigned", "undone"),
        *("acknowledgements", "reports", "refused", "breaches"),
    ),
    shapes.Pairs: {
        "in_force": SAME,  # this count follows from the roster, not from accounts
        **dict.fromkeys(("resolved", "takeover_safe", "outcomes", "gaps"), TENS),
        **dict.fromkeys(("overdue", "exposed", "incident", "restore_pending", "disputes"), TENS),
    },
    shapes.Overview: {
        **_all_same("as_of", "pairs", "connected", "unconnected", "platforms", "degraded", "cases", "today"),
        "hours_to_effect_median": SAME,
        "in_tens": ALWAYS_IN_TENS,
    },
    shapes.PlatformRow: {
        **_all_same("id", "name", "sector", "tier", "state", "standing", "channel", "must_connect", "pairs"),
        **_all_same("waiting_since", "hours_to_effect_median", "coverage_at"),
        "bound_per_10000": HIDDEN,
        "outlier": HIDDEN,
    },
    shapes.Platforms: {**_all_same("as_of", "platforms", "suppressed"), "in_tens": ALWAYS_IN_TENS},
    shapes.Cell: {
        "in_force": SAME,
        **dict.fromkeys(("resolved", "takeover_safe", "outcomes"), TENS),
        "hours_to_effect_median": Told(_hours),
    },
    shapes.HeatmapRow: {**_all_same("id", "name", "tier", "state"), "cells": Told(_large_cells)},
    shapes.Heatmap: {**_all_same("as_of", "days", "rows"), "in_tens": ALWAYS_IN_TENS},
    shapes.StateAt: {**_all_same("at", "state"), "note": HIDDEN},
    shapes.PlatformDetail: {
        **_all_same("as_of", "platform", "history", "received_behind", "days", "users_estimate", "guide"),
        "cells": Told(_large_cells),
        "in_tens": Told(lambda _, __: True),
    },
    shapes.BlindSpot: {
        **_all_same("id", "name", "sector", "tier", "state", "must_connect", "users_estimate", "sureness", "guide"),
        **dict.fromkeys(("reported", "would_close", "exposed", "incident"), TENS),
        **dict.fromkeys(("expected", "low"), Told(_estimate_in_tens)),
        "high": Told(_estimate_up_to_tens),
    },
    shapes.BlindSpots: {**_all_same("as_of", "spots"), "in_tens": ALWAYS_IN_TENS},
    shapes.OperatorLimit: _all_same("limit", "most", "by", "reason", "at"),
    shapes.OperatorRow: {
        **_all_same("id", "name", "clearance_required", "raised", "accepted", "noted", "duplicate", "held"),
        **_all_same("last_event_at", "last_report_day", "silent"),
        "rejected": Told(_large_as_receipted, own=_as_receipted),
        "breaches": Told(_large),
    },
    shapes.Operators: _all_same("as_of", "operators"),
    shapes.RefusalRow: {
        **_all_same("at", "topic", "source", "sender"),
        "reason": Told(_receipted, own=_receipted),
        "todo": Told(_todo, own=_todo),
    },
    shapes.RefusalPage: _all_same("as_of", "refusals", "next"),
    shapes.Moment: _all_same("at", "kind", "what", "who", "breaches", "source"),
    shapes.Case: {
        **_all_same("id", "operator", "stage", "opened_at", "cooling_until", "reissue_not_before", "bound_before"),
        **_all_same("days_to_reissue", "unconnected", "status"),
        **dict.fromkeys(("cleared", "pending", "refused", "effects"), Told(_nothing, own=_nothing)),
        "moments": Told(_moments, own=_moments),
    },
}
"""The rules by shape and field. Every other answer is for the staff, or has one reader (`hub.web.access.who`)."""


def told(found: S, *, own: bool = False) -> S:
    """Return an answer as somebody outside the staff sees it.

    Args:
        found: the whole answer.
        own: whether it is about the one who asks.

    Raises:
        LookupError: the answer has a field without a default that no table knows.
    """
    update = {}
    for name, tell in _plan(type(found), own):
        value = tell(getattr(found, name), found) if callable(tell) else tell.default
        update[name] = _inside(value, own=own)
    return found.model_copy(update=update) if update else found


def _inside(value: Any, *, own: bool) -> Any:
    if isinstance(value, list):
        return [_inside(one, own=own) for one in value]
    return told(value, own=own) if isinstance(value, shapes.Shape) else value


class _Default(NamedTuple):
    """The value that takes the place of a hidden field."""

    default: Any


@cache
def _plan(kind: type[shapes.Shape], own: bool) -> tuple[tuple[str, Tell | _Default], ...]:
    """Return the fields that are changed or hidden, or that hold shapes, each with what to do."""
    rules = {name: rule for one in reversed(kind.__mro__) for name, rule in TOLD.get(one, {}).items()}
    found = list[tuple[str, Tell | _Default]]()
    for name, field in kind.model_fields.items():
        rule = rules.get(name, Told(hidden, hidden))
        tell = rule.own if own else rule.outside
        if tell is hidden:
            found.append((name, _default(kind, name, field)))
        elif tell is not same or _holds_shapes(field.annotation):
            found.append((name, tell))
    return tuple(found)


def _default(kind: type[shapes.Shape], name: str, field: FieldInfo) -> _Default:
    if field.is_required():
        raise LookupError(f"nothing says who sees {kind.__name__}.{name}; write it into hub.web.access.fields.TOLD")
    return _Default(field.get_default(call_default_factory=True))


def _holds_shapes(kind: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, shapes.Shape):
        return True
    return any(_holds_shapes(one) for one in get_args(kind))
