"""What acknowledgements say, by small blocks of positions, so that a case's effects are found without reading acks.

An acknowledgement names positions by segments of 65,536; a thousand platforms send thousands of them about each
segment, and to look for one case in all of those is to read them all. So what it says is kept by blocks of 1,024
positions, only those it touches: first and last position, and the bits between unless they are all set. A case is
looked for in its block alone, where the index leaves out rows that do not reach it and PostgreSQL tests the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from hub.archive.rows import EffectRow
from hub.core.coverage import Addition
from hub.core.model import SEGMENT, Record

BLOCK = 1_024


def effects_of(record: Record, platform: str, additions: Iterable[Addition]) -> Iterator[EffectRow]:
    """The rows of what an acknowledgement says, in the order it says it."""
    seq = 0
    for partition, segment, outcome, bits in additions:
        for first, last, rest in _blocks(np.array(bits.to_array(), dtype=np.int64)):
            base = segment * SEGMENT + first
            yield EffectRow(
                record.partition,
                record.offset,
                seq,
                record.record_time,
                platform,
                outcome,
                partition,
                base // BLOCK,
                base,
                segment * SEGMENT + last,
                rest,
            )
            seq += 1


def _blocks(bits: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[tuple[int, int, bytes | None]]:
    """First and last bit of each block touched, and the bits from the first on, or None if all are set."""
    starts = np.flatnonzero(np.diff(bits // BLOCK, prepend=-1))
    for one in np.split(bits, starts[1:]):
        first, last = int(one[0]), int(one[-1])
        if last - first + 1 == len(one):
            yield first, last, None
            continue
        field = np.zeros(last - first + 1, dtype=np.uint8)
        field[one - first] = 1
        yield first, last, np.packbits(field, bitorder="little").tobytes()
