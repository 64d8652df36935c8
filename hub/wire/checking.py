"""This module opens a message: it checks the signature and decodes the value. What is wrong is a value, never an error.

For example, an event whose key id names `carrier`, with a signature that does not hold, becomes an `Arrival` of sender
`carrier` with the content BAD_SIGNATURE. Opening depends only on the roster and shares no state, so that a batch can be
opened on threads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, TypeVar

from hub.core.acks import OpenedAck
from hub.core.breaches import Clearance, needs_clearance
from hub.core.coverage import read_outcomes
from hub.core.intake import Arrival
from hub.core.model import (
    RECEIPTS_ONLY,
    Acknowledgement,
    Key,
    NumberEvent,
    Operator,
    OperatorReport,
    Platform,
    Record,
    Refusal,
    Report,
    ReportAnswer,
    Trial,
    TrialResult,
)
from hub.core.roster import Roster
from hub.errors import ContractError
from hub.wire.contracts import decode, partition_of
from hub.wire.signing import read_seal, signature_holds

T = TypeVar("T")

KEY_MAX = 200
"""How many characters a number or an operator's id may have."""

NOWHERE = -1

log = logging.getLogger(__name__)

HOMES_KEPT = 65_536
"""How many platforms' partitions are remembered: far more than a roster has."""


@dataclass(frozen=True)
class Opener:
    """How messages are opened at one hub."""

    hub_id: str
    log_id: bytes
    partitions: int

    def _holds(self, public: bytes, signature: bytes, record: Record) -> bool:
        return signature_holds(public, signature, self.hub_id, record.topic, record.value or b"")

    def events(self, records: Sequence[Record], roster: Roster) -> list[Arrival]:
        """Open messages of `events`, in order."""
        return [_isolated(self._event, _spoilt_event, record, roster) for record in records]

    def acks(self, records: Sequence[Record], roster: Roster) -> list[OpenedAck]:
        """Open messages of `acks`, in order."""
        return [_isolated(self._ack, _spoilt_ack, record, roster) for record in records]

    def reports(self, records: Sequence[Record], roster: Roster) -> list[OpenedReport]:
        """Open messages of `reports`, in order."""
        return [_isolated(self._report, _spoilt_report, record, roster) for record in records]

    def answers(self, records: Sequence[Record], roster: Roster) -> list[OpenedAnswer]:
        """Open messages of `answers`, in order."""
        return [_isolated(self._answer, _spoilt_answer, record, roster) for record in records]

    def _event(self, record: Record, roster: Roster) -> Arrival:
        named, proven = self._operator_of(record, roster)
        digest = sha256(record.value or b"").digest()
        try:
            content: NumberEvent | OperatorReport = decode(record.value, NumberEvent, OperatorReport)
        except ContractError:
            return Arrival(record, named if proven else None, Refusal.UNDECODABLE, digest, record.partition)
        if not proven:
            return Arrival(record, named, Refusal.BAD_SIGNATURE, digest, record.partition)
        key = content.operator if isinstance(content, OperatorReport) else content.number
        # murmur2 is slow in Python. A key that is too long has no home partition, so its content is refused.
        home = partition_of(key.encode(), self.partitions) if len(key) <= KEY_MAX else NOWHERE
        return Arrival(record, named, content, digest, home, clearance=self._clearance(content, named, roster))

    def _clearance(
        self, content: NumberEvent | OperatorReport, sender: Operator | None, roster: Roster
    ) -> Clearance | None:
        if not _has_clearance(content, sender):
            return None
        assert isinstance(content, NumberEvent), "reports have no clearance"
        from hub.wire.clearance_ids import read_clearance

        return read_clearance(content.clearance_id, self.hub_id, roster.hub_keys)

    def _operator_of(self, record: Record, roster: Roster) -> tuple[Operator | None, bool]:
        """Return the operator that the key id names, and whether its signature holds."""
        seal = read_seal(record.headers)
        found = None if seal is None else roster.operator_key(seal.key_id)
        if seal is None or found is None:
            return None, False
        operator, key = found
        return operator, key.counts_at(record.record_time) and self._holds(key.public, seal.signature, record)

    def _platform_of(self, record: Record, roster: Roster) -> tuple[Platform | None, Key | None]:
        """Return the platform that the key id names, and the key if its signature holds."""
        seal = read_seal(record.headers)
        found = None if seal is None else roster.platform_key(seal.key_id)
        if seal is None or found is None:
            return None, None
        platform, key = found
        proven = key.counts_at(record.record_time) and self._holds(key.public, seal.signature, record)
        return platform, key if proven else None

    def _report(self, record: Record, roster: Roster) -> OpenedReport:
        named, proven = self._operator_of(record, roster)
        try:
            report = decode(record.value, Report)
        except ContractError:
            return OpenedReport(record, named if proven else None, Refusal.UNDECODABLE, at_home=False)
        if named is None or not proven:
            return OpenedReport(record, named, Refusal.BAD_SIGNATURE, at_home=False)
        home = partition_of(report.number.encode(), self.partitions) if len(report.number) <= KEY_MAX else NOWHERE
        return OpenedReport(record, named, report, at_home=record.partition == home)

    def _answer(self, record: Record, roster: Roster) -> OpenedAnswer:
        named, key = self._platform_of(record, roster)
        if named is None or key is None or key.key_id.startswith(RECEIPTS_ONLY):
            return OpenedAnswer(record, named, Refusal.BAD_SIGNATURE)
        try:
            content: ReportAnswer | Trial | TrialResult = decode(record.value, ReportAnswer, Trial, TrialResult)
        except ContractError:
            return OpenedAnswer(record, named, Refusal.UNDECODABLE)
        if content.platform != named.id or record.key != named.id.encode():
            return OpenedAnswer(record, named, Refusal.WRONG_PLATFORM)
        if record.partition != home_of(record.key, self.partitions):
            return OpenedAnswer(record, named, Refusal.WRONG_PARTITION)
        return OpenedAnswer(record, named, content)

    def _ack(self, record: Record, roster: Roster) -> OpenedAck:
        platform, key = self._platform_of(record, roster)
        if platform is None or key is None:
            return OpenedAck(record, platform, Refusal.BAD_SIGNATURE, None, ())
        try:
            ack = decode(record.value, Acknowledgement)
        except ContractError:
            return OpenedAck(record, platform, Refusal.UNDECODABLE, None, ())
        if ack.outcomes and key.key_id.startswith(RECEIPTS_ONLY):
            return OpenedAck(record, platform, Refusal.BAD_SIGNATURE, None, ())
        refusal = self._misplaced(record, ack, platform)
        additions = read_outcomes(ack) if refusal is None else refusal
        if isinstance(additions, Refusal):
            return OpenedAck(record, platform, additions, None, ())
        for partition, _, _ in ack.received:
            if partition >= self.partitions:
                return OpenedAck(record, platform, Refusal.BEYOND_LOG, None, ())
        return OpenedAck(record, platform, None, ack, tuple(additions))

    def _misplaced(self, record: Record, ack: Acknowledgement, platform: Platform) -> Refusal | None:
        if ack.platform != platform.id or record.key != platform.id.encode():
            return Refusal.WRONG_PLATFORM
        if record.partition != home_of(record.key, self.partitions):
            return Refusal.WRONG_PARTITION
        return None if ack.log_id == self.log_id else Refusal.OTHER_LOG


def _has_clearance(content: NumberEvent | OperatorReport | Refusal, sender: Operator | None) -> bool:
    """Return whether an event has a clearance id that must be read: its library, and its time, are needed only then."""
    if sender is None or not isinstance(content, NumberEvent):
        return False
    return content.clearance_id is not None and needs_clearance(content, sender)


def wants_newer_roster(arrival: Arrival) -> bool:
    """Return whether a roster read to its end may change the result, by the key of the sender or of the clearance."""
    if arrival.content is Refusal.BAD_SIGNATURE:
        return True
    return arrival.clearance is None and _has_clearance(arrival.content, arrival.sender)


@lru_cache(maxsize=HOMES_KEPT)
def home_of(platform: bytes, partitions: int) -> int:
    """Return the partition of a platform. It is cached because murmur2 in Python costs as much as decoding."""
    return partition_of(platform, partitions)


def _isolated(
    open_one: Callable[[Record, Roster], T], spoilt: Callable[[Record], T], record: Record, roster: Roster
) -> T:
    try:
        return open_one(record, roster)
    except Exception as error:  # noqa: BLE001  (one message must not stop the rest; it ends as HUB_FAULT)
        log.error("%s %d-%d cannot be opened: %s", record.topic, record.partition, record.offset, type(error).__name__)
        return spoilt(record)


def _spoilt_event(record: Record) -> Arrival:
    return Arrival(record, None, Refusal.HUB_FAULT, b"", record.partition)


def _spoilt_report(record: Record) -> OpenedReport:
    return OpenedReport(record, None, Refusal.HUB_FAULT, at_home=False)


def _spoilt_answer(record: Record) -> OpenedAnswer:
    return OpenedAnswer(record, None, Refusal.HUB_FAULT)


def _spoilt_ack(record: Record) -> OpenedAck:
    return OpenedAck(record, None, Refusal.HUB_FAULT, None, ())


class OpenedReport(NamedTuple):
    """An opened message of `reports`. `sender` is as in `Arrival`; `at_home` says whether its partition is right."""

    record: Record
    sender: Operator | None
    content: Report | Refusal
    at_home: bool


class OpenedAnswer(NamedTuple):
    """An opened message of `answers`. `platform` is as in `OpenedAck`."""

    record: Record
    platform: Platform | None
    content: ReportAnswer | Trial | TrialResult | Refusal
