"""The portable Roaring form of one segment, proven before the C library sees it.

What a stranger sends as a bitmap of offsets within 65,536 positions is one container or none, and exactly one of
(RoaringFormatSpec, github.com/RoaringBitmap/RoaringFormatSpec; all numbers little-endian):
- empty: cookie 12346, no containers; 8 bytes;
- array: cookie 12346, 1 container, key 0, cardinality - 1 (at most 4,095), offset 16, then the values, rising;
- bitset: the same with a cardinality of 4,097 and more, then 65,536 bits, as many of them set;
- runs: cookie 12347, flag 1, key 0, cardinality - 1, count, then (start, length - 1) rising, apart from each other.

Written out here because the reader in C is not one to trust with it: pyroaring 1.0 dies of empty bytes and of a
bitset that lies about its cardinality, and 1.2 raises IndexError on the first and ignores bytes left over.
"""

from __future__ import annotations

from operator import add, lt
from struct import Struct, unpack_from

NO_RUNS = Struct("<IIHHI")
"""Cookie, containers, key, cardinality - 1, offset of the container."""
RUNS = Struct("<HHBHHH")
"""Cookie, containers - 1, flags of which are runs, key, cardinality - 1, runs."""
EMPTY = bytes.fromhex("3a300000 00000000")
COOKIE_NO_RUNS = 12_346
COOKIE_RUNS = 12_347
ARRAY_MAX = 4_096
BITSET_BYTES = 8_192
LAST = 65_535
COMPARED_AT_ONCE_MIN = 48
"""Words of an array from which on one comparison of large numbers is cheaper than many of small ones."""


def is_segment(data: bytes) -> bool:
    """Whether bytes are the portable form of a set of offsets below 65,536, whole and in order."""
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
    if cardinality < COMPARED_AT_ONCE_MIN:
        values = unpack_from(f"<{cardinality}H", data, NO_RUNS.size)
        return all(map(lt, values, values[1:]))
    return _rises(data[NO_RUNS.size :])


def _rises(words: bytes) -> bool:
    """Whether 16-bit words rise, all compared at once: the words lie in lanes of 32 bits of one large number.

    From each word's successor with bit 16 set the word and one are taken. Where the successor is the greater that
    leaves bit 16 set, else it clears it; no lane ever borrows from the next.
    """
    pairs = len(words) // 2 - 1
    lanes = bytearray(4 * (pairs + 1))
    lanes[0::4], lanes[1::4] = words[0::2], words[1::2]
    these, marks = int.from_bytes(lanes[:-4], "little"), int.from_bytes(b"\0\0\1\0" * pairs, "little")
    ones = marks >> 16
    return (int.from_bytes(lanes[4:], "little") + marks - these - ones) & marks == marks


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
