"""A follower of a world's logs that is late anywhere, and clearances asked of it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from hub.clearance.answering import rule
from hub.clearance.pair_state import PairState
from hub.core.acks import JUDGED_AFTER_MS, OpenedAck
from hub.core.cases import Case
from hub.core.memory import MemoryCases
from hub.core.model import (
    SEGMENT,
    AcceptedAnswer,
    AcceptedReport,
    Acknowledgement,
    ClearancePolicy,
    LookedUp,
    Lookup,
    LookupKind,
    Operator,
    Outcome,
    Platform,
    Positions,
    Record,
    Refusal,
    ReleaseNotice,
    Role,
    Source,
)
from hub.core.pairs import PairNow
from hub.core.reports import Disputes
from hub.core.roster import Roster, keys_changed
from hub.core.universe import Universe
from hub.recount.check import Truth
from hub.recount.clearance import Recounted, recount_lookup
from hub.recount.wire import read
from hub.wire.checking import Opener
from hub.wire.contracts import ACKS, OPERATORS, PLATFORMS, RELEASES, REPORTED, decode, encode, partition_of
from tests.unit.adversary_logs import LOG_ID, NUMBERS, PARTITIONS, World


class Digests(dict[tuple[int, int], bytes]):
    """The digests of notices by position: a `hub.core.acks.Digests` in memory."""

    def digest_of(self, partition: int, offset: int) -> bytes:
        return self[partition, offset]


class LateReader:
    """A follower of every log of a world, each read as far as a seed says: a `hub.clearance.answering.Known`."""

    patience_ms = JUDGED_AFTER_MS

    def __init__(self, world: World, disputes: Disputes | None = None) -> None:
        self._world = world
        self.places = {(topic, number): 0 for topic, logs in world.logs.items() for number in range(len(logs))}
        self.roster, self.universe, self.cases = Roster(), Universe(), MemoryCases()
        self.digests = Digests()
        self._folded = Disputes()
        self.state = PairState(self.universe, self.digests, self.roster, self._folded if disputes is None else disputes)
        self._opener = Opener("h", LOG_ID, PARTITIONS)

    def read_on(self, topic: str, number: int, count: int) -> None:
        """Read some more records of one log."""
        place = self.places[topic, number]
        for record in self._world.logs[topic][number][place : place + count]:
            if topic == ACKS and not self._merge(record):
                return
            if topic != ACKS:
                {RELEASES: self._fold, REPORTED: self._note}.get(topic, self._enrol)(record)
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
        segment.note(bit, notice.published_at, record.record_time)
        self.digests[record.partition, record.offset] = sha256(record.value or b"").digest()
        folded = self.cases.fold(notice, Source(record.partition, record.offset))
        if folded is None:
            return
        segment, bit = self.universe.at(*folded.case.position)
        if folded.opened:
            segment.open(bit, notice.stage, notice.published_at, notice.reissue_not_before)
        else:
            segment.move(bit, notice.stage)

    def _merge(self, record: Record) -> bool:
        """As the follower does: roster and `releases` are read on where an ack needs it; False if it has to wait."""
        opened = self._opener.acks([record], self.roster)[0]
        if opened.refusal is Refusal.BAD_SIGNATURE:
            self.read_all(PLATFORMS)
            opened = self._opener.acks([record], self.roster)[0]
        if self.is_early(opened):
            return False
        self.settle()
        if self.state.unsettled():
            return False
        self.state.merge(opened)
        return True

    def is_early(self, opened: OpenedAck) -> bool:
        """Whether an ack has to wait for what it names; `releases` are read to their ends if it names what is ahead."""
        if self._is_ahead(opened.ack):
            self.read_all(RELEASES)
        return self._is_ahead(opened.ack) and self._world.now_ms < opened.record.record_time + self.patience_ms

    def _is_ahead(self, ack: Acknowledgement | None) -> bool:
        received = () if ack is None else ack.received
        return any(through >= self.places[RELEASES, partition] for partition, through, _ in received)

    def settle(self) -> None:
        """As the follower does: what was merged is judged again where its platform's keys count otherwise."""
        for platform in self.state.unsettled():
            home = partition_of(platform.id.encode(), PARTITIONS)
            read = self._world.logs[ACKS][home][: self.places[ACKS, home]]
            changed = keys_changed(self.state.book(platform.id).judged_by, platform.keys)
            if any(one.record_time >= since for one in read for since in changed.values()):
                fresh = PairState(self.universe, self.digests, self.roster, self.state.disputes)
                again = self._opener.acks([one for one in read if one.key == platform.id.encode()], self.roster)
                if any(self.is_early(opened) for opened in again):
                    continue
                for opened in again:
                    fresh.merge(opened)
                self.state.replace(platform, fresh)
            else:
                self.state.settle(platform)

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


def misheard(world: World, reader: LateReader) -> list[str]:
    """Platforms of which the reader holds something else than the recount heard, up to where the reader is."""
    logs = world.recount_logs()
    truth = Truth(logs._replace(platforms=logs.platforms[: reader.places[PLATFORMS, 0]]))
    found = []
    for platform in reader.platforms:
        home = partition_of(platform.id.encode(), PARTITIONS)
        said, received = truth.heard(platform.id, home, reader.places[ACKS, home])
        book = reader.state.book(platform.id)
        held = {
            (outcome, (partition, segment * SEGMENT + bit))
            for (partition, segment), tile in book.tiles.items()
            for outcome, bits in tile.said.items()
            for bit in bits
        }
        heard = {(Outcome(word), where) for where, words in said.items() for word in words}
        if (held, book.received) != (heard, received):
            found.append(platform.id)
    return found


def ask(world: World, reader: LateReader, policy: ClearancePolicy, asked_by: str, role: Role) -> Recounted | None:
    """Decide where the reader is, write the record, and have it counted again; None if it is behind."""
    if reader.state.unsettled():
        return None
    ruling = rule(reader, NUMBERS, asked_by, role, policy)
    looked = tuple(LookedUp(number, one.case, one.answer) for number, one in zip(NUMBERS, ruling.decided, strict=True))
    asked = (LookupKind.CLEARANCE, asked_by, role, world.now_ms, looked, policy, ruling.positions)
    message = read("lookup", encode(Lookup(b"i" * 16, *asked)))
    assert message is not None
    return recount_lookup(world.recount_logs(), world.logs[OPERATORS][0], message)
