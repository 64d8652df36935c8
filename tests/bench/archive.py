"""The archive: rows a second into it, and a case out of 10,000,000 by number, by id and by any of its positions.

- **In**: events, their notices and receipts, and acknowledgements, as messages through the archive's own store into
  PostgreSQL with its usual durability: shredded, sealed, copied, committed in batches of the program's own size.
- **Out**: cases of two years, so that every table has its months, are filled in bulk: each number's digest and seal
  made by the archive's own keys and copied, then their events, notices, receipts and effects made of them in SQL, each
  platform having acknowledged every case. Asked are numbers in random order, so nearly none is in memory; an answer is
  the whole history, with what every platform said and when.
- **Small acknowledgements**: the same where every platform acknowledged 64 positions at a time, which is sixteen
  index rows a block and platform.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import text

from hub.archive.database import migrate, open_engine
from hub.archive.follower import batches
from hub.archive.keys import Keyring, new_key
from hub.archive.queries import History
from hub.archive.settings import SCHEMA, ArchiveSettings
from hub.archive.shred import shred
from hub.archive.store import Store
from hub.core.model import (
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
from hub.kafka.running import collect_seldom
from hub.local.postgres import EmbeddedPostgres
from hub.wire.contracts import encode
from tests.bench import messages
from tests.bench.archive_fill import BLOCK_FIRST, NOW, PARTS, RELEASED_EVERY, SMALL_ACK, fill, number_at
from tests.bench.machine import HUB_CORE, on_core
from tests.segments import split_positions

log = logging.getLogger(__name__)

CASES = (10_000_000, 20_000)
PLATFORMS = (1_000, 20)
MESSAGES = (90_000, 1_500)
ASKED = (2_000, 100)
LOG = HubLog(b"l" * 16, "bench", PARTS, "record", 0)
TARGETS = {"p50_ms": 10.0, "p99_ms": 10.0}
SERVER = {
    "shared_buffers": "1GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


async def run(folder: Path, *, quick: bool, cases: int | None = None, platforms: int | None = None) -> dict[str, Any]:
    """Fill, write and ask."""
    size = int(quick)
    cases, platforms = cases or CASES[size], platforms or PLATFORMS[size]
    keys = Keyring([new_key()])
    collect_seldom()
    server = EmbeddedPostgres(folder / "postgres", **SERVER)
    with on_core(HUB_CORE):
        server.start()
    try:
        engine = open_engine(server.dsn(), SCHEMA)
        migrate(engine, SCHEMA)
        store = Store(engine, keys, SCHEMA)
        store.open(LOG)
        found: dict[str, Any] = {"targets": TARGETS, "cases": cases, "platforms": platforms}
        found["fill_s"] = _timed(lambda: fill(engine, keys, cases, platforms))
        log.info("filled in %.0f s", found["fill_s"])
        found |= _ask(History(server.dsn(), keys), cases, ASKED[size])
        found["in"] = _write(store, cases, MESSAGES[size])
        with engine.connect() as connection:
            found["database_bytes"] = connection.execute(
                text("SELECT pg_database_size(current_database())")
            ).scalar_one()
        store.close()
        engine.dispose()
    finally:
        server.stop()
    log.info("%s", found)
    return found


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


# ---- Asking ----


def _ask(history: History, cases: int, asked: int) -> dict[str, Any]:
    chance = random.Random(1)
    each = cases // PARTS
    first = min(BLOCK_FIRST, each // 2)
    places = [Source(chance.randrange(PARTS), chance.randrange(first, each)) for _ in range(asked)]
    small = [Source(chance.randrange(PARTS), chance.randrange(first)) for _ in range(asked)]
    later = [one._replace(offset=each + one.offset // RELEASED_EVERY) for one in places]
    ways: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
        "by_number": (history.cases_of_number, [number_at(*one) for one in places]),
        "by_id": (history.case, places),
        "by_position": (history.case, later),
        "small_acks": (history.case, small),
    }
    found = {}
    for name, (ask, values) in ways.items():
        ask(values[0])
        took = []
        for value in values:
            began = time.perf_counter()
            answer = ask(value)
            took.append((time.perf_counter() - began) * 1_000)
            assert answer, f"{name}: nothing is found"
        took.sort()
        found[name] = {"p50_ms": took[len(took) // 2], "p99_ms": took[len(took) * 99 // 100]}
        log.info("%s: %s", name, found[name])
    history.close()
    return found


# ---- Writing ----


def _write(store: Store, cases: int, count: int) -> dict[str, float]:
    """Messages and rows a second, through the archive's own store, beside the cases that are there."""
    records = list(_records(cases // PARTS * 2, count))
    store.see({(one.topic, one.partition): one.offset + 1 for one in records})
    settings = ArchiveSettings("", "", Path())
    found = list(batches(records, settings.batch_messages_max, settings.batch_bytes_max))

    def write() -> None:
        for one in found:
            store.write(one)

    seconds = _timed(write)
    notices = sum(one.topic == "releases" for one in records)  # two rows each: the notice's, the case's
    rows = sum(1 + len(shred(one).rows) for one in records) + 2 * notices
    return {
        "messages": len(records),
        "seconds": seconds,
        "messages_per_s": len(records) / seconds,
        "rows_per_s": rows / seconds,
    }


def _records(first: int, count: int) -> Iterator[Record]:
    """Events with their notices and receipts, and an acknowledgement of 64 positions for every ten of them."""
    for index in range(count // 3):
        part, offset = index % PARTS, first + index // PARTS
        number = number_at(part, offset)
        key, event_id, source = number.encode(), index.to_bytes(16, "big"), Source(part, offset)
        event = NumberEvent(event_id, messages.OPERATOR, number, EventType.COOLING, NOW, NOW, NOW)
        yield Record("events", part, offset, NOW, key, encode(event), (("signature", bytes(64)), ("key-id", b"k")))
        subject, digest = Subject("e164", number), bytes(32)
        times = (NOW, NOW, NOW, NOW, NOW, 0)
        notice = ReleaseNotice(
            Stage.COOLING, None, subject, messages.OPERATOR, *times, event_id, digest, source, LOG.log_id
        )
        yield Record("releases", part, offset, NOW, key, encode(notice), ())
        receipt = Receipt(source, event_id, Decision.ACCEPTED, None, source, (), NOW)
        yield Record(f"receipts.{messages.OPERATOR}", 0, first + index, NOW, key, encode(receipt), ())
        if index % 10 == 0:
            said = (OutcomeSet(Outcome.NOT_BOUND, part, tuple(split_positions(range(offset, offset + SMALL_ACK)))),)
            received = (ReceivedThrough(part, offset + SMALL_ACK, bytes(32)),)
            ack = Acknowledgement("platform-0001", LOG.log_id, NOW, received, said)
            yield Record("acks", 0, first + index, NOW, b"platform-0001", encode(ack), ())
