"""Fields of a roster record: each is asked for everywhere a record goes, or says here why not.

Schemas and codecs ask for themselves (`wire/test_contracts.py`): a field of the value that no schema has fails there.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from hub.cli import operator_roster, platform_roster
from hub.core.model import Operator, Platform
from hub.web import shapes
from tests.places import ROOT
from tests.unit.sources import HUB, said, short, tree_of


class Where(NamedTuple):
    """Where a field goes. A place that begins with `no: ` gives the reason why it does not go there.

    `option`: of the registrar's command. `file`: of `platforms.yaml` and `operators.yaml`. `api`: of the roster's
    answer. `recount`: whether the recount goes by it.
    """

    option: str
    file: str
    api: str
    recount: bool = False


BY_HISTORY = "no: it is written by what happens to the record"
BY_KEYS = "no: keys come by commands of their own, and by files beside the roster's"
BY_LIMITS = "no: it is set by a command of its own, by name and with a reason"

PLATFORM: dict[str, Where] = {
    "id": Where("platform_id", "id", "id", recount=True),
    "name": Where("zh", "name", "name"),
    "sector": Where("sector", "sector", "sector"),
    "tier": Where("tier", "tier", "tier", recount=True),
    "state": Where("state", "state", "state", recount=True),
    "channel": Where("channel", "channel", "channel"),
    "left_at": Where(BY_HISTORY, "left_at", "left_at", recount=True),
    "keys": Where(BY_KEYS, "keys", "keys", recount=True),
    "contact": Where("contact", "contact", "guide"),
    "guide_url": Where("guide_url", "guide_url", "guide"),
    "guide_steps": Where("guide_step", "guide_steps", "guide"),
    "must_connect": Where("must_connect", "must_connect", "must_connect", recount=True),
    "users_estimate": Where("users", "users_estimate", "users_estimate"),
    "history": Where(BY_HISTORY, BY_HISTORY, "history"),
}
OPERATOR: dict[str, Where] = {
    "id": Where("operator_id", "id", "id", recount=True),
    "name": Where("zh", "name", "name"),
    "ranges": Where("range_", "ranges", "ranges", recount=True),
    "cooling_days_min": Where("no: a record as JSON says it", "cooling_days_min", "cooling_days_min"),
    "cooling_days_max": Where("no: a record as JSON says it", "cooling_days_max", "cooling_days_max"),
    "limit_daily": Where("limit_daily", "limit_daily", "limit_daily"),
    "limit_ported_daily": Where("limit_ported_daily", "limit_ported_daily", "limit_ported_daily"),
    "since": Where("since", "since", "since"),
    "keys": Where("key_id", "keys", "keys"),
    "clearance_required": Where("clearance_required", "clearance_required", "clearance_required"),
    "limits": Where(BY_LIMITS, "no: a file says a limit without a name, which can only lower it", "limits"),
    "lifted": Where(BY_LIMITS, BY_HISTORY, "lifted"),
}
RECORDS: list[tuple[type[Any], str, dict[str, Where], Callable[..., None], type[shapes.Shape]]] = [
    (Platform, "PLATFORM", PLATFORM, platform_roster.platform_add, shapes.RosterPlatform),
    (Operator, "OPERATOR", OPERATOR, operator_roster.operator_add, shapes.RosterOperator),
]
ids = [one[1] for one in RECORDS]
RECOUNT = "\n".join(said(path) for path in HUB if short(path).startswith("hub/recount/"))


def read_from_files(kind: type[Any]) -> set[str]:
    """The fields that are given where a roster file's entry becomes a record."""
    return {
        one.arg
        for node in ast.walk(tree_of(said(ROOT / "hub/sdk/roster_files.py")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == kind.__name__
        for one in node.keywords
        if one.arg
    }


@pytest.mark.parametrize(("kind", "name", "table", "command", "shape"), RECORDS, ids=ids)
def test_every_field_of_a_record_is_asked_for(
    kind: Any, name: str, table: dict[str, Where], command: Callable[..., None], shape: type[shapes.Shape]
) -> None:
    """A field that is added to a record has a row here that says where it goes, and goes there."""
    missing = sorted(set(kind._fields) - table.keys())
    assert not missing, f"tests/unit/test_roster_fields.py: {name} has no row for {missing}: say where it goes"
    assert table.keys() == set(kind._fields), "rows of no field"
    options, read = inspect.signature(command).parameters, read_from_files(kind)
    for field, where in table.items():
        assert where.option in options or _excused(where.option), f"{command.__name__} has no option {where.option}"
        assert where.file in read or _excused(where.file), f"hub/sdk/roster_files.py does not read {where.file}"
        assert where.api in shape.model_fields or _excused(where.api), f"{shape.__name__} has no field {where.api}"
        assert _is_excused_only_where_missing(field, where, read, shape)


def _excused(where: str) -> bool:
    return re.fullmatch(r"no: .{10,}", where) is not None


def _is_excused_only_where_missing(field: str, where: Where, read: set[str], shape: type[shapes.Shape]) -> bool:
    return not (_excused(where.file) and field in read) and not (_excused(where.api) and field in shape.model_fields)


@pytest.mark.parametrize(("kind", "name", "table", "command", "shape"), RECORDS, ids=ids)
def test_the_recount_goes_by_the_fields_it_should(
    kind: Any, name: str, table: dict[str, Where], command: object, shape: object
) -> None:
    """What decides over gaps and clearances is read by the recount as well; what does not, the recount leaves alone."""
    del name, command, shape
    for field, where in table.items():
        reads = re.search(rf"""\[["']{field}["']\]|\.get\(["']{field}["']""", RECOUNT) is not None
        ambiguous = field in {"id", "keys", "tier", "state"} and kind is Operator
        assert reads == where.recount or ambiguous, f"{kind.__name__}.{field}: the table says {where.recount}"
