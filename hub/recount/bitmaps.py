"""This module reads portable Roaring bitmaps of one segment as a list of offsets below 65,536.

The format is RoaringFormatSpec (github.com/RoaringBitmap/RoaringFormatSpec): it has cookie 12346, a count of
containers, their keys and cardinalities, their places, and then an array of up to 4,096 values or 65,536 bits; or it
has cookie 12347 and runs. A segment has one container, of key 0, or none. Anything else gives None. For example, the
hex bytes 3a300000 01000000 00000000 10000000 0500 are the one offset 5.
"""

from __future__ import annotations

from struct import unpack_from

SEGMENT = 65_536
EMPTY = bytes.fromhex("3a30000000000000")
ARRAY_OR_BITS = bytes.fromhex("3a300000010000000000")
RUNS = bytes.fromhex("3b300000010000")
PLACE = (16).to_bytes(4, "little")
ARRAY_MAX = 4_096


def offsets_in(data: bytes) -> list[int] | None:
    """Return the offsets of a segment in rising order, or None if the bytes are no such bitmap."""
    if data == EMPTY:
        return []
    if data.startswith(ARRAY_OR_BITS) and data[12:16] == PLACE:
        cardinality = int.from_bytes(data[10:12], "little") + 1
        body = data[16:]
        offsets = _array(body) if cardinality <= ARRAY_MAX else _bits(body)
    elif data.startswith(RUNS) and len(data) >= 11:
        cardinality = int.from_bytes(data[7:9], "little") + 1
        offsets = _runs(data[11:], int.from_bytes(data[9:11], "little"))
    else:
        return None
    if offsets is None or len(offsets) != cardinality or sorted(set(offsets)) != offsets or offsets[-1] >= SEGMENT:
        return None
    return offsets


def _array(body: bytes) -> list[int] | None:
    return None if len(body) % 2 else list(unpack_from(f"<{len(body) // 2}H", body))


def _bits(body: bytes) -> list[int] | None:
    if len(body) != SEGMENT // 8:
        return None
    return [offset for offset in range(SEGMENT) if body[offset // 8] >> (offset % 8) & 1]


def _runs(body: bytes, runs: int) -> list[int] | None:
    if len(body) != 4 * runs:
        return None
    pairs = unpack_from(f"<{2 * runs}H", body)
    offsets: list[int] = []
    for start, more in zip(pairs[::2], pairs[1::2], strict=True):
        if offsets and start <= offsets[-1] + 1:
            return None
        offsets.extend(range(start, start + more + 1))
    return offsets
