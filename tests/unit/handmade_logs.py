"""A hub's logs written by hand, for the tests of the recount."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from pyroaring import BitMap

from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Acknowledgement,
    AsOf,
    BitmapSegment,
    HubLog,
    Key,
    Names,
    Outcome,
    OutcomeSet,
    Platform,
    PlatformState,
    ReceivedThrough,
    Record,
    ReleaseNotice,
    Source,
    Stage,
    Subject,
)
from hub.recount import Logs, compute
from hub.wire.contracts import ACKS, HUB, PLATFORMS, RELEASES, encode, partition_of
from hub.wire.signing import Signer

PARTITIONS = 3
LOG_ID = b"l" * 16
DIGEST = b"d" * 32
T0 = 1_750_000_000_000
BANK = Signer.from_seed("bank-1", b"b" * 32, "h")
OTHER = Signer.from_seed("shop-1", b"s" * 32, "h")


def platform_of(signer: Signer, **changes: Any) -> Platform:
    """A connected bank-like platform with one key, valid for 300 days."""
    name = signer.key_id.removesuffix("-1")
    key = Key(signer.key_id, signer.public, T0, T0 + 300 * DAY_MS)
    made = Platform(name, Names(name, name), "bank", 1, PlatformState.CONNECTED, keys=(key,))
    return made._replace(**changes)


@dataclass
class HandmadeLogs:
    """Logs written by hand. Ten cases are open in partition 0, each published an hour after the one before."""

    releases: list[Record] = field(default_factory=list)
    acks: list[Record] = field(default_factory=list)
    platforms: list[Record] = field(default_factory=list)
    reported: list[Record] = field(default_factory=list)
    coverage: list[Record] = field(default_factory=list)
    now_ms: int = T0 + 100 * DAY_MS

    def enrol(self, platform: Platform) -> None:
        """Put a platform on the roster."""
        self.platforms.append(record_of(PLATFORMS, 0, len(self.platforms), platform.id.encode(), encode(platform)))

    def tell(self, number: str, stage: Stage, opened_at: int | None = None, **changes: Any) -> int:
        """Publish a notice; its offset."""
        offset = len(self.releases)
        at = T0 + offset * HOUR_MS
        notice = ReleaseNotice(
            *(stage, opened_at, Subject("e164", number), "north", at, at, at, at + 60 * DAY_MS, at + 65 * DAY_MS),
            *(0, b"e" * 16, DIGEST, Source(0, offset * 2), LOG_ID),
        )
        self.releases.append(record_of(RELEASES, 0, offset, number.encode(), encode(notice._replace(**changes)), at))
        return offset

    def say(self, outcome: Outcome, *offsets: int, **changes: Any) -> Record:
        """The bank acknowledges an outcome of cases in partition 0, everything received."""
        ack = ack_of([set_of(outcome, offsets)], self.received(len(self.releases) - 1))
        return self.send(encode(ack._replace(**changes)))

    def received(self, through: int) -> ReceivedThrough:
        """What is said of partition 0 by whoever received it through an offset."""
        return ReceivedThrough(0, through, sha256(self.releases[through].value or b"").digest())

    def send(self, value: bytes, /, signer: Signer = BANK, **changes: Any) -> Record:
        """An acknowledgement as bytes, signed."""
        home = partition_of(b"bank", PARTITIONS)
        record = record_of(ACKS, home, len(self.acks), b"bank", value, self.now_ms, signer.headers(ACKS, value))
        self.acks.append(record._replace(**changes))
        return self.acks[-1]

    def logs(self) -> Logs:
        """All of it."""
        hub = record_of(HUB, 0, 0, b"", encode(HubLog(LOG_ID, "h", PARTITIONS, "record", T0)))
        return Logs([hub], self.releases, self.acks, self.platforms, self.reported, self.coverage)

    def as_of(self) -> AsOf:
        """Where the logs end."""
        home = partition_of(b"bank", PARTITIONS)
        ends = (len(self.acks), len(self.platforms), self.now_ms, len(self.reported))
        return AsOf((len(self.releases), 0, 0), home, *ends)

    def figures(self) -> dict[str, Any]:
        """The bank's figures at the end of the logs."""
        return compute(self.logs(), "bank", self.as_of())


def record_of(
    topic: str,
    partition: int,
    offset: int,
    key: bytes,
    value: bytes,
    at: int = T0,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> Record:
    """One record of a log."""
    return Record(topic, partition, offset, at, key, value, headers)


def bitmap_of(offsets: Iterable[int]) -> bytes:
    """Offsets as the C library writes them."""
    return bytes(BitMap(offsets).serialize())


def set_of(outcome: Outcome, offsets: Iterable[int], partition: int = 0, base: int = 0) -> OutcomeSet:
    """An outcome of positions in one segment."""
    return OutcomeSet(outcome, partition, (BitmapSegment(base, bitmap_of(offsets)),))


def ack_of(outcomes: Iterable[OutcomeSet], *received: ReceivedThrough) -> Acknowledgement:
    """The bank's acknowledgement of what it received."""
    return Acknowledgement("bank", LOG_ID, T0, received, tuple(outcomes))


def ten_cases() -> HandmadeLogs:
    """Ten open cases, a bank and a shop."""
    made = HandmadeLogs()
    made.enrol(platform_of(BANK))
    made.enrol(platform_of(OTHER))
    for number in range(10):
        made.tell(f"+861340000000{number}", Stage.COOLING)
    return made
