"""A record with a header name that is no text is read like every other, and its neighbours with it."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from hub.kafka.header_names import TolerantBatch

CRC_AT, COVERED_FROM = 17, 21  # of a record batch of version 2 (Kafka protocol, "Record Batch")
GOOD, BAD = b"name", b"\xff\xfe\xfd\xfc"


def spoilt(data: bytes) -> bytes:
    """A batch with its good header name made no text, and its checksum right."""
    assert data.count(GOOD) == 1
    changed = bytearray(data.replace(GOOD, BAD))
    struct.pack_into(">I", changed, CRC_AT, calc_crc32c(memoryview(changed)[COVERED_FROM:]))
    return bytes(changed)


def batch(*headers: tuple[str, bytes]) -> bytes:
    """Three records, the second with these headers."""
    made = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 100_000)
    for offset, given in enumerate([[], list(headers), [("key-id", b"k")]]):
        made.append(offset, 1_700_000_000_000 + offset, b"key%d" % offset, b"value", given)
    return bytes(made.build())


def shown(records: Any) -> list[tuple[Any, ...]]:
    return [(one.offset, one.timestamp, one.key, one.value, list(one.headers)) for one in records]


def test_a_bad_name_stops_nobody() -> None:
    """Where aiokafka's own reader fails, all three records are read, the bad name with its bytes replaced."""
    data = spoilt(batch(("signature", b"s"), ("name", b"v")))
    with pytest.raises(UnicodeDecodeError):
        list(DefaultRecordBatch(data))
    tolerant = TolerantBatch(data)
    assert tolerant.validate_crc()
    found = shown(tolerant)
    assert [one[0] for one in found] == [0, 1, 2]
    assert found[1][4] == [("signature", b"s"), ("�" * len(BAD), b"v")]
    assert found[2][4] == [("key-id", b"k")]


def test_a_good_batch_is_read_as_always() -> None:
    """Nothing else changes: the same records, offsets and properties as aiokafka gives."""
    data = batch(("signature", b"s"))
    own, tolerant = DefaultRecordBatch(data), TolerantBatch(data)
    assert (own.base_offset, own.next_offset, own.is_control_batch) == (
        tolerant.base_offset,
        tolerant.next_offset,
        tolerant.is_control_batch,
    )
    assert shown(own) == shown(tolerant)
