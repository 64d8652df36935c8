"""This module reads messages as plain dictionaries: Avro single-object encoding, with fastavro alone.

A message counts if it has the header of a released schema, is within its size, and equals what fastavro writes of
what it read, so that it has only one form and no rest. For example, an acknowledgement begins with C3 01 and the 8
bytes of its schema's fingerprint.
"""

from __future__ import annotations

import json
from functools import cache
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from hub.wire.contracts import schemas_dir

MARKER = b"\xc3\x01"
HEADER_BYTES = 10
LIMIT_BYTES = {"acknowledgement": 256 * 1024, "lookup": 256 * 1024}
LIMIT_BYTES_ELSE = 64 * 1024

Message = dict[str, Any]


@cache
def _schemas(kind: str) -> dict[bytes, Any]:
    """Return the released schemas of a kind by the header of their messages; times are plain integers."""
    found = {}
    for path in sorted((schemas_dir() / kind).glob("v*.avsc")):
        source = json.loads(path.read_text(encoding="utf-8"))
        mark = bytes.fromhex(fingerprint(to_parsing_canonical_form(source), "CRC-64-AVRO"))
        found[MARKER + mark] = parse_schema(_without_logical_types(source))
    return found


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without_logical_types(value) for name, value in node.items() if name != "logicalType"}
    return [_without_logical_types(one) for one in node] if isinstance(node, list) else node


def read(kind: str, value: bytes | None) -> Message | None:
    """Return the message in a record's value, or None if it is no canonical message of that kind."""
    if value is None or len(value) > LIMIT_BYTES.get(kind, LIMIT_BYTES_ELSE):
        return None
    schema = _schemas(kind).get(value[:HEADER_BYTES])
    if schema is None:
        return None
    again = BytesIO()
    try:
        message = schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema, None)
        schemaless_writer(again, schema, message)
    except (EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError):
        return None
    if again.getvalue() != value[HEADER_BYTES:] or not isinstance(message, dict):
        return None
    return message
