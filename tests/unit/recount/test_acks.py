"""The recount on handmade acknowledgements: which count, and which are passed over whole."""

from __future__ import annotations

import io
from typing import Any

import pytest
from fastavro import schemaless_writer
from pyroaring import BitMap

from hub.core.model import DAY_MS, HOUR_MS, Action, BitmapSegment, Key, Outcome, OutcomeSet, ReceivedThrough, Stage
from hub.recount import compute
from hub.recount.acks import Refused, hear
from hub.recount.bitmaps import offsets_in
from hub.recount.check import Truth
from hub.wire.contracts import ACKS, encode, partition_of, released, to_avro
from hub.wire.signing import Signer
from tests.unit.handmade_logs import (
    BANK,
    DIGEST,
    OTHER,
    PARTITIONS,
    T0,
    HandmadeLogs,
    ack_of,
    bitmap_of,
    platform_of,
    set_of,
    ten_cases,
)


@pytest.fixture
def made() -> HandmadeLogs:
    """Ten open cases, a bank and a shop."""
    return ten_cases()


def _unknown_outcome() -> bytes:
    """An acknowledgement with the schema's default outcome, which the hub's own encoder would not write."""
    schema = released("acknowledgement")[-1]
    message = to_avro(GOOD) | {"outcomes": [{"outcome": "UNKNOWN", "partition": 0, "cases": [], "actions": []}]}
    out = io.BytesIO(schema.header)
    out.seek(0, io.SEEK_END)
    schemaless_writer(out, schema.plain, message)
    return out.getvalue()


def _wide(size_bytes: int) -> bytes:
    """An acknowledgement in canonical form, of that size at least: padded with actions of a byte each."""
    few = len(
        encode(GOOD._replace(outcomes=(*GOOD.outcomes, OutcomeSet(Outcome.FAILED, 0, (), (Action.LOGIN_OFF,) * 64))))
    )
    actions = 64 + (size_bytes - few)
    schema = released("acknowledgement")[-1]
    padding = OutcomeSet(Outcome.FAILED, 0, (), (Action.LOGIN_OFF,) * actions)
    out = io.BytesIO(schema.header)
    out.seek(0, io.SEEK_END)
    schemaless_writer(out, schema.plain, to_avro(GOOD._replace(outcomes=(*GOOD.outcomes, padding))))
    return out.getvalue()


def _disordered() -> bytes:
    data = bytearray(bitmap_of([1, 2]))
    data[-4:-2], data[-2:] = data[-2:], data[-4:-2]
    return bytes(data)


GOOD = ack_of([set_of(Outcome.NOT_BOUND, range(10))], ten_cases().received(9))
VALUE = encode(GOOD)
HEADERS = BANK.headers(ACKS, VALUE)
HOME = partition_of(b"bank", PARTITIONS)
ABROAD = Signer.from_seed("bank-1", b"b" * 32, "x")
NOBODY = Signer.from_seed("bank-9", b"b" * 32, "h")


def _one_bit_off(one: ReceivedThrough) -> ReceivedThrough:
    return one._replace(digest=one.digest[:-1] + bytes([one.digest[-1] ^ 1]))


def _with(**changes: Any) -> dict[str, Any]:
    value = encode(GOOD._replace(**changes))
    return {"value": value, "headers": BANK.headers(ACKS, value)}


def _bytes(value: bytes) -> dict[str, Any]:
    return {"value": value, "headers": BANK.headers(ACKS, value)}


def _segments(*segments: BitmapSegment, partition: int = 0) -> dict[str, Any]:
    return _with(outcomes=(OutcomeSet(Outcome.NOT_BOUND, partition, segments),))


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "bytes left over": ("canonical", _bytes(VALUE + b"\0")),
    "bytes missing": ("canonical", _bytes(VALUE[:-1])),
    "no header": ("canonical", _bytes(VALUE[10:])),
    "an over-long varint": ("canonical", _bytes(VALUE[:10] + b"\x88\x00" + VALUE[11:])),
    "an outcome UNKNOWN": ("canonical", _bytes(_unknown_outcome())),
    "too large": ("canonical", _bytes(_wide(262_145))),
    "no value": ("canonical", {"value": None}),
    "no signature": ("not one signature", {"headers": ()}),
    "two signatures": ("not one signature", {"headers": (*HEADERS, HEADERS[0])}),
    "two keys": ("not one signature", {"headers": (*HEADERS, HEADERS[1])}),
    "a signature cut": ("not one signature", {"headers": (("signature", HEADERS[0][1][:-1]), HEADERS[1])}),
    "a signature of another value": ("no valid key", {"headers": BANK.headers(ACKS, b"")}),
    "a signature for another topic": ("no valid key", {"headers": BANK.headers("events", VALUE)}),
    "a signature for another hub": ("no valid key", {"headers": ABROAD.headers(ACKS, VALUE)}),
    "another platform's key": ("no valid key", {"headers": OTHER.headers(ACKS, VALUE)}),
    "a key nobody has": ("no valid key", {"headers": NOBODY.headers(ACKS, VALUE)}),
    "after the key": ("no valid key", {"record_time": T0 + 300 * DAY_MS}),
    "another's key of the record": ("its key is not", {"key": b"shop"}),
    "no key of the record": ("its key is not", {"key": None}),
    "another platform": ("its key is not", _with(platform="shop")),
    "another partition": ("in a partition", {"partition": (HOME + 1) % PARTITIONS}),
    "another log": ("of another log", _with(log_id=b"m" * 16)),
    "a partition twice": ("a partition twice", _with(received=GOOD.received * 2)),
    "beyond the log": ("what is not there", _with(received=(ReceivedThrough(0, 10, DIGEST),))),
    "no such partition": ("what is not there", _with(received=(*GOOD.received, ReceivedThrough(7, 0, DIGEST)))),
    "a negative offset": ("what is not there", _with(received=(ReceivedThrough(0, -1, DIGEST),))),
    "another notice's digest": ("another digest", _with(received=(ten_cases().received(8)._replace(through=9),))),
    "no digest": ("another digest", _with(received=(ReceivedThrough(0, 9, bytes(32)),))),
    "the digest cut by a bit": ("another digest", _with(received=(_one_bit_off(GOOD.received[0]),))),
    "younger than the ack": ("recorded later", {"record_time": T0 + 9 * HOUR_MS - 1_001}),
    "a bit beyond through": ("did not receive", _with(received=(ten_cases().received(8),))),
    "a bit of a partition not received": ("did not receive", _segments(BitmapSegment(0, bitmap_of([0])), partition=1)),
    "a negative base": ("not a segment", _segments(BitmapSegment(-65_536, bitmap_of([0])))),
    "an odd base": ("not a segment", _segments(BitmapSegment(1, bitmap_of([0])))),
    "bits beyond a segment": ("not a segment", _segments(BitmapSegment(0, bitmap_of([0, 65_536])))),
    "no bitmap": ("not a segment", _segments(BitmapSegment(0, b""))),
    "a bitmap cut": ("not a segment", _segments(BitmapSegment(0, bitmap_of([0, 1])[:-1]))),
    "a bitmap and more": ("not a segment", _segments(BitmapSegment(0, bitmap_of([0, 1]) + b"\0"))),
    "a bitmap in disorder": ("not a segment", _segments(BitmapSegment(0, _disordered()))),
    "too many segments": ("too many", _segments(*[BitmapSegment(0, bitmap_of([]))] * 1_025)),
}


@pytest.mark.parametrize(("reason", "changes"), REFUSED.values(), ids=list(REFUSED))
def test_acknowledgements_that_do_not_count(made: HandmadeLogs, reason: str, changes: dict[str, Any]) -> None:
    """An acknowledgement that breaks one rule is passed over whole; the same without the fault counts."""
    before = made.figures()
    record = made.send(VALUE, **changes)
    with pytest.raises(Refused, match=reason):
        hear(record, Truth(made.logs()).hub)
    assert compute(made.logs(), "bank", made.as_of()._replace(acks_partition=record.partition)) == before
    made.send(VALUE)
    assert made.figures()["resolved"] == 10


AT_THE_BOUND: dict[str, dict[str, Any]] = {
    "a second younger": {"record_time": T0 + 9 * HOUR_MS - 1_000},
    "the last millisecond of its key": {"record_time": T0 + 300 * DAY_MS - 1},
    "1,024 segments": _with(
        outcomes=(OutcomeSet(Outcome.NOT_BOUND, 0, (BitmapSegment(0, bitmap_of(range(10))),) * 1_024),)
    ),
    "nothing said of a partition not received": _with(
        outcomes=(*GOOD.outcomes, OutcomeSet(Outcome.FAILED, 1, (BitmapSegment(0, bitmap_of([])),)))
    ),
    "other headers beside": {"headers": (("trace", b"1"), *HEADERS)},
}


@pytest.mark.parametrize("changes", AT_THE_BOUND.values(), ids=list(AT_THE_BOUND))
def test_acknowledgements_that_just_count(made: HandmadeLogs, changes: dict[str, Any]) -> None:
    """An acknowledgement exactly on a bound counts."""
    made.send(VALUE, **changes)
    assert made.figures()["resolved"] == 10


@pytest.mark.parametrize(("at_ms", "resolved"), [(T0 + DAY_MS - 1, 0), (T0 + DAY_MS, 10), (T0 + 2 * DAY_MS, 0)])
def test_keys_count_from_their_beginning_to_their_revocation(made: HandmadeLogs, at_ms: int, resolved: int) -> None:
    """A key signs for the record times from its beginning on, until the one it was revoked at."""
    key = platform_of(BANK).keys[0]._replace(valid_from=T0 + DAY_MS, revoked_at=T0 + 2 * DAY_MS)
    made.enrol(platform_of(BANK, keys=(key,)))
    made.send(VALUE, record_time=at_ms)
    assert made.figures()["resolved"] == resolved


@pytest.mark.parametrize(
    "outcomes", [GOOD.outcomes, (OutcomeSet(Outcome.UNBOUND, 0, ()),)], ids=["ten cases", "nothing"]
)
def test_delivery_says_what_was_received_and_no_more(made: HandmadeLogs, outcomes: tuple[OutcomeSet, ...]) -> None:
    """The hub's own delivery can say that a platform was told; with any outcome its acknowledgement does not count."""
    delivery = Signer.from_seed("delivery/bank/1", b"d" * 32, "h")
    keys = (*platform_of(BANK).keys, Key("delivery/bank/1", delivery.public, 0))
    made.enrol(platform_of(BANK, keys=keys))
    refused = made.send(encode(GOOD._replace(outcomes=outcomes)), delivery)
    with pytest.raises(Refused, match="what was received alone"):
        hear(refused, Truth(made.logs()).hub)
    assert (made.figures()["resolved"], made.figures()["gaps"]) == (0, {"NOT_RECEIVED": 10})
    made.send(encode(GOOD._replace(outcomes=())), delivery)
    assert (made.figures()["resolved"], made.figures()["gaps"]) == (0, {"NO_OUTCOME": 10})


def test_positions_that_open_no_case_are_ignored(made: HandmadeLogs) -> None:
    """A platform may acknowledge the whole range it handled, notices that open nothing among it."""
    made.tell("+8613400000004", Stage.SCHEDULED, 4)
    made.say(Outcome.NOT_BOUND, *range(11))
    assert made.figures()["outcomes"] == {"NOT_BOUND": 10}


SETS = [[], [0], [65_535], [1, 5, 9], list(range(4_096)), list(range(0, 65_536, 2)), list(range(65_536))]


@pytest.mark.parametrize("offsets", SETS, ids=[f"{len(one)} from {one[:1]}" for one in SETS])
@pytest.mark.parametrize("runs", [False, True])
def test_bitmaps_of_every_form(offsets: list[int], runs: bool) -> None:
    """Arrays, bits and runs of a segment read as the C library wrote them."""
    bitmap = BitMap(offsets)
    if runs:
        bitmap.run_optimize()
    assert offsets_in(bytes(bitmap.serialize())) == offsets
