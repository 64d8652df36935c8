"""This module checks the portable Roaring form of one segment, before the C library reads it.

A bitmap of offsets within 65,536 positions, as a stranger sends it, has one container or none, and exactly one of these
forms (RoaringFormatSpec, github.com/RoaringBitmap/RoaringFormatSpec; all numbers little-endian):
- empty: cookie 12346, no containers; 8 bytes;
- array: cookie 12346, 1 container, key 0, cardinality - 1 (at most 4,095), offset 16, then the values, rising;
- bitset: the same with a cardinality of 4,097 and more, then 65,536 bits, of which as many are set;
- runs: cookie 12347, flag 1, key 0, cardinality - 1, count, then (start, length - 1), rising, with gaps between them.

For example, the set {5} is `3a300000 01000000 0000 0000 10000000 0500`.

The check is written here because the reader in C cannot be trusted with it: pyroaring 1.0 crashes on empty bytes and on
a bitset with a false cardinality; 1.2 raises IndexError on empty bytes and ignores bytes left over.
"""

from __future__ import annotations

from operator import add
from struct import Struct, unpack_from

NO_RUNS = Struct("<IIHHI")
"""The fields are: cookie, containers, key, cardinality - 1, offset of the container."""
RUNS = Struct("<HHBHHH")
"""The fields are: cookie, containers - 1, flags that mark run containers, key, cardinality - 1, number of runs."""
EMPTY = bytes.fromhex("3a300000 00000000")
COOKIE_NO_RUNS = 12_346
COOKIE_RUNS = 12_347
ARRAY_MAX = 4_096
BITSET_BYTES = 8_192
LAST = 65_535
LANES = ARRAY_MAX // 2
LOW_HALVES = int.from_bytes(b"\xff\xff\0\0" * LANES, "little")
MARKS = int.from_bytes(b"\0\0\1\0" * LANES, "little")


def is_segment(data: bytes) -> bool:
    """Return whether bytes are the portable form of a set of offsets below 65,536, whole and in order."""
    if data == EMPTY:
        return True
    if len(data) > NO_RUNS.size and data[:2] == EMPTY[:2]:
        cookie, containers, key, less_one, offset = NO_RUNS.unpack_from(data)
        if (cookie, containers, key, offset) != (COOKIE_NO_RUNS, 1, 0, NO_RUNS.size):
            return False
        return _is_array(data, less_one + 1) if less_one < ARRAY_MAX else _is_bitset(data, less_one + 1)
    if len(data) > RUNS.size:
        cookie, more, flags, key, less_one, runs = RUNS.unpack_from(data)
        return (cookie, more, flags, key) == (COOKIE_RUNS, 0, 1, 0) and _is_runs(data, less_one + 1, runs)
    return False


def _is_array(data: bytes, cardinality: int) -> bool:
    if len(data) != NO_RUNS.size + 2 * cardinality:
        return False
    return cardinality == 1 or _rises(data[NO_RUNS.size :])


def _rises(words: bytes) -> bool:
    """Return whether 16-bit words rise. Every other word is a 32-bit lane of one number: all are compared at once."""
    count, number = len(words) // 2, int.from_bytes(words, "little")
    even, odd = number & LOW_HALVES, (number >> 16) & LOW_HALVES
    return _all_less(even, odd, count // 2) and _all_less(odd, even >> 32, (count - 1) // 2)


def _all_less(these: int, those: int, lanes: int) -> bool:
    """Return whether, in each of the first lanes, the value of `these` is less than the value of `those`.

    Bit 16 is set in each lane of `those`, then `these` and one are subtracted. Bit 16 stays set exactly where `those`
    is greater, and no lane borrows from the next. What lies beyond the lanes borrows only from bits that are not looked
    at.
    """
    marks = MARKS >> 32 * (LANES - lanes)
    return (those + marks - these - (marks >> 16)) & marks == marks


def _is_bitset(data: bytes, cardinality: int) -> bool:
    if len(data) != NO_RUNS.size + BITSET_BYTES:
        return False
    return int.from_bytes(data[NO_RUNS.size :], "little").bit_count() == cardinality


def _is_runs(data: bytes, cardinality: int, runs: int) -> bool:
    if len(data) != RUNS.size + 4 * runs:
        return False
    words = unpack_from(f"<{2 * runs}H", data, RUNS.size)
    starts, lengths = words[::2], words[1::2]
    if sum(lengths) + runs != cardinality:
        return False
    ends = tuple(map(add, starts, lengths))
    return ends[-1] <= LAST and all(end + 1 < start for end, start in zip(ends, starts[1:], strict=False))
