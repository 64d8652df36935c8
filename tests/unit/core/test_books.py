"""The books of platforms: who of them says that a case's number is in use."""

from __future__ import annotations

from pyroaring import BitMap

from hub.core.acks import OpenedAck
from hub.core.books import AckBooks
from hub.core.coverage import pack, read_outcomes
from hub.core.model import (
    SEGMENT,
    Acknowledgement,
    BitmapSegment,
    Names,
    Outcome,
    OutcomeReason,
    OutcomeSet,
    Platform,
    PlatformState,
    ReceivedThrough,
    Record,
    Source,
)
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe

CASE = Source(3, SEGMENT + 7)


class NoNotice:
    """No notice is known, and none is asked for."""

    def digest_of(self, partition: int, offset: int) -> bytes:
        raise KeyError((partition, offset))


def books(*tiers: int) -> AckBooks:
    """Books of platforms p1, p2, … with these tiers."""
    platforms = [Platform(f"p{tier}", Names("p", "p"), "x", tier, PlatformState.CONNECTED) for tier in tiers]
    found = AckBooks(Universe(), NoNotice(), Roster(platforms={one.id: one for one in platforms}), Disputes())
    found.sync_roster(0)
    return found


def say(platform: str, outcome: Outcome, reason: OutcomeReason | None) -> OpenedAck:
    """An acknowledgement about the case alone; it names no partition as received, so nothing is beyond the log."""
    bits = pack(BitMap([CASE.offset % SEGMENT]))
    said = OutcomeSet(outcome, CASE.partition, (BitmapSegment(SEGMENT, bits),), (), reason)
    ack = Acknowledgement(platform, bytes(16), 0, (), (said,))
    additions = read_outcomes(ack._replace(received=(ReceivedThrough(*CASE, bytes(32)),)))
    assert isinstance(additions, list)
    return OpenedAck(Record("acks", 0, 0, 0, None, None, ()), None, None, ack, tuple(additions))


def test_platforms_that_say_in_use_are_counted_by_case() -> None:
    """Of each case it is known which platforms, of which tier, declined it because the number is in use; once each."""
    found = books(1, 2, 3)
    for platform, outcome, reason in (
        ("p1", Outcome.DECLINED, OutcomeReason.IN_USE),
        ("p1", Outcome.DECLINED, OutcomeReason.IN_USE),
        ("p2", Outcome.DECLINED, None),
        ("p3", Outcome.FROZEN, OutcomeReason.IN_USE),
    ):
        assert found.merge(say(platform, outcome, reason)) is None
    assert [(one.id, one.tier) for one in found.in_use(CASE)] == [("p1", 1)]
    assert found.in_use(CASE._replace(offset=CASE.offset + 1)) == []
    found.merge(say("p2", Outcome.DECLINED, OutcomeReason.IN_USE))
    assert [one.tier for one in found.in_use(CASE)] == [1, 2]


def test_what_is_in_use_outlives_a_restart_in_the_tiles() -> None:
    """A tile that is stored and read back says the same, and its reader of before finds the case declined."""
    found = books(1)
    found.merge(say("p1", Outcome.DECLINED, OutcomeReason.IN_USE))
    key = (CASE.partition, CASE.offset // SEGMENT)
    stored = found.book("p1").tile(key).packed()
    fresh = books(1)
    fresh.book("p1").tile(key).merge(stored)
    assert [one.id for one in fresh.in_use(CASE)] == ["p1"]
    assert fresh.book("p1").tile(key).of(Outcome.DECLINED) == BitMap([CASE.offset % SEGMENT])
