"""What outsiders see of each field: every column of an answer has its row, and what has none is not told."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from hub.core.model import Role
from hub.web import shapes
from hub.web.access import fields, seen
from hub.web.access.auth import Caller
from hub.web.access.who import STAFF
from tests.unit.web.access.test_seen import AS_OF, row

NEVER_OUTSIDE = {shapes.Effect: "effects are taken out of a case as a whole"}


class WiderRow(shapes.PlatformRow):
    """A row with a column that no table knows."""

    secret: int = 0


class BareRow(shapes.PlatformRow):
    """A row with such a column that has no default."""

    secret: int


def inside(kind: Any) -> set[type[shapes.Shape]]:
    """The shapes in a field's type."""
    if isinstance(kind, type) and issubclass(kind, shapes.Shape):
        return {kind}
    return {found for one in get_args(kind) for found in inside(one)}


def test_every_column_says_who_sees_it() -> None:
    """A column that is added to an answer is nobody's but the staff's until a row says what others see of it."""
    for shape, rules in fields.TOLD.items():
        missing = sorted(shape.model_fields.keys() - rules.keys())
        assert not missing, f"hub/web/access/fields.py: TOLD[{shape.__name__}] has no row for {missing}: write it there"
        left_over = sorted(rules.keys() - shape.model_fields.keys())
        assert not left_over, f"hub/web/access/fields.py: TOLD[{shape.__name__}] has rows of no field: {left_over}"


def test_every_shape_within_a_shape_has_its_table() -> None:
    """What is told of a whole is told of its parts by tables as well."""
    parts = {one for shape in fields.TOLD for field in shape.model_fields.values() for one in inside(field.annotation)}
    assert parts - fields.TOLD.keys() == set(NEVER_OUTSIDE)


@pytest.mark.parametrize("role", Role)
def test_a_column_that_no_table_knows_is_the_staffs_alone(role: Role) -> None:
    """It keeps its default for everybody else, also for the platform whose row it is."""
    wider = WiderRow(**row(105).model_dump(), secret=7)
    for who in ("bank", "somebody"):
        found = seen.platforms(shapes.Platforms(as_of=AS_OF, platforms=[wider]), Caller(who, role, 0))
        (shown,) = found.platforms
        assert isinstance(shown, WiderRow)
        assert shown.secret == (7 if role in STAFF else 0)


def test_a_column_that_cannot_be_left_out_stops_the_answer() -> None:
    """Where there is nothing to say in its place, nothing is said, and the error names the table."""
    with pytest.raises(LookupError, match=r"BareRow.secret; write it into hub.web.access.fields.TOLD"):
        fields.told(BareRow(**row(105).model_dump(), secret=7))
