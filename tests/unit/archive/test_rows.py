"""From messages to rows: every kind, every topic, whatever bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from hub.archive.blocks import BLOCK, effects_of
from hub.archive.check import OF_TOPIC
from hub.archive.follower import FOLLOWED, batches, followed
from hub.archive.makers import MAKERS
from hub.archive.months import month_of, partition_name
from hub.archive.packing import pack, unpack
from hub.archive.rows import ROWS, MessageRow, plain_text
from hub.archive.shred import shred
from hub.archive.tables import SMALL, TABLES
from hub.core.coverage import Addition
from hub.core.model import DAY_MS, SEGMENT, HubLog, Outcome, Record
from hub.wire import contracts
from hub.wire.contracts import KINDS, encode
from tests.archive_dump import written
from tests.unit.schema_files import value_of

EXAMPLES = sorted(
    path
    for name, kind in KINDS.items()
    if kind in MAKERS
    for path in (contracts.schemas_dir() / name / "examples" / "good").glob("*.json")
)
AT_MS = 1_795_400_000_000


def record(topic: str, value: bytes | None, **fields: object) -> Record:
    given = {"partition": 3, "offset": 7, "record_time": AT_MS, "key": b"k", "headers": (), **fields}
    return Record(topic=topic, value=value, **given)  # type: ignore[arg-type]


def topic_of(kind: str) -> str:
    names = [name for name, spec in contracts.topics().items() if kind in spec.kinds and not name.startswith("inbox")]
    return names[0].replace("<operator>", "north")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parents[2].name}/{path.stem}")
def test_every_kind_of_message_becomes_rows(path: Path) -> None:
    """Each released example is kept whole and readable, its rows in the tables that its topic is checked by."""
    kind = path.parents[2].name
    topic = topic_of(kind)
    value = encode(value_of(KINDS[kind], json.loads(path.read_text(encoding="utf-8"))))
    shredded = shred(record(topic, value))
    assert shredded.message.kind == kind
    assert shredded.message.mark is None
    assert unpack(shredded.message).value == value
    tables = {name for name, row in ROWS.items() if any(isinstance(one, row) for one in shredded.rows)}
    assert tables <= set(OF_TOPIC.get(topic, ("receipts",)))
    assert tables or kind == "release_notice"
    for row in shredded.rows:
        assert (row.part, row.log_offset, getattr(row, "record_time", None)) == (3, 7, AT_MS)


def test_every_followed_topic_has_makers_and_tables() -> None:
    """No topic is followed whose messages would not become rows, and no table is forgotten by the check."""
    for topic in (*FOLLOWED, "receipts.<operator>"):
        assert {KINDS[one] for one in contracts.topics()[topic].kinds} <= set(MAKERS), topic
    checked = {table for tables in OF_TOPIC.values() for table in tables} | {"messages", "cases", "receipts"}
    assert checked == set(ROWS)
    assert set(OF_TOPIC) == set(FOLLOWED)


def test_tables_have_the_fields_of_their_rows() -> None:
    """A row is written and read by position: columns are its fields, in order."""
    for name, row in ROWS.items():
        assert tuple(column.name for column in TABLES[name].columns) == row._fields
        assert ("record_time" in TABLES[name].primary_key.columns) == (name not in SMALL)


@given(
    st.none() | st.binary(max_size=40),
    st.none() | st.binary(max_size=40),
    st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=4),
)
def test_original_bytes_come_back_whole(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """Key, value and headers come back as they were, none told from empty, whatever they hold."""
    one = record("acks", value, key=key, headers=tuple(headers))
    assert unpack(MessageRow("acks", 3, 7, AT_MS, None, None, pack(one))) == one


@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_are_kept_and_marked(value: bytes) -> None:
    """What cannot be read is one row of bytes with a mark, and stops nothing."""
    for topic in (*FOLLOWED, "receipts.north"):
        shredded = shred(record(topic, value))
        assert shredded.rows == ()
        assert shredded.message.mark
        assert unpack(shredded.message).value == value


@given(st.sets(st.integers(0, SEGMENT - 1), min_size=1, max_size=300), st.integers(0, 5))
def test_effects_hold_the_positions_an_acknowledgement_names_and_no_other(bits: set[int], segment: int) -> None:
    """Put together again, the blocks are the bitmap; each lies within its block, and PostgreSQL's bit is the same."""
    addition = Addition(2, segment, Outcome.UNBOUND, BitMap(bits))
    found: set[int] = set()
    for row in effects_of(record("acks", b""), "bank", [addition]):
        assert row.first_offset // BLOCK == row.last_offset // BLOCK == row.block
        span = range(row.first_offset, row.last_offset + 1)
        found |= {at for at in span if row.bits is None or get_bit(row.bits, at - row.first_offset)}
        assert row.last_offset in found
    assert found == {segment * SEGMENT + one for one in bits}


def get_bit(data: bytes, number: int) -> bool:
    """As PostgreSQL's manual says of get_bit on bytea: bits are numbered from the right within each byte."""
    return bool(data[number // 8] >> (number % 8) & 1)


@given(st.text(max_size=300), st.sampled_from(sorted(written("+8613800138000"))))
def test_text_of_strangers_is_bounded_and_holds_no_number(text: str, number: str) -> None:
    """No NUL, no number however it is written, at most 200 characters."""
    found = plain_text(f"{text}{number}\0")
    assert len(found) <= 200
    assert "\0" not in found
    assert number[:9] not in found


def test_months_are_bounded_and_begin_at_utc_midnight() -> None:
    """A time belongs to its UTC month; one of no clock belongs to none."""
    month = month_of(AT_MS)
    assert month is not None
    assert partition_name("events", month) == "events_y2026m11"
    assert month_of(AT_MS + 31 * DAY_MS) == month + 1
    for absurd in (-1, 0, 2**62, -(2**62)):
        assert month_of(absurd) is None


def test_batches_keep_order_and_both_bounds() -> None:
    """A batch ends before it would be too many messages or too many bytes; one large message goes alone."""
    sizes = [10, 5_000, 10, 10, 10, 400, 400, 10]
    records = [record("acks", bytes(size), offset=at) for at, size in enumerate(sizes)]
    found = [[one.offset for one in batch] for batch in batches(records, 3, 1_000)]
    assert found == [[0], [1], [2, 3, 4], [5], [6, 7]]


def test_receipts_of_new_operators_are_followed_and_others_topics_are_not() -> None:
    """Every partition of history is followed, receipts of whoever is there, nothing of other programs."""
    hub_log = HubLog(b"l" * 16, "hub", 3, "record", 0)
    found = followed(["events", "receipts.north", "receipts.new", "tiles", "inbox.bank", "else"], hub_log)
    assert [(one.topic, one.partition) for one in found] == [
        *(("events", part) for part in range(3)),
        *(("receipts.new", 0), ("receipts.north", 0)),
    ]
