"""This module makes the archive's tables from the row classes: a column's type follows from the type of its field.

Tables that grow without end are partitioned by month of `record_time` (`hub.archive.months`). `cases` is not: it is
looked up without a time, it changes in place, and one index must answer. The tables of the roster and of the archive
itself are small. For example, the field `left_at: int | None` becomes the nullable column `left_at BIGINT`.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import SchemaItem

from hub.archive.rows import ROWS

SMALL = {"cases", "platforms", "operators", "operator_reports"}
"""The tables that are not partitioned."""

BY_MONTH = tuple(name for name in ROWS if name not in SMALL)
SEALED = {"number_key", "number_sealed", "sealed"}
"""The fields whose column holds the digest or the seal of the value."""

INTEGERS = {"part": Integer, "seq": Integer, "tier": SmallInteger, "rel_part": Integer, "reminders": Integer}
KEYS = {
    "messages": ("topic", "part", "log_offset", "record_time"),
    "cases": ("part", "log_offset"),
    "effects": ("part", "log_offset", "seq", "record_time"),
    "held": ("part", "log_offset", "seq", "record_time"),
    "looked_up": ("part", "log_offset", "seq", "record_time"),
    "receipts": ("operator", "part", "log_offset", "record_time"),
    **dict.fromkeys(("platforms", "operators", "operator_reports"), ("part", "log_offset")),
}
KEY = ("part", "log_offset", "record_time")
HAS_BREACHES = text("breaches <> '{}'")
IS_BACKFILL = text("reason = 'BACKFILL'")
COVERED = {"effects_of_block": ("record_time", "platform", "outcome", "part", "log_offset", "bits")}
"""The columns that an index also includes, so that its table is not read: there each effect of a case is on another
page."""

INDEXES: dict[str, tuple[tuple[str, tuple[str, ...], Any], ...]] = {
    "events": (
        ("events_of_number", ("number_key",), None),
        ("events_backfill", ("operator", "record_time"), IS_BACKFILL),
    ),
    "notices": (
        ("notices_of_case", ("part", "case_offset"), None),
        ("notices_by_time", ("record_time", "stage"), None),
    ),
    "cases": (("cases_of_number", ("number_key",), None),),
    "receipts": (
        ("receipts_of_source", ("source_part", "source_offset"), None),
        ("receipts_by_time", ("operator", "record_time"), None),
        ("receipts_breaches", ("operator", "record_time", "log_offset"), HAS_BREACHES),
    ),
    "acks": (("acks_by_time", ("record_time",), None),),
    "effects": (("effects_of_block", ("rel_part", "block", "last_offset", "first_offset"), None),),
    "reports": (("reports_of_number", ("number_key",), None),),
    "reported": (
        ("reported_of_case", ("case_part", "case_offset"), None),
        ("reported_of_report", ("report_id",), None),
        ("reported_by_time", ("record_time",), None),
    ),
    "rejections": (
        ("rejections_by_time", ("record_time", "log_offset"), None),
        ("rejections_of_sender", ("sender", "record_time", "log_offset"), None),
        ("rejections_of_source", ("topic", "source_part", "source_offset"), None),
    ),
    "lookups": (("lookups_by_time", ("record_time", "part", "log_offset"), None),),
    "looked_up": (("looked_up_of_number", ("number_key",), None),),
}

metadata = MetaData()


def _column(name: str, hint: Any, key: tuple[str, ...]) -> Column[Any]:
    kinds = [one for one in get_args(hint) if one is not NoneType] if _is_optional(hint) else [hint]
    if name in SEALED:
        kind: Any = LargeBinary
    elif get_origin(kinds[0]) is list:
        kind = ARRAY(Text if get_args(kinds[0])[0] is str else BigInteger)
    else:
        kind = {int: INTEGERS.get(name, BigInteger), str: Text, bytes: LargeBinary, bool: Boolean}[kinds[0]]
    return Column(name, kind, nullable=_is_optional(hint) and name not in key)


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)


def _table(name: str) -> Table:
    key = KEYS.get(name, KEY)
    parted: dict[str, Any] = {} if name in SMALL else {"postgresql_partition_by": "RANGE (record_time)"}
    indexes = INDEXES.get(name, ())
    parts: list[SchemaItem] = [_column(field, hint, key) for field, hint in get_type_hints(ROWS[name]).items()]
    parts.append(PrimaryKeyConstraint(*key, name=f"{name}_pkey"))
    parts += [
        Index(index, *columns, postgresql_where=where, postgresql_include=COVERED.get(index))
        for index, columns, where in indexes
    ]
    made: Table = Table(name, metadata, *parts, **parted)
    return made


TABLES: dict[str, Table] = {name: _table(name) for name in ROWS}

META = Table(
    "archive_meta",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("hub_id", Text, nullable=False),
    Column("partitions", Integer, nullable=False),
)
"""This table has one row, which says whose logs these are."""

PLACES = Table(
    "archive_places",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("log_end", BigInteger, nullable=False),
    Column("record_time", BigInteger),
    Column("seen_at", BigInteger, nullable=False),
    Column("last_source", BigInteger, nullable=False),
)
"""How far each log is kept; the transaction that writes the rows moves it. `last_source` belongs to the fold of
`releases`."""
