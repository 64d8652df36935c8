"""A hub's logs under an adversary, and a follower of them that is late anywhere: for the schedules of clearance.

Into the logs go, in any order a seed gives: cases that open, move, are undone and open anew; acks that are late, out of
order, repeated, forged, or name what is not there; platforms that join, are suspended and leave; reports and answers.
"""

from __future__ import annotations

import random
from typing import Any

from hub.contracts import ACKS, HUB, OPERATORS, PLATFORMS, RELEASES, REPORTED, decode, encode, partition_of
from hub.core.cases import Case
from hub.core.coverage import split_positions
from hub.core.lifecycle import MOVES
from hub.core.memory import MemoryCases
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    AcceptedAnswer,
    AcceptedReport,
    Acknowledgement,
    ClearancePolicy,
    HubLog,
    Key,
    LookedUp,
    Lookup,
    LookupKind,
    Names,
    Operator,
    Outcome,
    OutcomeSet,
    Platform,
    PlatformState,
    Positions,
    ReceivedThrough,
    Record,
    Refusal,
    ReleaseNotice,
    ReportKind,
    Role,
    Source,
    Stage,
    Subject,
)
from hub.core.pairs import PairNow
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe
from hub.opening import Opener
from hub.recount import Logs
from hub.recount.clearance import Recounted, recount_lookup
from hub.recount.wire import read
from hub.signing import Signer
from hub.web.standings.clearance_desk import rule
from hub.web.standings.state import StandingState

PARTITIONS = 2
LOG_ID = b"l" * 16
T0 = 1_750_000_000_000 // DAY_MS * DAY_MS
NUMBERS = [f"+861340000000{n}" for n in range(5)] + ["+8613500000001"]
OWNERS = {number: "south" if number.startswith("+86135") else "north" for number in NUMBERS}
OPERATORS_ON_ROSTER = [
    Operator("north", Names("北", "North"), ("+86134",)),
    Operator("south", Names("南", "South"), ("+86135",)),
]
PLATFORM_IDS = ("bank", "drive", "mail", "shop")
SIGNERS = {one: Signer.from_seed(f"{one}-1", one.encode().ljust(32, b"."), "h") for one in PLATFORM_IDS}
STATES = [PlatformState.CONNECTED] * 4 + list(PlatformState)
WORDS = [Outcome.NOT_BOUND] * 6 + [Outcome.UNBOUND] * 3 + list(Outcome)


class World:
    """The logs, and whoever writes them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now_ms = T0
        self.logs: dict[str, list[list[Record]]] = {
            RELEASES: [[] for _ in range(PARTITIONS)],
            ACKS: [[] for _ in range(PARTITIONS)],
            **{topic: [[]] for topic in (PLATFORMS, OPERATORS, REPORTED)},
        }
        self._cases: dict[str, tuple[int, Stage]] = {}
        self._opened: list[Source] = []
        self._keys: dict[str, Key] = {}
        self._reports: list[AcceptedReport] = []
        for one in OPERATORS_ON_ROSTER:
            self._append(OPERATORS, 0, one.id, encode(one))
        for name in PLATFORM_IDS[:3]:
            self._enrol(name, PlatformState.CONNECTED)

    def _append(self, topic: str, partition: int, key: str, value: bytes, headers: Any = ()) -> None:
        log = self.logs[topic][partition]
        log.append(Record(topic, partition, len(log), self.now_ms, key.encode(), value, tuple(headers)))

    def step(self) -> None:
        """Something happens."""
        self.now_ms += self.rng.choice((0, 1, HOUR_MS, DAY_MS))
        doing = self.rng.choices(
            (self._notice, self._ack, self._late_ack, self._roster, self._report, self._reply), (6, 9, 2, 1, 2, 2)
        )[0]
        doing()

    def _notice(self) -> None:
        number = self.rng.choice(NUMBERS)
        partition = partition_of(number.encode(), PARTITIONS)
        opened_at, stage = self._cases.get(number, (-1, Stage.RESTORED))
        onward = [after for (before, _), after in MOVES.items() if before is stage]
        usual = [one for one in onward if one in (Stage.SCHEDULED, Stage.RELEASED)]
        offset = len(self.logs[RELEASES][partition])
        if onward:
            stage = self.rng.choice(usual * 4 + onward)
        else:
            opened_at, stage = offset, Stage.COOLING
            self._opened.append(Source(partition, offset))
        self._cases[number] = (opened_at, stage)
        at = self.now_ms
        # A producer's retry, or a zombie's notice, has a source that was there already: the first counts.
        source = Source(partition, offset if self.rng.random() < 0.95 else max(0, offset - 1))
        notice = ReleaseNotice(
            *(stage, None if opened_at == offset else opened_at, Subject("e164", number), OWNERS[number], at, at, at),
            *(at + DAY_MS, at + self.rng.choice((DAY_MS, 3 * DAY_MS)), 0, b"e" * 16, b"d" * 32, source, LOG_ID),
        )
        self._append(RELEASES, partition, number, encode(notice))

    def _ack(self) -> None:
        platform, partition = self.rng.choice(PLATFORM_IDS), self.rng.randrange(PARTITIONS)
        end = len(self.logs[RELEASES][partition])
        if not end:
            return
        through = end - 1 if self.rng.random() < 0.8 else self.rng.randrange(end)
        offsets = range(through + 1)
        if self.rng.random() < 0.4:
            offsets = range(self.rng.randrange(through + 1), through + 1)
        said = OutcomeSet(self.rng.choice(WORDS), partition, tuple(split_positions(offsets)))
        if self.rng.random() < 0.05:
            through = end + 1_000  # what nobody can have received
        received = (ReceivedThrough(partition, through, b"d" * 32),)
        self._send(platform, Acknowledgement(platform, LOG_ID, self.now_ms, received, (said,)))

    def _send(self, platform: str, ack: Acknowledgement) -> None:
        value = encode(ack)
        forged = self.rng.random() < 0.05
        signer = self.rng.choice(list(SIGNERS.values())) if forged else SIGNERS[platform]
        self._append(ACKS, partition_of(platform.encode(), PARTITIONS), platform, value, signer.headers(ACKS, value))

    def _late_ack(self) -> None:
        """The very bytes of an earlier ack, once more."""
        log = self.rng.choice(self.logs[ACKS])
        if log:
            again = self.rng.choice(log)
            log.append(again._replace(offset=len(log), record_time=self.now_ms))

    def _roster(self) -> None:
        self._enrol(self.rng.choice(PLATFORM_IDS), self.rng.choice(STATES))

    def _enrol(self, name: str, state: PlatformState) -> None:
        tier = 1 if name in ("bank", "drive") else 2
        left_at = self.now_ms - self.rng.choice((0, DAY_MS)) if state is PlatformState.LEFT else None
        one = Platform(name, Names(name, name), "bank", tier, state, left_at=left_at, must_connect=name == "mail")
        self._append(PLATFORMS, 0, name, encode(one._replace(keys=(self._key(name),))))

    def _key(self, name: str) -> Key:
        """A platform's key counts from its first record on: what it signed before never counts, read when it may be."""
        return self._keys.setdefault(name, Key(f"{name}-1", SIGNERS[name].public, self.now_ms + 1))

    def _report(self) -> None:
        if not self._opened:
            return
        offset = len(self.logs[REPORTED][0])
        case, platform = self.rng.choice(self._opened), self.rng.choice(PLATFORM_IDS)
        what = (offset.to_bytes(16, "big"), "north", NUMBERS[0], platform, platform, ReportKind.STILL_BOUND, case)
        report = AcceptedReport(Source(0, offset), *what, self.now_ms, self.now_ms, None)
        self._reports.append(report)
        self._append(REPORTED, 0, "r", encode(report))

    def _reply(self) -> None:
        if self._reports:
            report = self.rng.choice(self._reports)
            platform = report.platform if self.rng.random() < 0.9 else self.rng.choice(PLATFORM_IDS)
            assert platform is not None
            source = Source(0, len(self.logs[REPORTED][0]))
            reply = AcceptedAnswer(source, report.report_id, platform, Outcome.NOT_BOUND, self.now_ms)
            self._append(REPORTED, 0, "r", encode(reply))

    def recount_logs(self) -> Logs:
        """All of it, for the recount."""
        about = HubLog(LOG_ID, "h", PARTITIONS, "record", T0)
        hub = Record(HUB, 0, 0, T0, b"hub", encode(about), ())
        whole = {topic: [one for log in logs for one in log] for topic, logs in self.logs.items()}
        return Logs([hub], whole[RELEASES], whole[ACKS], whole[PLATFORMS], whole[REPORTED], ())


class LateReader:
    """A follower of every log of a world, each read as far as a seed says; what it knows is `clearance_desk.Known`."""

    def __init__(self, world: World, disputes: Disputes | None = None) -> None:
        self._world = world
        self.places = {(topic, number): 0 for topic, logs in world.logs.items() for number in range(len(logs))}
        self.roster, self.universe, self.cases = Roster(), Universe(), MemoryCases()
        self._folded = Disputes()
        self.state = StandingState(self.universe, self.roster, self._folded if disputes is None else disputes)
        self._opener = Opener("h", LOG_ID, PARTITIONS)

    def read_on(self, topic: str, number: int, count: int) -> None:
        """Read some more records of one log."""
        place = self.places[topic, number]
        for record in self._world.logs[topic][number][place : place + count]:
            {RELEASES: self._fold, ACKS: self._merge, REPORTED: self._note}.get(topic, self._enrol)(record)
            self.places[topic, number] += 1

    def read_all(self, topic: str) -> None:
        """Read every partition of a topic to its end."""
        for number, log in enumerate(self._world.logs[topic]):
            self.read_on(topic, number, len(log))

    def _enrol(self, record: Record) -> None:
        one: Operator | Platform = decode(record.value, Operator, Platform)
        put = self.roster.put_operator if isinstance(one, Operator) else self.roster.put_platform
        put(one)  # type: ignore[arg-type]

    def _note(self, record: Record) -> None:
        self._folded.add(decode(record.value, AcceptedReport, AcceptedAnswer))

    def _fold(self, record: Record) -> None:
        notice: ReleaseNotice = decode(record.value, ReleaseNotice)
        segment, bit = self.universe.at(record.partition, record.offset)
        segment.note(bit, notice.published_at)
        folded = self.cases.fold(notice, Source(record.partition, record.offset))
        if folded is None:
            return
        segment, bit = self.universe.at(*folded.case.position)
        if folded.opened:
            segment.open(bit, notice.stage, notice.published_at, notice.reissue_not_before)
        else:
            segment.move(bit, notice.stage)

    def _merge(self, record: Record) -> None:
        """As the follower does: the roster and `releases` are read to their ends where an ack may need it."""
        opened = self._opener.acks([record], self.roster)[0]
        if opened.refusal is Refusal.BAD_SIGNATURE:
            self.read_all(PLATFORMS)
            opened = self._opener.acks([record], self.roster)[0]
        if opened.ack is not None:
            self.read_all(RELEASES)
        self.state.merge(opened)

    def positions(self) -> Positions:
        def places(topic: str) -> tuple[int, ...]:
            return tuple(self.places[topic, number] for number in range(PARTITIONS))

        platforms, operators, reported = (self.places[topic, 0] for topic in (PLATFORMS, OPERATORS, REPORTED))
        return Positions(places(RELEASES), places(ACKS), platforms, operators, reported, self._world.now_ms)

    def operator(self, operator_id: str) -> Operator | None:
        return self.roster.operators.get(operator_id)

    @property
    def platforms(self) -> list[Platform]:
        return list(self.roster.platforms.values())

    def case_of(self, number: str) -> Case | None:
        return self.cases.case_of(number)

    def open_pairs(self, cases: Any, platforms: Any, now_ms: int) -> dict[Source, list[PairNow]]:
        return self.state.open_pairs(cases, platforms, now_ms)


def ask(world: World, reader: LateReader, policy: ClearancePolicy, asked_by: str, role: Role) -> Recounted:
    """Decide where the reader is, write the record, and have it counted again."""
    ruling = rule(reader, NUMBERS, asked_by, role, policy)
    looked = tuple(LookedUp(number, one.case, one.answer) for number, one in zip(NUMBERS, ruling.decided, strict=True))
    asked = (LookupKind.CLEARANCE, asked_by, role, world.now_ms, looked, policy, ruling.positions)
    message = read("lookup", encode(Lookup(b"i" * 16, *asked)))
    assert message is not None
    return recount_lookup(world.recount_logs(), world.logs[OPERATORS][0], message)
