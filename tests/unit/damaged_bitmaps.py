"""Feeds damaged bitmaps to the hub and says, as JSON, what became of them. Run as a process of its own: the reader
behind is C, and a crash should be seen as one. Arguments: seed, how many.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator

from pyroaring import BitMap

from hub.core.coverage import pack, unpack
from hub.core.roaring import is_segment


def seeds() -> list[bytes]:
    """Sound bitmaps of every form, and some of more than one segment."""
    within = [[], [1], [1, 5, 900], range(100, 400), range(65_536), range(0, 65_536, 2), range(0, 9_000, 5)]
    beyond = [[1, 70_000, 200_000], [*range(100), *range(70_000, 70_100)], [65_536 * one for one in range(6)]]
    sets = [BitMap(one) for one in (*within, *beyond)]
    return [pack(one) for one in sets] + [bytes(one.serialize()) for one in sets]


def _flip(chance: random.Random, data: bytearray, _others: list[bytes]) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(chance: random.Random, data: bytearray, _others: list[bytes]) -> None:
    data[chance.randrange(min(len(data), 24))] = chance.randrange(256)


def _insert(chance: random.Random, data: bytearray, _others: list[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.randrange(1, 5))


def _delete(chance: random.Random, data: bytearray, _others: list[bytes]) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 9)]


def _cut(chance: random.Random, data: bytearray, _others: list[bytes]) -> None:
    del data[chance.randrange(len(data)) :]


def _splice(chance: random.Random, data: bytearray, others: list[bytes]) -> None:
    other = chance.choice(others)
    data[chance.randrange(len(data) + 1) :] = other[chance.randrange(len(other) + 1) :]


def _lie(chance: random.Random, data: bytearray, _others: list[bytes]) -> None:
    """Put a telling number where cookies, counts, keys, cardinalities and offsets stand."""
    at = chance.randrange(min(len(data), 20))
    data[at : at + 2] = struct.pack("<H", chance.choice([0, 1, 2, 4_095, 4_096, 12_346, 12_347, 32_768, 65_535]))


CHANGES: tuple[Callable[[random.Random, bytearray, list[bytes]], None], ...] = (
    _flip,
    _overwrite,
    _insert,
    _delete,
    _cut,
    _splice,
    _lie,
)


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """Sound bitmaps with one to five things done to them."""
    chance = random.Random(seed)
    sound = seeds()
    for _ in range(count):
        data = bytearray(chance.choice(sound))
        for _ in range(chance.choice([1, 1, 1, 2, 3, 5])):
            if data:
                chance.choice(CHANGES)(chance, data, sound)
        yield bytes(data)


def meaning(data: bytes) -> list[int]:
    """The offsets in one container, straight from RoaringFormatSpec, trusting its cookie alone."""
    if data[:2] == b"\x3b\x30":
        (runs,) = struct.unpack_from("<H", data, 9)
        pairs = struct.iter_unpack("<HH", data[11 : 11 + 4 * runs])
        return [start + more for start, length in pairs for more in range(length + 1)]
    if len(data) == 8:
        return []
    if int.from_bytes(data[10:12], "little") >= 4_096:
        bits = int.from_bytes(data[16:], "little")
        return [offset for offset, bit in enumerate(reversed(f"{bits:b}")) if bit == "1"]
    return [value for (value,) in struct.iter_unpack("<H", data[16:])]


def main(seed: int, count: int) -> dict[str, float]:
    """Feed them; an exception ends the process."""
    accepted = wrong = missed = 0
    slowest_ms = 0.0
    for data in mutants(seed, count):
        began = time.thread_time()
        bits = unpack(data) if is_segment(data) else None
        slowest_ms = max(slowest_ms, 1_000 * (time.thread_time() - began))
        if bits is not None:
            accepted += 1
            wrong += list(bits) != meaning(data) or any(offset > 65_535 for offset in bits)
        else:
            missed += _is_sound(data)
    return {"accepted": accepted, "wrong": wrong, "missed": missed, "slowest_ms": slowest_ms}


def _is_sound(data: bytes) -> bool:
    """Whether the C library takes a refused one, calls it within the segment and writes it the very same."""
    if not data:
        return False
    try:
        bits = BitMap.deserialize(data)
    except ValueError:
        return False
    return (not bits or bits.max() < 65_536) and data in (pack(bits), bytes(bits.serialize()))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
