"""This module follows the hub's logs from outside and keeps what a person or a report wants to see.

It reads `receipts.<operator>`, `releases`, `rejected`, `acks` and `coverage`, and never reaches into the processor.
For example, `cases_report()` may return `{"cooling": 12, "released": 3}`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from hub.core.breaches import OperatorBook
from hub.core.memory import MemoryCases
from hub.core.model import (
    Coverage,
    Decision,
    Operator,
    PortedNotice,
    Receipt,
    Rejected,
    ReleaseNotice,
    ReportReceipt,
    Source,
)
from hub.kafka.follower import Follower
from hub.settings import HubAddress, WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode, receipts_topic


class Watch(Follower):
    """Keeps what the hub's logs have said so far."""

    def __init__(self, address: HubAddress, operators: list[Operator]) -> None:
        settings = _reader_settings(address)
        tps = [TopicPartition(receipts_topic(one.id), 0) for one in operators]
        tps += [TopicPartition(contracts.REJECTED, 0)]
        for topic in (contracts.RELEASES, contracts.ACKS, contracts.COVERAGE):
            tps += [TopicPartition(topic, partition) for partition in range(address.partitions)]
        super().__init__(settings, tps)
        self.operators = {one.id: one for one in operators}
        self.books = {one.id: OperatorBook() for one in operators}
        self.cases = MemoryCases()
        self.coverage: dict[str, Coverage] = {}
        self.refused: Counter[str] = Counter()
        self._letters: set[tuple[str, int, int]] = set()
        self.notices = 0
        self.acks = 0
        self._receipts = {receipts_topic(one.id): one.id for one in operators}

    def handle(self, raw: Any) -> None:
        """Fold one record."""
        if raw.topic in self._receipts:
            found = decode(raw.value, Receipt, PortedNotice, ReportReceipt)
            if isinstance(found, Receipt):
                self.books[self._receipts[raw.topic]].add(found)
        elif raw.topic == contracts.RELEASES:
            self.notices += 1
            self.cases.fold(decode(raw.value, ReleaseNotice), Source(raw.partition, raw.offset))
        elif raw.topic == contracts.REJECTED:
            self._refuse(decode(raw.value, Rejected))
        elif raw.topic == contracts.ACKS:
            self.acks += 1
        elif raw.value is not None:
            coverage = decode(raw.value, Coverage)
            self.coverage[coverage.platform] = coverage

    def _refuse(self, letter: Rejected) -> None:
        """Count a refusal once for each source, because it may be written again after a restart."""
        if (letter.topic, letter.partition, letter.offset) not in self._letters:
            self._letters.add((letter.topic, letter.partition, letter.offset))
            self.refused[letter.reason] += 1
        if letter.topic == contracts.EVENTS and letter.sender in self.books:
            self.books[letter.sender].add_rejected(letter)

    def ends(self, topic: str) -> dict[int, int]:
        """Return the next offset to read in each partition of a topic."""
        return {tp.partition: place for tp, place in self.places.items() if tp.topic == topic}

    def operator_report(self, operator_id: str, unreadable: int, now_ms: int) -> dict[str, Any]:
        """Return an operator's figures, in the shape of a world's report."""
        book = self.books[operator_id]
        breaches = book.breaches_at(self.operators[operator_id], now_ms)
        return {
            "accepted": book.decisions.get(Decision.ACCEPTED, 0) + book.decisions.get(Decision.NOTED, 0),
            "duplicate": book.decisions.get(Decision.DUPLICATE, 0),
            "unreadable": unreadable,
            "rejected": {str(reason): count for reason, count in sorted(book.refusals.items())},
            "breaches": {str(breach): count for breach, count in sorted(breaches.items())},
        }

    def cases_report(self) -> dict[str, int]:
        """Return the number of cases by stage."""
        stages = Counter(case.stage.lower() for case in self.cases.cases.values())
        return dict(sorted(stages.items()))


def platform_report(coverage: Coverage) -> dict[str, Any]:
    """Return a platform's figures, in the shape of a world's report."""
    return {
        "state": str(coverage.state),
        "in_force": coverage.in_force,
        "resolved": coverage.resolved,
        "outcomes": {str(one.outcome): one.pairs for one in sorted(coverage.outcomes)},
        "gaps": {one.gap.lower(): one.pairs for one in sorted(coverage.gaps)},
        "overdue": coverage.overdue,
        "exposed": coverage.exposed,
        "incident": coverage.incident,
        "restore_pending": coverage.restore_pending,
    }


def _reader_settings(address: HubAddress) -> WorkerSettings:
    return WorkerSettings(address.bootstrap_servers, Path(), "watch", security=address.security)
