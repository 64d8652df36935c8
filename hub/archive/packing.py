"""This module packs a message's key, value and headers into one byte string, which is sealed in `messages`, and back.

For example, a message without a key has key size -1, which is not the same as an empty key of size 0.
"""

from __future__ import annotations

import struct

from hub.archive.rows import MessageRow
from hub.core.model import Record

NONE = -1
_HEAD = struct.Struct(">iiH")
_HEADER = struct.Struct(">Hi")


def pack(record: Record) -> bytes:
    """Return key, value and headers as one byte string."""
    parts = [_HEAD.pack(_size(record.key), _size(record.value), len(record.headers))]
    parts += [record.key or b"", record.value or b""]
    for name, value in record.headers:
        encoded = name.encode("utf-8", "surrogatepass")
        parts += [_HEADER.pack(len(encoded), _size(value)), encoded, value or b""]
    return b"".join(parts)


def _size(data: bytes | None) -> int:
    return NONE if data is None else len(data)


def unpack(row: MessageRow) -> Record:
    """Return the message that `pack` was given."""
    data = row.sealed
    key_size, value_size, count = _HEAD.unpack_from(data)
    at = _HEAD.size
    key, at = _take(data, at, key_size)
    value, at = _take(data, at, value_size)
    headers = []
    for _ in range(count):
        name_size, size = _HEADER.unpack_from(data, at)
        name, at = _take(data, at + _HEADER.size, name_size)
        content, at = _take(data, at, size)
        headers.append(((name or b"").decode("utf-8", "surrogatepass"), content))
    return Record(row.topic, row.part, row.log_offset, row.record_time, key, value, tuple(headers))  # type: ignore[arg-type]


def _take(data: bytes, at: int, size: int) -> tuple[bytes | None, int]:
    return (None, at) if size == NONE else (data[at : at + size], at + size)
