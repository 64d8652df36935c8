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

from operator import add
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
LANES = ARRAY_MAX // 2
LOW_HALVES = int.from_bytes(b"\xff\xff\0\0" * LANES, "little")
MARKS = int.from_bytes(b"\0\0\1\0" * LANES, "little")


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
    return cardinality == 1 or _rises(data[NO_RUNS.size :])


def _rises(words: bytes) -> bool:
    """Whether 16-bit words rise: every other one as lanes of 32 bits of one large number, compared all at once."""
    count, number = len(words) // 2, int.from_bytes(words, "little")
    even, odd = number & LOW_HALVES, (number >> 16) & LOW_HALVES
    return _all_less(even, odd, count // 2) and _all_less(odd, even >> 32, (count - 1) // 2)


def _all_less(these: int, those: int, lanes: int) -> bool:
    """Whether in each of the first lanes this is less than that.

    From that with bit 16 set, this and one are taken: bit 16 stays set just where that is greater, and no lane
    borrows from the next. What lies beyond the lanes borrows only from what is not looked at.
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
