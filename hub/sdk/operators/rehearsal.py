"""This module works out what the hub would say of events, and sends nothing.

It applies the hub's own pure rules (`hub.core.intake`, `hub.core.cases`, `hub.core.breaches`) to an `events` and a
`releases` log that exist only as counters. It knows nothing that was not rehearsed: no earlier events, no other
operators, no signatures. For example, of two COOLING events of one number the second is REFUSED as OUT_OF_ORDER.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from hub.core import breaches, intake
from hub.core.held import HeldBook
from hub.core.intake import Accepted, Arrival
from hub.core.memory import MemoryCases
from hub.core.model import (
    Breach,
    Decision,
    HeldDecided,
    HeldWhy,
    HubLog,
    NumberEvent,
    Operator,
    Receipt,
    Record,
    Refusal,
    Rejected,
    ReleaseNotice,
    Source,
)
from hub.errors import ContractError, OperatorError
from hub.sdk.operators.importer import ImportedEvent, Row, UnreadableRow
from hub.settings import PARTITIONS_DEFAULT
from hub.wire.contracts import EVENTS, encode, partition_of

K = TypeVar("K", Refusal, Breach, HeldWhy)

REHEARSED_LOG = HubLog(bytes(16), "rehearsal", PARTITIONS_DEFAULT, "record", 0)
"""This is the id of a log that does not exist."""

ROWS_MAX = 1_000_000
"""At most so many events are checked at once: they are sorted in memory, at about 1 KB each."""

BATCH_MAX = 500

CANNOT_KNOW = (
    "Events sent before this file are unknown here: their repeats, their cases and their withdrawals.",
    "Other operators' events are unknown here: NOT_YOUR_CASE cannot be told.",
    "Signatures and daily reports are not checked: nothing is signed or sent.",
    "What else is sent on the same day counts to the daily limits as well, and order decides which events are held.",
)
"""These are the reasons why the hub may say something else."""


class Heard(NamedTuple):
    """This is what the hub would answer to some arrivals: receipts in their order, and what it would write."""

    receipts: tuple[Receipt, ...]
    notices: tuple[ReleaseNotice, ...]
    rejected: tuple[Rejected, ...]
    held: tuple[tuple[Source, HeldWhy], ...] = ()


class Rehearsal:
    """This is a hub of counters and dictionaries.

    Args:
        operators: those whose ranges and cooling days count.
        partitions: the number of partitions of the real hub.
        authority: whether the rules of authority hold in it (`hub.core.limits`).
    """

    def __init__(
        self, operators: Iterable[Operator], partitions: int = PARTITIONS_DEFAULT, *, authority: bool = False
    ) -> None:
        self.known = MemoryCases()
        self.held = HeldBook()
        self._operators = {operator.id: operator for operator in operators}
        self._partitions = partitions
        self._log = REHEARSED_LOG._replace(partitions=partitions, authority_from=0 if authority else None)
        self._sent = [0] * partitions
        self._published = [0] * partitions

    def know(self, operator: Operator) -> None:
        """Go by a newer record of an operator from now on."""
        self._operators[operator.id] = operator

    def arrive(self, event: NumberEvent, record_time: int, sender: str | None = None) -> Arrival:
        """Give an event the next place in its partition, as if its operator had sent it."""
        key = event.number.encode()
        home = partition_of(key, self._partitions)
        content: NumberEvent | Refusal = event
        try:
            value = encode(event)
        except ContractError:  # such as an event of more than 64 KiB
            value, content = b"", Refusal.UNDECODABLE
        record = Record(EVENTS, home, self._sent[home], record_time, key, value, ())
        self._sent[home] += 1
        operator = self._operators.get(event.operator if sender is None else sender)
        return Arrival(record, operator, content, hashlib.sha256(value).digest(), home)

    def hear(self, arrivals: Sequence[Arrival]) -> Heard:
        """Decide on arrivals of one partition, in order, and remember what was accepted."""
        receipts: dict[Source, Receipt] = {}
        notices: list[ReleaseNotice] = []
        refused: list[Rejected] = []
        held: list[tuple[Source, HeldWhy]] = []
        rest = arrivals
        while rest:
            plan = intake.decide(rest, self.known, self._log, self.held)
            for one in plan.held:
                assert isinstance(one.arrival.content, NumberEvent), "only events are held"
                self.held.hold(one.event, one.arrival.content.number)
                held.append((one.event.source, one.event.why))
            for settled in plan.settled:
                self.held.settle(settled)
            said = [
                *plan.receipts,
                *(one.receipt for one in plan.held),
                *(self._publish(one) for one in plan.accepted),
            ]
            receipts |= {one.receipt.source: one.receipt for one in said}
            notices += [one.notice for one in plan.accepted]
            refused += plan.rejected
            rest = rest[plan.taken :]
        in_order = tuple(receipts[one.source] for one in arrivals if one.source in receipts)
        return Heard(in_order, tuple(notices), tuple(refused), tuple(held))

    def _publish(self, accepted: Accepted) -> intake.Addressed:
        notice = accepted.notice
        partition = notice.source.partition
        position = Source(partition, self._published[partition])
        self._published[partition] += 1
        before = self.known.case_of(notice.subject.value)
        folded = self.known.fold(notice, position)
        assert folded is not None, "the rules accept only what the fold accepts"
        operator = self._operators[notice.operator]
        copy = accepted.arrival.held
        if copy is None:
            self.known.days.count(notice, operator, accepted.adds)
        else:
            self.held.settle(HeldDecided(copy.source, notice.source, Decision.ACCEPTED))
        shown = breaches.of_notice(notice, operator, before)
        return intake.acceptance(accepted.arrival, position, accepted.breaches + shown)


class Judged(NamedTuple):
    """This is what the hub would say of one row of a file."""

    line: int
    receipt: Receipt
    held: HeldWhy | None = None


class Check(NamedTuple):
    """This is what the hub would say of a file. `by_time`: in order of `published_at`, else in the order of rows."""

    by_time: bool
    judged: tuple[Judged, ...]
    unreadable: tuple[UnreadableRow, ...]

    def decisions(self) -> Counter[Decision]:
        """Return how many events would get each decision."""
        return Counter(one.receipt.decision for one in self.judged)

    def refused(self) -> dict[Refusal, list[int]]:
        """Return the lines of the events that would be refused, by reason."""
        return _grouped((one.receipt.reason, one.line) for one in self.judged if one.receipt.reason is not None)

    def held(self) -> dict[HeldWhy, list[int]]:
        """Return the lines of the events that would wait for a person, by reason."""
        return _grouped((one.held, one.line) for one in self.judged if one.held is not None)

    def breaches(self) -> dict[Breach, list[int]]:
        """Return the lines of the accepted events that would show a breach, by its kind."""
        return _grouped((breach, one.line) for one in self.judged for breach in one.receipt.breaches)


def check(rows: Iterable[Row], operator: Operator, now_ms: int, partitions: int = PARTITIONS_DEFAULT) -> Check:
    """Rehearse the events of a file, with the default limits of a hub.

    Args:
        now_ms: the record time of all events if one of them has no `published_at`.

    Raises:
        OperatorError: there are more than `ROWS_MAX` rows.
    """
    read = list(islice(rows, ROWS_MAX + 1))
    if len(read) > ROWS_MAX:
        raise OperatorError(f"more than {ROWS_MAX} rows", todo="Split the file, at a number's end if you can.")
    events = [row for row in read if isinstance(row, ImportedEvent)]
    by_time = all(row.published_at is not None for row in events)
    if by_time:
        events.sort(key=lambda row: (row.published_at or 0, row.event.event_id))
    rehearsal = Rehearsal([operator], partitions, authority=True)
    homes: dict[int, list[tuple[int, Arrival]]] = defaultdict(list)
    for row in events:
        arrival = rehearsal.arrive(row.event, row.published_at if by_time and row.published_at is not None else now_ms)
        homes[arrival.record.partition].append((row.line, arrival))
    judged = sorted((one for home in homes.values() for one in _judge(rehearsal, home)), key=lambda one: one.line)
    return Check(by_time, tuple(judged), tuple(row for row in read if isinstance(row, UnreadableRow)))


def _judge(rehearsal: Rehearsal, home: Sequence[tuple[int, Arrival]]) -> Iterator[Judged]:
    for start in range(0, len(home), BATCH_MAX):
        batch = home[start : start + BATCH_MAX]
        heard = rehearsal.hear([arrival for _, arrival in batch])
        held = dict(heard.held)
        for (line, _), receipt in zip(batch, heard.receipts, strict=True):
            yield Judged(line, receipt, held.get(receipt.source))


def _grouped(pairs: Iterable[tuple[K, int]]) -> dict[K, list[int]]:
    found: dict[K, list[int]] = defaultdict(list)
    for key, line in pairs:
        found[key].append(line)
    return dict(sorted(found.items()))
