"""This module turns an outbox, which is what is committed, into the acknowledgements that are sent. It is pure.

For example, an outbox in which partition 7 waits through 120100 and UNBOUND is said of 7-120033 gives one
acknowledgement: `received` 7 through 120100, and UNBOUND for bit 54497 of the segment at 65536.

Rules:
1. Every acknowledgement carries `received` of the whole outbox, so each is valid by itself: no bit lies beyond it.
2. NOT_BOUND is never said of a case that another outcome is said of, because together they are a dispute.
3. An acknowledgement has at most 1,024 segments (`hub.core.coverage.SEGMENTS_MAX`) and, with room for its frame, 256
   KiB (`hub.wire.contracts.LIMITS_BYTES`); what is more is sent in several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from pyroaring import BitMap

from hub.core.coverage import SEGMENTS_MAX, pack, unpack
from hub.core.model import (
    SEGMENT,
    Acknowledgement,
    Action,
    BitmapSegment,
    Outcome,
    OutcomeReason,
    OutcomeSet,
    ReceivedThrough,
)
from hub.sdk.accounts import Outbox, SaidKey
from hub.wire.contracts import LIMITS_BYTES

RECEIVED_BYTES = 48
"""One `received` entry has at most so many: a partition and an offset as varints, 32 bytes of digest, some reserve."""

SEGMENT_FRAME_BYTES = 64
"""At most so many are around one bitmap: its base and length, and the other fields of its outcome set."""

FRAME_BYTES = 1_024
"""This is room for the header, the platform's id, the log's id and the time."""

Actions = Mapping[Outcome, tuple[Action, ...]]


def positions_said(acks: Iterable[Acknowledgement]) -> dict[str, int]:
    """Return how many positions acknowledgements name, by outcome."""
    counts: Counter[str] = Counter()
    for ack in acks:
        for one in ack.outcomes:
            counts[str(one.outcome)] += sum(len(unpack(segment.bitmap)) for segment in one.cases)
    return dict(counts)


def in_words(acks: Sequence[Acknowledgement]) -> str:
    """Return what acknowledgements say, for a person to read before they are signed."""
    lines = [f"{outcome}: {count} positions" for outcome, count in sorted(positions_said(acks).items())]
    return "; ".join(lines) or "received, and no outcome"


def acknowledgements(outbox: Outbox, platform: str, sent_at: int, actions: Actions) -> list[Acknowledgement]:
    """Return the acknowledgements of an outbox; the list is empty if nothing waits.

    Args:
        sent_at: UTC milliseconds.
        actions: what each outcome means on this platform, as actions.
    """
    if not outbox.waiting or outbox.log_id is None:
        return []
    received = tuple(
        ReceivedThrough(partition, one.through, one.digest) for partition, one in sorted(outbox.waiting.items())
    )
    room_bytes = LIMITS_BYTES[Acknowledgement] - FRAME_BYTES - len(platform) * 4 - RECEIVED_BYTES * len(received)
    loads = list(_loads(_segments(outbox.said), room_bytes)) or [[]]
    return [
        Acknowledgement(platform, outbox.log_id, sent_at, received, tuple(_outcome_sets(load, actions)))
        for load in loads
    ]


def covered_until(outbox: Outbox) -> int:
    """Return the greatest `published_at` an outbox covers, UTC milliseconds."""
    return max(one.published_at for one in outbox.waiting.values())


def _segments(said: Mapping[SaidKey, BitMap]) -> Iterator[tuple[SaidKey, BitmapSegment]]:
    others: dict[tuple[int, int], list[BitMap]] = {}
    for key, bits in said.items():
        if key.outcome is not Outcome.NOT_BOUND:
            others.setdefault(key[:2], []).append(bits)
    for key in sorted(said, key=lambda one: (one.partition, one.outcome, one.reason or "", one.segment)):
        bits = said[key]
        if key.outcome is Outcome.NOT_BOUND:
            bits = bits.difference(*others.get(key[:2], ()))
        elif key.reason is None:  # what is said with a reason is not said without it as well
            bits = bits.difference(*(said.get(key._replace(reason=one), BitMap()) for one in OutcomeReason))
        if bits:
            yield key, BitmapSegment(key.segment * SEGMENT, pack(bits))


def _loads(
    segments: Iterable[tuple[SaidKey, BitmapSegment]], room_bytes: int
) -> Iterator[list[tuple[SaidKey, BitmapSegment]]]:
    load: list[tuple[SaidKey, BitmapSegment]] = []
    load_bytes = 0
    for key, segment in segments:
        size = len(segment.bitmap) + SEGMENT_FRAME_BYTES
        if load and (len(load) == SEGMENTS_MAX or load_bytes + size > room_bytes):
            yield load
            load, load_bytes = [], 0
        load.append((key, segment))
        load_bytes += size
    if load:
        yield load


def _outcome_sets(load: list[tuple[SaidKey, BitmapSegment]], actions: Actions) -> Iterator[OutcomeSet]:
    for key, group in groupby(load, key=lambda one: one[0]._replace(segment=0)):
        cases = tuple(segment for _, segment in group)
        yield OutcomeSet(key.outcome, key.partition, cases, actions.get(key.outcome, ()), key.reason)
