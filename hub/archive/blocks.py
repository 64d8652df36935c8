"""This module splits acknowledgements into small blocks of positions, to find a case's effects without reading acks.

An acknowledgement names positions by segments of 65,536. A thousand platforms send thousands of acknowledgements about
each segment, and a search for one case would have to read them all. So the archive keeps what an acknowledgement says
in blocks of 1,024 positions, and only the blocks that it touches: the first and the last position, and the bits between
them unless all are set. A query looks in the case's block alone: the index skips the rows that do not reach the case,
and PostgreSQL tests the bit. For example, an acknowledgement of positions 5 to 9 of partition 7 becomes one row of
block 0 with first 5, last 9 and no bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from hub.archive.rows import EffectRow
from hub.core.coverage import Addition
from hub.core.model import SEGMENT, Record

BLOCK = 1_024


def effects_of(record: Record, platform: str, additions: Iterable[Addition]) -> Iterator[EffectRow]:
    """Return the rows of what an acknowledgement says, in the order in which it says it."""
    seq = 0
    for partition, segment, outcome, bits, _ in additions:
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
    """Yield the first and last bit of each block touched, and the bits from the first on, or None if all are set."""
    starts = np.flatnonzero(np.diff(bits // BLOCK, prepend=-1))
    for one in np.split(bits, starts[1:]):
        first, last = int(one[0]), int(one[-1])
        if last - first + 1 == len(one):
            yield first, last, None
            continue
        field = np.zeros(last - first + 1, dtype=np.uint8)
        field[one - first] = 1
        yield first, last, np.packbits(field, bitorder="little").tobytes()
