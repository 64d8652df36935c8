"""This module decides which acknowledgements count, and what they say.

An acknowledgement that breaks a rule is ignored as a whole. It must be canonical, and be in the partition of its key,
which is its platform. A key of that platform, valid at the record's time, must have signed it. It must be of this log,
and name each partition at most once, with a notice that exists and was not recorded more than a second after it, and
with the SHA-256 of that notice's value. It must hold whole segments, at most 1,024, and no bit beyond what it says was
received. If a key named `delivery/…` signed it, it may only say what was received. For example, one that says UNBOUND
of 7-120033 but `received` 7 through 120000 is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from aiokafka.partitioner import murmur2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.model import Record
from hub.recount.bitmaps import SEGMENT, offsets_in
from hub.recount.cases import Position
from hub.recount.wire import Message, read

AHEAD_MS = 1_000
SEGMENTS_MAX = 1_024
SIGNATURE_BYTES = 64


class Hub(NamedTuple):
    """This is what is needed to judge acknowledgements.

    `platforms` has the newest roster record of each platform, for its keys; `notices` has the record of every notice in
    the log.
    """

    hub_id: str
    log_id: bytes
    partitions: int
    platforms: Mapping[str, Message]
    notices: Mapping[Position, Record]


class Heard(NamedTuple):
    """This is what an acknowledgement says."""

    platform: str
    received: dict[int, int]
    said: list[tuple[str, Position]]


class Refused(Exception):
    """The acknowledgement breaks a rule; the message says which."""


def hear(record: Record, hub: Hub) -> Heard:
    """Return what an acknowledgement says.

    Raises:
        Refused: it does not count.
    """
    ack = read("acknowledgement", record.value)
    if ack is None:
        raise Refused("not a canonical acknowledgement")
    platform = ack["platform"]
    if record.key != platform.encode():
        raise Refused("its key is not its platform")
    if (murmur2(record.key) & 0x7FFFFFFF) % hub.partitions != record.partition:
        raise Refused("in a partition that is not its key's")
    _check_signature(record, hub, platform)
    if ack["log_id"] != hub.log_id:
        raise Refused("of another log")
    if ack["outcomes"] and _signed_by_delivery(record):
        raise Refused("the hub's delivery may say what was received alone")
    received = _received(ack, record, hub)
    return Heard(platform, received, _said(ack, received))


def _check_signature(record: Record, hub: Hub, platform: str) -> None:
    signatures = [value for name, value in record.headers if name == "signature"]
    names = [value for name, value in record.headers if name == "key-id"]
    if len(signatures) != 1 or len(names) != 1 or len(signatures[0] or b"") != SIGNATURE_BYTES:
        raise Refused("not one signature by one key")
    message = b"\0".join((b"unbind-hub/v1", hub.hub_id.encode(), record.topic.encode(), record.value or b""))
    for key in hub.platforms.get(platform, {}).get("keys", ()):
        if key["key_id"].encode() == names[0] and _counts_at(key, record.record_time):
            try:
                Ed25519PublicKey.from_public_bytes(key["public"]).verify(signatures[0], message)
            except (InvalidSignature, ValueError):
                continue
            return
    raise Refused("no valid key of the platform signed it")


def _signed_by_delivery(record: Record) -> bool:
    return any(name == "key-id" and value.startswith(b"delivery/") for name, value in record.headers)


def _counts_at(key: Message, at_ms: int) -> bool:
    ends = [end for end in (key["valid_until"], key["revoked_at"]) if end is not None]
    return bool(key["valid_from"] <= at_ms) and all(at_ms < end for end in ends)


def _received(ack: Message, record: Record, hub: Hub) -> dict[int, int]:
    received: dict[int, int] = {}
    for one in ack["received"]:
        if one["partition"] in received:
            raise Refused("a partition twice")
        notice = hub.notices.get((one["partition"], one["through"]))
        if notice is None:
            raise Refused("received what is not there")
        if notice.record_time > record.record_time + AHEAD_MS:
            raise Refused("received what was recorded later")
        if sha256(notice.value or b"").digest() != one["digest"]:
            raise Refused("gives another digest than the notice's")
        received[one["partition"]] = one["through"]
    return received


def _said(ack: Message, received: Mapping[int, int]) -> list[tuple[str, Position]]:
    if sum(len(one["cases"]) for one in ack["outcomes"]) > SEGMENTS_MAX:
        raise Refused("too many segments")
    said = []
    for one in ack["outcomes"]:
        if one["outcome"] == "UNKNOWN" or not -(2**31) <= one["partition"] < 2**31:
            raise Refused("not a canonical acknowledgement")
        for part in one["cases"]:
            offsets = offsets_in(part["bitmap"])
            if offsets is None or part["base"] < 0 or part["base"] % SEGMENT:
                raise Refused("not a segment")
            if offsets and part["base"] + offsets[-1] > received.get(one["partition"], -1):
                raise Refused("says what it did not receive")
            said += [(one["outcome"], (one["partition"], part["base"] + offset)) for offset in offsets]
    return said
