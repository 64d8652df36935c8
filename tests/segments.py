"""Positions as the segments that an acknowledgement carries: what a platform of the tests writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyroaring import BitMap

from hub.core.coverage import pack
from hub.core.model import SEGMENT, BitmapSegment


def split_positions(offsets: Iterable[int]) -> Iterator[BitmapSegment]:
    """Offsets of one partition as segments."""
    by_segment: dict[int, BitMap] = {}
    for offset in offsets:
        by_segment.setdefault(offset // SEGMENT, BitMap()).add(offset % SEGMENT)
    for segment in sorted(by_segment):
        yield BitmapSegment(segment * SEGMENT, pack(by_segment[segment]))
