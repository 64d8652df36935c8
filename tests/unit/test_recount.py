"""The recount on handmade logs: what it counts, what it passes over, and that it notices every false figure."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastavro import schemaless_writer
from pyroaring import BitMap

from hub.contracts import ACKS, COVERAGE, HUB, PLATFORMS, RELEASES, encode, partition_of, released, to_avro
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Acknowledgement,
    Action,
    AsOf,
    BitmapSegment,
    Coverage,
    GapClass,
    GapCount,
    HubLog,
    Key,
    Names,
    Outcome,
    OutcomeCount,
    OutcomeSet,
    PartitionThrough,
    Platform,
    PlatformState,
    ReceivedThrough,
    Record,
    ReleaseNotice,
    Source,
    Stage,
    Subject,
)
from hub.recount import Logs, compare, compute
from hub.recount.acks import Refused, hear
from hub.recount.bitmaps import offsets_in
from hub.recount.check import Truth
from hub.signing import Signer

PARTITIONS = 3
LOG_ID = b"l" * 16
DIGEST = b"d" * 32
T0 = 1_750_000_000_000
BANK = Signer.from_seed("bank-1", b"b" * 32, "h")
OTHER = Signer.from_seed("shop-1", b"s" * 32, "h")


def _platform(signer: Signer, **changes: Any) -> Platform:
    name = signer.key_id.removesuffix("-1")
    key = Key(signer.key_id, signer.public, T0, T0 + 300 * DAY_MS)
    made = Platform(name, Names(name, name), "bank", 1, PlatformState.CONNECTED, keys=(key,))
    return made._replace(**changes)


@dataclass
class Desk:
    """Logs written by hand. Ten cases are open in partition 0, each published an hour after the one before."""

    releases: list[Record] = field(default_factory=list)
    acks: list[Record] = field(default_factory=list)
    platforms: list[Record] = field(default_factory=list)
    coverage: list[Record] = field(default_factory=list)
    now_ms: int = T0 + 100 * DAY_MS

    def enrol(self, platform: Platform) -> None:
        """Put a platform on the roster."""
        self.platforms.append(_record(PLATFORMS, 0, len(self.platforms), platform.id.encode(), encode(platform)))

    def tell(self, number: str, stage: Stage, opened_at: int | None = None, **changes: Any) -> int:
        """Publish a notice; its offset."""
        offset = len(self.releases)
        at = T0 + offset * HOUR_MS
        notice = ReleaseNotice(
            *(stage, opened_at, Subject("e164", number), "north", at, at, at, at + 60 * DAY_MS, at + 65 * DAY_MS),
            *(0, b"e" * 16, DIGEST, Source(0, offset * 2), LOG_ID),
        )
        self.releases.append(_record(RELEASES, 0, offset, number.encode(), encode(notice._replace(**changes)), at))
        return offset

    def say(self, outcome: Outcome, *offsets: int, **changes: Any) -> Record:
        """The bank acknowledges an outcome of cases in partition 0, everything received."""
        ack = _ack([_set(outcome, offsets)], through=len(self.releases) - 1)
        return self.send(encode(ack._replace(**changes)))

    def send(self, value: bytes, /, signer: Signer = BANK, **changes: Any) -> Record:
        """An acknowledgement as bytes, signed."""
        home = partition_of(b"bank", PARTITIONS)
        record = _record(ACKS, home, len(self.acks), b"bank", value, self.now_ms, signer.headers(ACKS, value))
        self.acks.append(record._replace(**changes))
        return self.acks[-1]

    def logs(self) -> Logs:
        """All of it."""
        hub = _record(HUB, 0, 0, b"", encode(HubLog(LOG_ID, "h", PARTITIONS, "record", T0)))
        return Logs([hub], self.releases, self.acks, self.platforms, self.coverage)

    def as_of(self) -> AsOf:
        """Where the logs end."""
        home = partition_of(b"bank", PARTITIONS)
        return AsOf((len(self.releases), 0, 0), home, len(self.acks), len(self.platforms), self.now_ms)

    def figures(self) -> dict[str, Any]:
        """The bank's figures at the end of the logs."""
        return compute(self.logs(), "bank", self.as_of())


def _record(
    topic: str,
    partition: int,
    offset: int,
    key: bytes,
    value: bytes,
    at: int = T0,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> Record:
    return Record(topic, partition, offset, at, key, value, headers)


def _bitmap(offsets: Iterable[int]) -> bytes:
    return bytes(BitMap(offsets).serialize())


def _set(outcome: Outcome, offsets: Iterable[int], partition: int = 0, base: int = 0) -> OutcomeSet:
    return OutcomeSet(outcome, partition, (BitmapSegment(base, _bitmap(offsets)),))


def _ack(outcomes: Iterable[OutcomeSet], through: int = 9) -> Acknowledgement:
    return Acknowledgement("bank", LOG_ID, T0, (ReceivedThrough(0, through, DIGEST),), tuple(outcomes))


@pytest.fixture
def desk() -> Desk:
    """Ten open cases, a bank and a shop."""
    made = Desk()
    made.enrol(_platform(BANK))
    made.enrol(_platform(OTHER))
    for number in range(10):
        made.tell(f"+861340000000{number}", Stage.COOLING)
    return made


def test_silence_is_a_gap_everywhere(desk: Desk) -> None:
    """A platform that said nothing has a gap for every case, not received and overdue."""
    figures = desk.figures()
    assert figures["in_force"] == 10
    assert figures["gaps"] == {"NOT_RECEIVED": 10}
    assert figures["overdue"] == 10
    assert figures["received"] == {}


SAID = [
    # said, shown, gap, disputes
    ({"UNBOUND"}, "UNBOUND", None, 0),
    ({"NOT_BOUND"}, "NOT_BOUND", None, 0),
    ({"FROZEN"}, "FROZEN", "FROZEN", 0),
    ({"DECLINED"}, "DECLINED", "DECLINED", 0),
    ({"FAILED"}, "FAILED", "FAILED", 0),
    ({"FROZEN", "UNBOUND"}, "UNBOUND", None, 0),
    ({"FAILED", "NOT_BOUND"}, "NOT_BOUND", None, 0),
    ({"FAILED", "FROZEN", "DECLINED"}, "FROZEN", "FROZEN", 0),
    ({"NOT_BOUND", "UNBOUND"}, "UNBOUND", None, 1),
    ({"NOT_BOUND", "FROZEN"}, "FROZEN", "DISPUTED", 1),
    ({"NOT_BOUND", "DECLINED"}, "DECLINED", "DISPUTED", 1),
    ({"NOT_BOUND", "DECLINED", "UNBOUND"}, "UNBOUND", None, 1),
    ({"REINSTATED"}, None, "NO_OUTCOME", 0),
]


@pytest.mark.parametrize(("said", "shown", "gap", "disputes"), SAID)
def test_what_is_shown(desk: Desk, said: set[str], shown: str | None, gap: str | None, disputes: int) -> None:
    """What was ever said of a pair decides what is shown, whether it is a gap, and whether it is disputed."""
    for outcome in sorted(said):
        desk.say(Outcome(outcome), 4)
    figures = desk.figures()
    assert figures["outcomes"] == ({shown: 1} if shown else {})
    assert figures["disputes"] == disputes
    gaps = {"NO_OUTCOME": 9} if gap != "NO_OUTCOME" else {"NO_OUTCOME": 10}
    assert figures["gaps"] == gaps | ({gap: 1} if gap not in (None, "NO_OUTCOME") else {})
    assert figures["resolved"] == (0 if gap else 1)


@pytest.mark.parametrize("stage", [Stage.RESTORED, Stage.WITHDRAWN])
@pytest.mark.parametrize(("said", "shown", "pending"), [("FROZEN", "FROZEN", 1), ("NOT_BOUND", "NOT_BOUND", 0)])
def test_an_undone_case_waits_for_reinstatement(desk: Desk, stage: Stage, said: str, shown: str, pending: int) -> None:
    """An undone case is no longer in force; what was frozen waits until the platform says it is given back."""
    desk.say(Outcome(said), 4)
    desk.tell("+8613400000004", stage, 4)
    figures = desk.figures()
    assert (figures["in_force"], figures["outcomes"], figures["restore_pending"]) == (9, {shown: 1}, pending)
    desk.say(Outcome.REINSTATED, 4)
    figures = desk.figures()
    assert (figures["outcomes"], figures["restore_pending"]) == ({"REINSTATED": 1}, 0)


def test_released_is_exposed_and_reassigned_an_incident(desk: Desk) -> None:
    """A gap whose number is free is exposed; one whose number a stranger has is an incident."""
    desk.tell("+8613400000001", Stage.RELEASED, 1)
    desk.tell("+8613400000002", Stage.RELEASED, 2)
    desk.tell("+8613400000002", Stage.REASSIGNED, 2)
    assert (desk.figures()["exposed"], desk.figures()["incident"]) == (1, 1)
    desk.say(Outcome.UNBOUND, 1, 2)
    assert (desk.figures()["exposed"], desk.figures()["incident"]) == (0, 0)


@pytest.mark.parametrize(("off_ms", "overdue"), [(-1, 0), (0, 1)])
@pytest.mark.parametrize(("tier", "days"), [(1, 1), (2, 3), (3, 7)])
def test_overdue_to_the_millisecond(desk: Desk, tier: int, days: int, off_ms: int, overdue: int) -> None:
    """A gap is overdue from its tier's limit on, that millisecond included."""
    desk.enrol(_platform(BANK, tier=tier))
    desk.now_ms = T0 + days * DAY_MS + off_ms
    assert desk.figures()["overdue"] == overdue


@pytest.mark.parametrize(("off_ms", "overdue"), [(-1, 0), (0, 1)])
def test_frozen_answers_to_the_reissue_date(desk: Desk, off_ms: int, overdue: int) -> None:
    """A frozen gap has until seven days before reissue; with no such date it has the tier's limit."""
    desk.now_ms = T0 + 58 * DAY_MS + off_ms
    desk.say(Outcome.FROZEN, *range(10))
    assert desk.figures()["overdue"] == overdue
    desk.tell("+8613400000010", Stage.REASSIGNED, None, reissue_not_before=None, published_at=T0)
    desk.say(Outcome.FROZEN, 10)
    assert desk.figures()["overdue"] == overdue + 1


STATES = [
    (PlatformState.KNOWN_UNCONNECTED, None, 10, {"NOT_CONNECTED": 10}),
    (PlatformState.ONBOARDING, None, 10, {"NOT_CONNECTED": 10}),
    (PlatformState.SUSPENDED, None, 10, {"NOT_CONNECTED": 10}),
    (PlatformState.EXEMPT, None, 0, {}),
    (PlatformState.LEFT, T0 + 4 * HOUR_MS, 4, {"NOT_CONNECTED": 4}),
]


@pytest.mark.parametrize(("state", "left_at", "in_force", "gaps"), STATES)
def test_every_state(
    desk: Desk, state: PlatformState, left_at: int | None, in_force: int, gaps: dict[str, int]
) -> None:
    """Who is not connected has gaps all the same; who left has those from before; who is exempt has none."""
    desk.enrol(_platform(BANK, state=state, left_at=left_at))
    figures = desk.figures()
    assert (figures["state"], figures["in_force"], figures["gaps"]) == (state.value, in_force, gaps)


def test_received_is_a_maximum(desk: Desk) -> None:
    """An older acknowledgement that comes later takes nothing back."""
    desk.send(encode(_ack([], through=7)))
    desk.send(encode(_ack([], through=3)))
    figures = desk.figures()
    assert figures["received"] == {0: 7}
    assert figures["gaps"] == {"NO_OUTCOME": 8, "NOT_RECEIVED": 2}


NO_NOTICE = [
    ("a source again", Stage.SCHEDULED, 4, {"source": Source(0, 8)}),
    ("another partition's source", Stage.SCHEDULED, 4, {"source": Source(1, 99)}),
    ("no such case", Stage.SCHEDULED, 5, {}),
    ("an opener of a live case", Stage.COOLING, None, {}),
    ("an opener at a later stage", Stage.RELEASED, None, {}),
    ("a move not in the table", Stage.REASSIGNED, 4, {}),
]


@pytest.mark.parametrize(("what", "stage", "opened_at", "changes"), NO_NOTICE, ids=[one[0] for one in NO_NOTICE])
def test_notices_that_do_not_count(
    desk: Desk, what: str, stage: Stage, opened_at: int | None, changes: dict[str, Any]
) -> None:
    """A notice said twice, or one that breaks the table, changes nothing; the true one after it still counts."""
    before = desk.figures()
    desk.tell("+8613400000004", stage, opened_at, **changes)
    assert desk.figures() == before, what
    desk.tell("+8613400000004", Stage.RESTORED, 4)
    assert desk.figures()["in_force"] == 9


def test_a_number_comes_round_again(desk: Desk) -> None:
    """Once its case is over a number's next case counts beside the first, which nothing moves any more."""
    desk.tell("+8613400000004", Stage.RELEASED, 4)
    desk.tell("+8613400000004", Stage.REASSIGNED, 4)
    desk.tell("+8613400000004", Stage.REASSIGNED, None)
    desk.tell("+8613400000004", Stage.WITHDRAWN, 4)
    assert (desk.figures()["in_force"], desk.figures()["incident"]) == (11, 2)


def test_as_of_leaves_out_what_came_later(desk: Desk) -> None:
    """Figures of a place in the logs know nothing of what lies beyond it."""
    desk.say(Outcome.NOT_BOUND, *range(10))
    as_of, before = desk.as_of(), desk.figures()
    desk.tell("+8613400000010", Stage.COOLING)
    desk.say(Outcome.FROZEN, 3)
    desk.enrol(_platform(BANK, state=PlatformState.LEFT, left_at=T0))
    assert compute(desk.logs(), "bank", as_of) == before
    assert desk.figures() != before


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
    data = bytearray(_bitmap([1, 2]))
    data[-4:-2], data[-2:] = data[-2:], data[-4:-2]
    return bytes(data)


GOOD = _ack([_set(Outcome.NOT_BOUND, range(10))])
VALUE = encode(GOOD)
HEADERS = BANK.headers(ACKS, VALUE)
HOME = partition_of(b"bank", PARTITIONS)
ABROAD = Signer.from_seed("bank-1", b"b" * 32, "x")
NOBODY = Signer.from_seed("bank-9", b"b" * 32, "h")


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
    "younger than the ack": ("published later", {"record_time": T0 + 9 * HOUR_MS - 5 * MINUTE_MS - 1}),
    "a bit beyond through": ("did not receive", _with(received=(ReceivedThrough(0, 8, DIGEST),))),
    "a bit of a partition not received": ("did not receive", _segments(BitmapSegment(0, _bitmap([0])), partition=1)),
    "a negative base": ("not a segment", _segments(BitmapSegment(-65_536, _bitmap([0])))),
    "an odd base": ("not a segment", _segments(BitmapSegment(1, _bitmap([0])))),
    "bits beyond a segment": ("not a segment", _segments(BitmapSegment(0, _bitmap([0, 65_536])))),
    "no bitmap": ("not a segment", _segments(BitmapSegment(0, b""))),
    "a bitmap cut": ("not a segment", _segments(BitmapSegment(0, _bitmap([0, 1])[:-1]))),
    "a bitmap and more": ("not a segment", _segments(BitmapSegment(0, _bitmap([0, 1]) + b"\0"))),
    "a bitmap in disorder": ("not a segment", _segments(BitmapSegment(0, _disordered()))),
    "too many segments": ("too many", _segments(*[BitmapSegment(0, _bitmap([]))] * 1_025)),
}


@pytest.mark.parametrize(("reason", "changes"), REFUSED.values(), ids=list(REFUSED))
def test_acknowledgements_that_do_not_count(desk: Desk, reason: str, changes: dict[str, Any]) -> None:
    """An acknowledgement that breaks one rule is passed over whole; the same without the fault counts."""
    before = desk.figures()
    record = desk.send(VALUE, **changes)
    with pytest.raises(Refused, match=reason):
        hear(record, Truth(desk.logs()).hub)
    assert compute(desk.logs(), "bank", desk.as_of()._replace(acks_partition=record.partition)) == before
    desk.send(VALUE)
    assert desk.figures()["resolved"] == 10


AT_THE_BOUND: dict[str, dict[str, Any]] = {
    "five minutes younger": {"record_time": T0 + 9 * HOUR_MS - 5 * MINUTE_MS},
    "the last millisecond of its key": {"record_time": T0 + 300 * DAY_MS - 1},
    "1,024 segments": _with(
        outcomes=(OutcomeSet(Outcome.NOT_BOUND, 0, (BitmapSegment(0, _bitmap(range(10))),) * 1_024),)
    ),
    "nothing said of a partition not received": _with(
        outcomes=(*GOOD.outcomes, OutcomeSet(Outcome.FAILED, 1, (BitmapSegment(0, _bitmap([])),)))
    ),
    "other headers beside": {"headers": (("trace", b"1"), *HEADERS)},
}


@pytest.mark.parametrize("changes", AT_THE_BOUND.values(), ids=list(AT_THE_BOUND))
def test_acknowledgements_that_just_count(desk: Desk, changes: dict[str, Any]) -> None:
    """An acknowledgement exactly on a bound counts."""
    desk.send(VALUE, **changes)
    assert desk.figures()["resolved"] == 10


@pytest.mark.parametrize(("at_ms", "resolved"), [(T0 + DAY_MS - 1, 0), (T0 + DAY_MS, 10), (T0 + 2 * DAY_MS, 0)])
def test_keys_count_from_their_beginning_to_their_revocation(desk: Desk, at_ms: int, resolved: int) -> None:
    """A key signs for the record times from its beginning on, until the one it was revoked at."""
    key = _platform(BANK).keys[0]._replace(valid_from=T0 + DAY_MS, revoked_at=T0 + 2 * DAY_MS)
    desk.enrol(_platform(BANK, keys=(key,)))
    desk.send(VALUE, record_time=at_ms)
    assert desk.figures()["resolved"] == resolved


def test_positions_that_open_no_case_are_ignored(desk: Desk) -> None:
    """A platform may acknowledge the whole range it handled, notices that open nothing among it."""
    desk.tell("+8613400000004", Stage.SCHEDULED, 4)
    desk.say(Outcome.NOT_BOUND, *range(11))
    assert desk.figures()["outcomes"] == {"NOT_BOUND": 10}


SETS = [[], [0], [65_535], [1, 5, 9], list(range(4_096)), list(range(0, 65_536, 2)), list(range(65_536))]


@pytest.mark.parametrize("offsets", SETS, ids=[f"{len(one)} from {one[:1]}" for one in SETS])
@pytest.mark.parametrize("runs", [False, True])
def test_bitmaps_of_every_form(offsets: list[int], runs: bool) -> None:
    """Arrays, bits and runs of a segment read as the C library wrote them."""
    bitmap = BitMap(offsets)
    if runs:
        bitmap.run_optimize()
    assert offsets_in(bytes(bitmap.serialize())) == offsets


def _coverage(desk: Desk) -> Coverage:
    figures = desk.figures()
    return Coverage(
        platform="bank",
        state=PlatformState(figures["state"]),
        outcomes=tuple(OutcomeCount(Outcome(name), pairs) for name, pairs in figures["outcomes"].items()),
        gaps=tuple(GapCount(GapClass(name), pairs) for name, pairs in figures["gaps"].items()),
        received=tuple(PartitionThrough(*one) for one in figures["received"].items()),
        as_of=desk.as_of(),
        **{name: figures[name] for name in COUNTS},
    )


COUNTS = ("in_force", "resolved", "overdue", "exposed", "incident", "restore_pending", "disputes")
FALSE: dict[str, Any] = {
    **dict.fromkeys(COUNTS, 77),
    "state": PlatformState.LEFT,
    "outcomes": (OutcomeCount(Outcome.FAILED, 1),),
    "gaps": (GapCount(GapClass.FROZEN, 8),),
    "received": (PartitionThrough(0, 8),),
}


@pytest.fixture
def told(desk: Desk) -> Desk:
    """A desk where the bank said this and that."""
    desk.say(Outcome.NOT_BOUND, 0, 1, 2)
    desk.say(Outcome.UNBOUND, 2, 3)
    return desk


def _differences(desk: Desk, coverage: Coverage) -> set[str]:
    desk.coverage = [_record(COVERAGE, 0, 0, b"bank", encode(coverage))]
    return {one.field for one in compare(desk.logs()) if one.platform == "bank"}


def test_true_coverage_shows_no_difference(told: Desk) -> None:
    """Coverage that says what the logs say, nought counts written out or not, is in order."""
    coverage = _coverage(told)
    assert _differences(told, coverage) == set()
    noughts = (*coverage.gaps, GapCount(GapClass.DISPUTED, 0))
    assert _differences(told, coverage._replace(gaps=noughts)) == set()


@pytest.mark.parametrize("name", list(FALSE))
def test_every_false_figure_is_noticed(told: Desk, name: str) -> None:
    """A false figure in coverage is found, whichever it is, and named."""
    found = _differences(told, _coverage(told)._replace(**{name: FALSE[name]}))
    assert name in found
    assert found - {name} <= {"in_force = resolved + gaps"}


def test_sums_are_checked(told: Desk) -> None:
    """In force is resolved and gaps together, whatever the logs say."""
    assert "in_force = resolved + gaps" in _differences(told, _coverage(told)._replace(resolved=77))


def test_a_platform_without_coverage_is_noticed(told: Desk) -> None:
    """Every platform on the roster has coverage, or it is a difference."""
    told.coverage = []
    assert [(one.platform, one.field) for one in compare(told.logs())] == [("bank", "coverage"), ("shop", "coverage")]


def test_a_roster_that_is_gone_is_said_to_be(told: Desk) -> None:
    """If compaction took the roster of a place in the logs, the recount says so and guesses nothing."""
    coverage = _coverage(told)
    told.platforms = [one._replace(offset=one.offset + 5) for one in told.platforms]
    assert _differences(told, coverage) == {"as_of.platforms"}


def test_the_recount_is_other_code() -> None:
    """The recount imports of the hub's core the values alone, and nothing of its processor."""
    import ast
    from pathlib import Path

    import hub.recount

    imported = set()
    for path in Path(hub.recount.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hub"):
                imported.add(node.module)
    own = {name for name in imported if name and name.startswith("hub.recount")}
    assert imported - own == {"hub.core.model", "hub.contracts", "hub.errors"}
    assert Truth.__module__ in own
