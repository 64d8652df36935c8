"""A hub's logs under an adversary, for the schedules of clearance.

Into them go, in any order a seed gives: cases that open, move, are undone and open anew; acks that are late, out of
order, repeated, forged, give the digest of another notice, or name what is not there yet; platforms that join, are
suspended and leave; keys that are said to have been stolen a while ago, or are written down after they began to count;
reports and answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from hub.core.acks import SKEW_MS
from hub.core.lifecycle import MOVES
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    AcceptedAnswer,
    AcceptedReport,
    Acknowledgement,
    HubLog,
    Key,
    Names,
    Operator,
    Outcome,
    OutcomeSet,
    Platform,
    PlatformState,
    ReceivedThrough,
    Record,
    ReleaseNotice,
    ReportKind,
    Source,
    Stage,
    Subject,
)
from hub.core.roster_life import rotate
from hub.recount import Logs
from hub.wire.contracts import ACKS, HUB, OPERATORS, PLATFORMS, RELEASES, REPORTED, encode, partition_of
from hub.wire.signing import Signer
from tests.segments import split_positions

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
SIGNERS = {
    (one, number): Signer.from_seed(f"{one}-{number}", f"{one}{number}".encode().ljust(32, b"."), "h")
    for one in PLATFORM_IDS
    for number in range(3)
}
"""Of each platform the keys it has one after another."""
STATES = [PlatformState.CONNECTED] * 4 + list(PlatformState)
WORDS = [Outcome.NOT_BOUND] * 6 + [Outcome.UNBOUND] * 3 + list(Outcome)


class World:
    """The logs, and whoever writes them.

    Args:
        early: some acknowledge a notice, with its digest, before it lies in the log: a broker has a slow clock.
    """

    def __init__(self, rng: random.Random, *, early: bool = False) -> None:
        self.rng = rng
        self._early = early
        # Digests have a chance of their own, so that a seed's world is the same whatever they are.
        self._chance = random.Random(rng.getstate()[1][0])
        self.now_ms = T0
        self.logs: dict[str, list[list[Record]]] = {
            RELEASES: [[] for _ in range(PARTITIONS)],
            ACKS: [[] for _ in range(PARTITIONS)],
            **{topic: [[]] for topic in (PLATFORMS, OPERATORS, REPORTED)},
        }
        self._cases: dict[str, tuple[int, Stage]] = {}
        self._opened: list[Source] = []
        self._promised: dict[int, tuple[str, bytes, bool]] = {}
        """The next notice of a partition, where somebody has acknowledged it already."""
        self._keys: dict[str, tuple[Key, ...]] = {}
        self._states: dict[str, PlatformState] = {}
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
        self.now_ms += self.rng.choice((0, 0, 1, SKEW_MS // 2, SKEW_MS, HOUR_MS, DAY_MS, 3 * DAY_MS))
        doing: dict[Callable[[], None], int] = {self._notice: 12, self._ack: 18, self._late_ack: 4, self._roster: 2}
        doing |= {self._stolen: 1, self._report: 4, self._reply: 4}
        self.rng.choices(list(doing), list(doing.values()))[0]()

    def _notice(self) -> None:
        number = self.rng.choice(NUMBERS)
        partition = partition_of(number.encode(), PARTITIONS)
        number, value, opens = (
            self._promised.pop(partition) if partition in self._promised else self._next_notice(number)
        )
        if opens:
            self._opened.append(Source(partition, len(self.logs[RELEASES][partition])))
        self._append(RELEASES, partition, number, value)

    def _promise(self, partition: int) -> bytes:
        """The value of the next notice of a partition: whoever has it early saw it, and its broker's clock is slow."""
        if partition not in self._promised:
            there = [one for one in NUMBERS if partition_of(one.encode(), PARTITIONS) == partition]
            self._promised[partition] = self._next_notice(self._chance.choice(there))
        return self._promised[partition][1]

    def _next_notice(self, number: str) -> tuple[str, bytes, bool]:
        """A number's next notice, and whether it opens a case."""
        partition = partition_of(number.encode(), PARTITIONS)
        opened_at, stage = self._cases.get(number, (-1, Stage.RESTORED))
        onward = [after for (before, _), after in MOVES.items() if before is stage]
        usual = [one for one in onward if one in (Stage.SCHEDULED, Stage.RELEASED)]
        offset = len(self.logs[RELEASES][partition])
        if onward:
            stage = self.rng.choice(usual * 4 + onward)
        else:
            opened_at, stage = offset, Stage.COOLING
        self._cases[number] = (opened_at, stage)
        at = self.now_ms
        # A producer's retry, or a zombie's notice, has a source that was there already: the first counts.
        source = Source(partition, offset if self.rng.random() < 0.95 else max(0, offset - 1))
        notice = ReleaseNotice(
            *(stage, None if opened_at == offset else opened_at, Subject("e164", number), OWNERS[number], at, at, at),
            *(at + DAY_MS, at + self.rng.choice((DAY_MS, 3 * DAY_MS)), 0, b"e" * 16, b"d" * 32, source, LOG_ID),
        )
        return number, encode(notice), opened_at == offset

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
        if self.rng.random() < 0.15:
            through = end + self.rng.choice((0, 0, 0, 1, 1_000))  # what nobody can have received
        received = (ReceivedThrough(partition, through, self._digest(partition, through)),)
        self._send(platform, Acknowledgement(platform, LOG_ID, self.now_ms, received, (said,)))

    def _digest(self, partition: int, through: int) -> bytes:
        """The digest of a notice; now and then that of another one, or of none."""
        log = self.logs[RELEASES][partition]
        others = [bytes(32), sha256(log[0].value or b"").digest()]
        if through == len(log) and self._early and self._chance.random() < 0.9:
            return sha256(self._promise(partition)).digest()
        if through >= len(log) or self._chance.random() < 0.1:
            return self._chance.choice(others)
        return sha256(log[through].value or b"").digest()

    def _send(self, platform: str, ack: Acknowledgement) -> None:
        value = encode(ack)
        forged = self.rng.random() < 0.05
        own = self._keys.get(platform, ())
        # Some sign with their next key before the roster says so; it may say that it counted by then.
        number = max(0, len(own) - 1) if self.rng.random() < 0.9 else min(2, len(own))
        signer = SIGNERS[self.rng.choice(PLATFORM_IDS) if forged else platform, number]
        self._append(ACKS, partition_of(platform.encode(), PARTITIONS), platform, value, signer.headers(ACKS, value))

    def _late_ack(self) -> None:
        """The very bytes of an earlier ack, once more."""
        log = self.rng.choice(self.logs[ACKS])
        if log:
            again = self.rng.choice(log)
            log.append(again._replace(offset=len(log), record_time=self.now_ms))

    def _roster(self) -> None:
        self._enrol(self.rng.choice(PLATFORM_IDS), self.rng.choice(STATES))

    def _stolen(self) -> None:
        """A key is no longer good since a while ago; another takes its place."""
        name = self.rng.choice(PLATFORM_IDS)
        if len(self._keys.get(name, ())) in (1, 2):
            since = self.now_ms - self.rng.choice((0, HOUR_MS, DAY_MS, 9 * DAY_MS))
            one = Platform(name, Names(name, name), "", 1, PlatformState.CONNECTED, keys=self._keys[name])
            self._keys[name] = rotate(one, self._new_key(name), self.now_ms, unsafe_since=since).keys
            self._enrol(name, self._states[name])

    def _enrol(self, name: str, state: PlatformState) -> None:
        tier = 1 if name in ("bank", "drive") else 2
        left_at = self.now_ms - self.rng.choice((0, DAY_MS)) if state is PlatformState.LEFT else None
        one = Platform(name, Names(name, name), "bank", tier, state, left_at=left_at, must_connect=name == "mail")
        self._states[name] = state
        if name not in self._keys:
            self._keys[name] = (self._new_key(name),)
        self._append(PLATFORMS, 0, name, encode(one._replace(keys=self._keys[name])))

    def _new_key(self, name: str) -> Key:
        """A platform's next key. It may have counted, and signed, before the roster says so."""
        signer = SIGNERS[name, len(self._keys.get(name, ()))]
        return Key(signer.key_id, signer.public, self.now_ms - self.rng.choice((0, 0, DAY_MS)))

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
