"""A small world written straight into an archive: one operator, two platforms, and what happens to a few numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine

from hub.archive.database import migrate, open_engine
from hub.archive.keys import Keyring
from hub.archive.settings import SCHEMA
from hub.archive.store import Store
from hub.core.model import (
    DAY_MS,
    Acknowledgement,
    Decision,
    EventType,
    HubLog,
    NumberEvent,
    Outcome,
    OutcomeSet,
    Receipt,
    ReceivedThrough,
    Record,
    ReleaseNotice,
    Source,
    Stage,
    Subject,
)
from hub.wire.contracts import encode
from tests.databases import postgres_url
from tests.segments import split_positions

PARTITIONS = 4
LOG = HubLog(b"l" * 16, "hub", PARTITIONS, "record", 0)
AT_MS = 1_795_400_000_000
NUMBER, OTHER = "+8613512345678", "+8613598765432"
STAGES = {
    EventType.COOLING: Stage.COOLING,
    EventType.RELEASE_SCHEDULED: Stage.SCHEDULED,
    EventType.RELEASED: Stage.RELEASED,
    EventType.REASSIGNED: Stage.REASSIGNED,
    EventType.RESTORED: Stage.RESTORED,
    EventType.WITHDRAWN: Stage.WITHDRAWN,
}


class Town:
    """Logs that are written only into an archive. Every message is a second later than the one before."""

    def __init__(self, keys: Keyring) -> None:
        self.dsn = postgres_url()
        self.engine: Engine = open_engine(self.dsn, SCHEMA)
        migrate(self.engine, SCHEMA)
        self.keys = keys
        self.now_ms = AT_MS
        self.store = self.open()
        self.ends: dict[tuple[str, int], int] = {}
        self.cases: dict[str, Source] = {}
        self.records: list[Record] = []

    def open(self) -> Store:
        """One more writer."""
        store = Store(self.engine, self.keys, SCHEMA)
        store.open(LOG)
        return store

    def put(self, topic: str, value: Any, part: int = 0, **fields: Any) -> Source:
        """Write a message of a value or of bytes; where it lies."""
        where = Source(part, self.ends.get((topic, part), 0))
        self.now_ms += 1_000
        data = value if isinstance(value, bytes | None) else encode(value)
        given = {"record_time": self.now_ms, "key": b"k", "headers": (), **fields}
        self.ends[topic, part] = where.offset + 1
        self.records.append(Record(topic, *where, value=data, **given))
        return where

    def keep(self) -> None:
        """Have the archive write what was put."""
        self.store.see(self.ends)
        self.store.write(self.records)
        self.records = []

    def happens(self, number: str, kind: EventType, breaches: Iterable[Any] = (), **fields: Any) -> Source:
        """An event that is accepted or noted, its notice and its receipt; the position of the notice, or the event."""
        part = int(number[-1]) % PARTITIONS
        at = self.now_ms
        cooling = {"cooling_until": at + 60 * DAY_MS, "reissue_not_before": at + 70 * DAY_MS}
        times = cooling if kind is EventType.COOLING else {}
        event_id = at.to_bytes(16, "big")
        event = NumberEvent(event_id, "north", number, kind, at, **{**times, **fields})
        source = self.put("events", event, part, key=number.encode())
        position = None if kind is EventType.SUSPENDED else self._notice(event, source)
        decision = Decision.NOTED if position is None else Decision.ACCEPTED
        receipt = Receipt(source, event_id, decision, None, position, tuple(breaches), self.now_ms)
        self.put("receipts.north", receipt)
        return source if position is None else position

    def _notice(self, event: NumberEvent, source: Source) -> Source:
        opens = event.type is EventType.COOLING or event.reason is not None
        notice = ReleaseNotice(
            STAGES[event.type],
            None if opens else self.cases[event.number].offset,
            Subject("e164", event.number),
            "north",
            event.occurred_at,
            self.now_ms,
            event.bound_before or event.occurred_at,
            event.cooling_until,
            event.reissue_not_before,
            0,
            event.event_id,
            b"d" * 32,
            source,
            LOG.log_id,
        )
        position = self.put("releases", notice, source.partition, key=event.number.encode())
        if opens:
            self.cases[event.number] = position
        return position

    def says(self, platform: str, outcome: Outcome, position: Source, *others: int) -> Source:
        """A platform's acknowledgement of a case, and of other positions of its partition."""
        through = max(position.offset, *others) if others else position.offset
        cases = tuple(split_positions({position.offset, *others}))
        received = (ReceivedThrough(position.partition, through, bytes(32)),)
        said = (OutcomeSet(outcome, position.partition, cases),)
        return self.put("acks", Acknowledgement(platform, LOG.log_id, self.now_ms, received, said))

    def close(self) -> None:
        """Disconnect."""
        self.store.close()
        self.engine.dispose()
