"""What the benchmarks send, made fast: one encoded message of each shape, then bytes of the same length spliced in.

The first message of every shape is compared with what `hub.wire.contracts.encode` gives for the same value.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap

from hub.core.coverage import pack
from hub.core.model import (
    DAY_MS,
    SEGMENT,
    Acknowledgement,
    BitmapSegment,
    EventType,
    Key,
    Names,
    NumberEvent,
    Operator,
    Outcome,
    OutcomeSet,
    Platform,
    PlatformState,
    ReceivedThrough,
    ReleaseNotice,
    Source,
    Stage,
    Subject,
)
from hub.wire.contracts import encode, partition_of
from hub.wire.signing import KEY_ID_HEADER, SIGNATURE_BYTES, SIGNATURE_HEADER, Signer

OPERATOR = "bench-operator"
RANGE = "+86135"
NUMBERS_MAX = 100_000_000
POOL = 512
"""Different bitmaps a shape of acknowledgement is sent with, per outcome."""

OUTCOMES = ((Outcome.NOT_BOUND, 30), (Outcome.UNBOUND, 1), (Outcome.FROZEN, 1))
"""Of 32 messages, so many say this, each of positions the others do not name."""

PARTITIONS_APART = 64
"""More than a hub of the benchmarks has partitions."""

RESTORED_EVERY = 20
"""Of intake's events, every twentieth restores the number before it."""

Message = tuple[bytes, bytes, tuple[tuple[str, bytes], ...], int]
"""Key, value, headers, partition."""


def platform_id(number: int) -> str:
    """The id of a platform of the benchmarks; all of one length."""
    return f"platform-{number:04d}"


def platform_signer(number: int, hub_id: str) -> Signer:
    """Its key, the same in every run."""
    return Signer.from_seed(f"key-{number:04d}", hashlib.sha256(f"platform {number}".encode()).digest(), hub_id)


def platform(number: int, hub_id: str) -> Platform:
    """Its roster record."""
    name = platform_id(number)
    keys = (Key(f"key-{number:04d}", platform_signer(number, hub_id).public, 0),)
    return Platform(name, Names(name, name), "bench", 1 + number % 3, PlatformState.CONNECTED, keys=keys)


def operator_signer(hub_id: str) -> Signer:
    """The operator's key."""
    return Signer.from_seed("bench-operator-1", hashlib.sha256(b"operator").digest(), hub_id)


def operator(hub_id: str) -> Operator:
    """The only operator of the benchmarks."""
    keys = (Key("bench-operator-1", operator_signer(hub_id).public, 0),)
    return Operator(OPERATOR, Names(OPERATOR, OPERATOR), (RANGE,), keys=keys)


def number_of(index: int) -> str:
    """A valid number for every index."""
    return f"{RANGE}{index % NUMBERS_MAX:08d}"


def _long(value: int) -> bytes:
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def notices(partition: int, count: int, log_id: bytes, now_ms: int) -> Iterator[tuple[bytes, bytes]]:
    """Opening notices of one partition, as the hub writes them: key and value."""
    number, event_id, digest = number_of(0), b"\xee" * 16, b"\xdd" * 32
    source = Source(partition, 2**40)
    notice = ReleaseNotice(
        stage=Stage.COOLING,
        opened_at=None,
        subject=Subject("e164", number),
        operator=OPERATOR,
        occurred_at=now_ms,
        published_at=now_ms,
        bound_before=now_ms,
        cooling_until=now_ms + 60 * DAY_MS,
        reissue_not_before=now_ms + 70 * DAY_MS,
        reminders=0,
        event_id=event_id,
        event_digest=digest,
        source=source,
        log_id=log_id,
    )
    head, _, rest = encode(notice).partition(number.encode())
    middle, _, rest = rest.partition(event_id + digest)
    before_offset, _, tail = rest.partition(_long(source.offset))
    for offset in range(count):
        # Spread over the numbers so that no two partitions share one.
        key = number_of(offset * PARTITIONS_APART + partition).encode()
        identity = (offset.to_bytes(8, "big") + partition.to_bytes(8, "big")) * 3
        yield key, b"".join((head, key, middle, identity, before_offset, _long(offset), tail))


@dataclass(frozen=True)
class AckShape:
    """Acknowledgements of one size.

    Args of each: positions a message names, scattered over a segment; through, the last offset of every
    partition of `releases`; digests, of the notice there by partition; platforms that send; signed or with an
    empty signature.
    """

    positions: int
    through: int
    digests: tuple[bytes, ...]
    platforms: int
    signed: bool
    hub_id: str
    log_id: bytes
    partitions: int

    def messages(self, count: int, seed: int = 1) -> Iterator[Message]:
        """Messages of all platforms in turn, each walking through the segments of the log from first to last."""
        chance = np.random.default_rng(seed)
        segments = self.through // SEGMENT + 1
        frames = _Frames(self)
        who = chance.integers(0, self.platforms, count)
        where = chance.integers(0, self.partitions, count)
        which = chance.integers(0, POOL, count)
        said = np.repeat(np.arange(len(OUTCOMES)), [share for _, share in OUTCOMES])[chance.integers(0, 32, count)]
        for index in range(count):
            segment = index * segments // count
            yield frames.message(int(who[index]), int(where[index]), segment, int(said[index]), int(which[index]))


class _Frames:
    """The bytes around the bitmaps, by (platform, partition, segment, outcome)."""

    def __init__(self, shape: AckShape) -> None:
        self._shape = shape
        self._frames: dict[tuple[int, int, int, int], tuple[bytes, bytes]] = {}
        self._signers = [platform_signer(one, shape.hub_id) for one in range(shape.platforms)]
        self._homes = [partition_of(platform_id(one).encode(), shape.partitions) for one in range(shape.platforms)]
        self._pools = {segment: self._pool(segment) for segment in range(shape.through // SEGMENT + 1)}

    def _pool(self, segment: int) -> list[list[bytes]]:
        span = min(SEGMENT, self._shape.through + 1 - segment * SEGMENT)
        chance = np.random.default_rng(segment)
        return [[self._bitmap(span, place, chance) for _ in range(POOL)] for place in range(len(OUTCOMES))]

    def _bitmap(self, span: int, place: int, chance: np.random.Generator) -> bytes:
        of_outcome = np.arange(span, dtype=np.uint32)
        of_outcome = of_outcome[of_outcome % 8 == place] if place else of_outcome[of_outcome % 8 >= len(OUTCOMES)]
        return pack(BitMap(chance.choice(of_outcome, self._shape.positions, replace=False)))

    def message(self, who: int, where: int, segment: int, said: int, which: int) -> Message:
        bitmap = self._pools[segment][said][which]
        frame = self._frames.get((who, where, segment, said))
        if frame is None:
            before, _, after = self._whole(who, where, segment, said, bitmap).rpartition(bitmap)
            frame = self._frames[who, where, segment, said] = (before, after)
        value = frame[0] + bitmap + frame[1]
        return platform_id(who).encode(), value, self._headers(who, value), self._homes[who]

    def _whole(self, who: int, where: int, segment: int, said: int, bitmap: bytes) -> bytes:
        shape = self._shape
        cases = (BitmapSegment(segment * SEGMENT, bitmap),)
        received = (ReceivedThrough(where, shape.through, shape.digests[where]),)
        outcomes = (OutcomeSet(OUTCOMES[said][0], where, cases),)
        return encode(Acknowledgement(platform_id(who), shape.log_id, 1_790_000_000_000, received, outcomes))

    def _headers(self, who: int, value: bytes) -> tuple[tuple[str, bytes], ...]:
        signer = self._signers[who]
        if self._shape.signed:
            return signer.headers("acks", value)
        return ((SIGNATURE_HEADER, bytes(SIGNATURE_BYTES)), (KEY_ID_HEADER, signer.key_id.encode()))


def events(
    first: int, count: int, hub_id: str, partitions: int, now_ms: int, *, openers_only: bool = False
) -> Iterator[Message]:
    """Signed events of numbers from an index on: openers, and now and then the restoring of one before."""
    signer = operator_signer(hub_id)
    for index in range(first, first + count):
        restores = not openers_only and index % RESTORED_EVERY == RESTORED_EVERY - 1
        number = number_of(index - restores)
        value = encode(_event(number, uuid.uuid4().bytes, now_ms, restores=restores))
        key = number.encode()
        yield key, value, signer.headers("events", value), partition_of(key, partitions)


def _event(number: str, event_id: bytes, now_ms: int, *, restores: bool) -> NumberEvent:
    if restores:
        return NumberEvent(event_id, OPERATOR, number, EventType.RESTORED, now_ms)
    until = now_ms + 60 * DAY_MS
    return NumberEvent(
        event_id,
        OPERATOR,
        number,
        EventType.COOLING,
        now_ms,
        cooling_until=until,
        reissue_not_before=until + 10 * DAY_MS,
    )
