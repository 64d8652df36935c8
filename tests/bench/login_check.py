"""The login check: how long a login waits for it, beside 10,000,000 accounts and 1,000,000 recycled numbers.

Both tables are filled in bulk, the record through the adapter's own hand, in batches of an adapter's size. Asked are
numbers in random order, one in ten of a number with a case; every answer is compared with what it must be. Timed are
the check alone, and the login's own two questions: which account has the number, and may the number open it. Beside
them an empty query through the same driver: what the machine and the way to the database cost, whatever is asked.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from hub.core.model import DAY_MS, Source, Stage
from hub.sdk.accounts import Changes
from hub.sdk.adapter.heartbeat import beat
from hub.sdk.last_cases import LastCase
from hub.sdk.login.check import EVERYBODY, LoginCheck, LoginCheckSettings
from hub.sdk.login.words import Operation, Reason, Recycled, Signals
from hub.sdk.numbering import International
from hub.sdk.stores import SqlStore, SqlTable
from tests.bench.databases import DATABASES

log = logging.getLogger(__name__)

ACCOUNTS = (10_000_000, 50_000)
CASES = (1_000_000, 5_000)
ASKED = (50_000, 2_000)
BATCH = 5_000
PARTITIONS = 12
THREADS = 4
NOW = 20_000 * DAY_MS
ENDED = NOW - 100 * DAY_MS
BOUND = NOW - 400 * DAY_MS
EVIDENCE = NOW - 500 * DAY_MS
TARGETS = {"p50_ms": 1.0, "p99_ms": 1.0}
SETTINGS = LoginCheckSettings(clock=lambda: NOW, served=EVERYBODY)

SIZE = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
}
SETTLE = {
    "postgresql": ("VACUUM (ANALYZE)", "CHECKPOINT"),
    "sqlite": ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"),
}
"""What a database does by itself some time after a bulk load, and would else do while it is measured."""

FILL = {
    "postgresql": """INSERT INTO users
        SELECT i, '+86' || (13000000000 + i * 7), :bound FROM generate_series(0, :accounts - 1) AS i""",
    "sqlite": """WITH RECURSIVE one(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM one WHERE i < :accounts - 1)
        INSERT INTO users SELECT i, '+86' || (13000000000 + i * 7), :bound FROM one""",
}


async def run(folder: Path, *, quick: bool, only: str | None = None) -> dict[str, Any]:
    """Measure on both databases, or on the one named."""
    results: dict[str, Any] = {"targets": TARGETS}
    for name, database in DATABASES.items():
        if only in (None, name):
            with database(folder / name) as engine:
                results[name] = _measure(engine, quick=quick)
                log.info("%s: %s", name, results[name])
    return results


def number(place: int) -> str:
    """The number of one account."""
    return f"+86{13_000_000_000 + place * 7}"


def _measure(engine: Engine, *, quick: bool) -> dict[str, Any]:
    accounts, cases, asked = (sizes[quick] for sizes in (ACCOUNTS, CASES, ASKED))
    every = accounts // cases
    filled_s = _fill_accounts(engine, accounts)
    accounts_bytes = _size_bytes(engine)
    record_s = _fill_record(engine, cases, every)
    record_bytes = _size_bytes(engine) - accounts_bytes
    _settle(engine)
    chance = random.Random(1)
    places = [chance.randrange(accounts) for _ in range(asked)]
    check = LoginCheck(engine, SETTINGS)

    def ask(place: int) -> None:
        verdict = check.check(number(place), BOUND, Operation.LOG_IN, Signals(new_device=True))
        _right(verdict.answer, place, every)

    def log_in(place: int) -> None:
        _account_of(engine, number(place))
        ask(place)

    for place in places[: asked // 10]:
        log_in(place)  # pages and statements are where a running login has them
    return {
        "accounts": accounts,
        "cases": cases,
        "accounts_filled_s": filled_s,
        "record_rows_per_s": cases / record_s,
        "record_bytes_a_case": record_bytes / cases,
        "empty_query": _percentiles([_timed_ms(lambda _: _empty(engine), place) for place in places]),
        "check": _percentiles([_timed_ms(ask, place) for place in places]),
        "account_and_check": _percentiles([_timed_ms(log_in, place) for place in places]),
        "threads": THREADS,
        "checks_per_s_in_threads": _in_threads(ask, places),
    }


def _fill_accounts(engine: Engine, accounts: int) -> float:
    began = time.monotonic()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT PRIMARY KEY, phone TEXT, bound_at BIGINT)"))
        connection.execute(text(FILL[engine.dialect.name]), {"accounts": accounts, "bound": BOUND})
        connection.execute(text("CREATE INDEX users_phone ON users (phone)"))
    return time.monotonic() - began


def _fill_record(engine: Engine, cases: int, every: int) -> float:
    layout = SqlTable("users", International(), account_id="id", number="phone", bound_at_unit_ms=1)
    store = SqlStore(engine, layout)
    began = time.monotonic()
    nothing = Changes(None, {}, {}, {}, {}, {}, {}, {})
    for batch in _batches(cases, every):
        with store.transaction() as session:
            session.save(nothing._replace(last_cases=batch))
    beat(store, EVIDENCE, range(PARTITIONS))
    beat(store, NOW, range(PARTITIONS))
    return time.monotonic() - began


def _batches(cases: int, every: int) -> Iterator[dict[str, LastCase]]:
    case = LastCase(Source(0, 0), Stage.RELEASED, ENDED, None)
    for first in range(0, cases, BATCH):
        batch = range(first, min(first + BATCH, cases))
        yield {number(place * every): case._replace(case=Source(place % PARTITIONS, place)) for place in batch}


def _right(answer: Any, place: int, every: int) -> None:
    expected = (Recycled.YES, Reason.REISSUED) if place % every == 0 else (Recycled.NO, Reason.SAME_OWNER)
    assert (answer.recycled, answer.reason) == expected, answer


def _account_of(engine: Engine, phone: str) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT id, bound_at FROM users WHERE phone = :phone"), {"phone": phone}).one()


def _settle(engine: Engine) -> None:
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for statement in SETTLE[engine.dialect.name]:
            connection.execute(text(statement))


def _size_bytes(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(SIZE[engine.dialect.name])).scalar_one())


def _empty(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1")).one()


def _timed_ms(what: Callable[[int], None], place: int) -> float:
    began = time.perf_counter()
    what(place)
    return (time.perf_counter() - began) * 1_000


def _percentiles(times_ms: list[float]) -> dict[str, float]:
    times_ms.sort()
    return {f"p{share}_ms": times_ms[len(times_ms) * share // 100] for share in (50, 99)} | {"max_ms": times_ms[-1]}


def _in_threads(ask: Callable[[int], None], places: list[int]) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(ask, places, chunksize=len(places) // THREADS))
    return len(places) / (time.monotonic() - began)
