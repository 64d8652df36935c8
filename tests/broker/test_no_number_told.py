"""No number is told where it is nobody's business: not by logs, metrics, ready files, error bodies, the database, or
topics that are not about numbers.

Exempt are the topics whose business numbers are: `events` and its dead letters' original bytes, `receipts.*`,
`releases`, `reports`, `reported`, `held`, `lookups` and `inbox.*`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy.engine import make_url

from hub.archive.keys import read_keys
from hub.archive.queries import History
from hub.core.model import HOUR_MS, Rejected, Report, ReportKind, Role
from hub.core.numbers import is_e164
from hub.kafka.clients import reader_settings
from hub.kafka.newest import newest
from hub.local.beside import Beside
from hub.local.replay import Replay
from hub.local.worlds import make_world
from hub.sdk.reports import send_report
from hub.wire import contracts
from hub.wire.contracts import decode, topics
from tests import plain_http
from tests.archive_dump import written
from tests.broker.scene import Follow
from tests.broker.silence import Searcher

pytestmark = pytest.mark.broker

NUMBER = "+8613512345678"
NATIONAL = NUMBER[3:].encode()
ABOUT_NUMBERS = {
    *(contracts.EVENTS, contracts.RELEASES, contracts.REJECTED, contracts.REPORTS, contracts.REPORTED),
    *(contracts.HELD, contracts.LOOKUPS),
}
"""Of `rejected` everything but the original's key and value is searched all the same."""

ARCHIVE_S = 120.0
POLL_S = 0.2
KAFKAS_OWN = "kafka"
"""Its folder holds the topics themselves; of it, what Kafka printed is searched."""


WRITTEN_AHEAD = re.compile(r"\d{6}\.log")
"""RocksDB's: the fold of cases by number, a worker's state and no log. What RocksDB says of itself is in `LOG`."""


@pytest.mark.parametrize(
    "told",
    [
        b"number +8613512345678 refused",
        b"?number=%2B8613512345678",
        b'{"n":"8613512345678"}',
        b"call 13512345678.",
        b"0086 135 1234 5678",
        b"135-1234-5678",
        b"+86 135.1234.5678",
        "+86（135） 1234，5678".encode(),
        "１３５１２３４５６７８".encode(),
        "١٣٥ ١٢٣٤ ٥٦٧٨".encode(),
        b"key=" + NUMBER.encode().hex().encode(),
        b"key " + base64.b64encode(NUMBER.encode()),
        b"sha256:" + hashlib.sha256(NUMBER.encode()).hexdigest().encode(),
        b"md5 " + hashlib.md5(NATIONAL).hexdigest().upper().encode(),
    ],
)
def test_a_number_is_found_in_every_usual_form(told: bytes) -> None:
    """The search below would notice: written out, encoded or hashed, the number is found, and no other."""
    assert Searcher([NUMBER]).found_in(told) == {NATIONAL}
    assert Searcher(["+8613512345679"]).found_in(told) == set()


def test_times_offsets_and_digests_are_no_numbers() -> None:
    """Digits that only contain a number's digits are something else."""
    for other in (b"1351234567801", b"913512345678", b"at 1790135123456", hashlib.sha256(b"x").hexdigest().encode()):
        assert Searcher([NUMBER]).found_in(other) == set()


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Logs, ready files and whatever else programs wrote for people; not Kafka's topics nor the workers' own state."""
    for path in sorted(folder.rglob("*")):
        of_kafka = KAFKAS_OWN in path.relative_to(folder).parts and path.name not in {"console.log", "broker.log"}
        is_told = path.suffix in {".log", ".json", ".txt"} or path.name == "LOG"
        if path.is_file() and is_told and not of_kafka and not WRITTEN_AHEAD.fullmatch(path.name):
            yield str(path.relative_to(folder)), path.read_bytes()


def records_of(servers: str) -> Iterator[tuple[str, bytes]]:
    """Everything in topics that are not about numbers, and what the hub itself says in a dead letter."""
    plain = [name for name in topics() if "<" not in name and name not in ABOUT_NUMBERS]
    follow = Follow(servers, [*plain, contracts.REJECTED])
    follow.to_end()
    for one in follow.records:
        where = f"{one.topic} {one.partition}-{one.offset}"
        headers = b"\n".join(name.encode() + b"=" + value for name, value in one.headers)
        if one.topic == contracts.REJECTED:
            letter = decode(one.value, Rejected)
            said = letter._replace(key=None, value=None)
            yield where, headers + repr(said).encode() + b"\n" + (one.key or b"")
            for header in letter.headers:
                yield f"{where} {header.name}", header.value
        else:
            yield where, headers + b"\n" + (one.key or b"") + b"\n" + (one.value or b"")


def rows_of(dsn: str) -> Iterator[tuple[str, bytes]]:
    """The archive's database, as whoever steals it would have it."""
    url = make_url(dsn)
    with psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database) as database:
        tables = database.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            with database.cursor().copy(f'COPY (SELECT * FROM "{schema}"."{table}") TO STDOUT') as rows:
                yield f"{schema}.{table}", b"".join(bytes(row) for row in rows)


async def pages_of(run: Replay) -> list[tuple[str, bytes]]:
    """Metrics and status pages, and the bodies of errors asked for with a number in the wrong place."""
    number = run.timeline[0].event.number if run.timeline[0].event else ""
    beside, where = run.hub.beside, run.hub.describe()
    wrong = f"/v1/nothing/{number}"
    urls = [
        run.hub.metrics_url(),
        f"http://127.0.0.1:{beside.said('archive')['metrics_port']}/metrics",
        f"http://127.0.0.1:{beside.said('archive')['metrics_port']}/status",
        where["delivery_status_url"] + "/metrics",
        where["delivery_status_url"] + "/status",
        where["delivery_url"] + wrong,
        f"http://127.0.0.1:{beside.said('web')['metrics_port']}/metrics",
        beside.api_url + wrong,
        beside.api_url + f"/v1/cases/{number}",
        beside.api_url + f"/v1/overview?number={number}",
    ]
    async with httpx.AsyncClient(verify=plain_http.NO_TLS, timeout=20.0) as client:
        answers = [await client.get(url) for url in urls]
        answers.append(await client.post(where["delivery_url"] + "/v1/receipts", json={"number": number}))
    return [*((str(one.url.path), one.content) for one in answers), *await asked_of(run)]


async def asked_of(run: Replay) -> list[tuple[str, bytes]]:
    """The API's answers about numbers, to everybody who may ask, and its errors when they are asked for wrongly."""
    numbers = sorted({one.event.number for one in run.timeline if one.event and is_e164(one.event.number)})[:50]
    beside, operator = run.hub.beside, run.world.operators[0].id
    found: list[tuple[str, bytes]] = []
    for role, subject in ((Role.OPERATOR, operator), (Role.REGISTRAR, "ana"), (Role.AUDITOR, "ben")):
        headers = {"authorization": f"Bearer {beside.token(role, subject)}"}
        async with httpx.AsyncClient(
            verify=plain_http.NO_TLS, base_url=beside.api_url, headers=headers, timeout=60.0
        ) as client:
            answers = [
                await client.post("/v1/clearance", json={"numbers": numbers}),
                *[await client.post("/v1/cases/lookup", json={"number": one}) for one in numbers[:5]],
                await client.post("/v1/notices/new-owner", json={"number": numbers[0]}),
                await client.post("/v1/notices/after-cancelling", json={"number": numbers[0]}),
                await client.get("/v1/blind-spots"),
            ]
            assert [one.status_code for one in answers] == [200] * len(answers), [one.text for one in answers]
            wrong = [
                await client.post("/v1/cases/lookup", json={"number": numbers[0] + "x"}),
                await client.post("/v1/cases/lookup", json={numbers[0]: 1}),
                await client.post("/v1/clearance", json={"numbers": numbers[0]}),
                await client.post("/v1/events", content=numbers[0].encode(), headers={"key-id": numbers[0]}),
                await client.get("/v1/lookups"),
                await client.get("/v1/refusals"),
            ]
            found += [(f"{one.request.url.path} {role}", one.content) for one in [*answers, *wrong]]
    return found


async def archived(run: Replay, dsn: str) -> None:
    """Wait until the archive holds all of it."""
    history = History(dsn, read_keys(run.hub.beside.key_file))
    try:
        async with asyncio.timeout(ARCHIVE_S):
            while not (places := await asyncio.to_thread(history.places)) or any(one.behind for one in places):
                await asyncio.sleep(POLL_S)
    finally:
        history.close()


async def report_some(run: Replay) -> None:
    """People report, so that those ways are gone as well, and write numbers where a platform's name belongs."""
    events = [one.event for one in run.timeline if one.event is not None and is_e164(one.event.number)]
    names = [run.world.platforms[0][0].id, *(f"某店 {one}" for one in sorted(written(events[0].number)))]
    for event, name in zip(events, names, strict=False):
        report = Report(
            *(uuid.uuid4().bytes, event.operator, event.number, name, ReportKind.STILL_BOUND), run.now_ms - HOUR_MS
        )
        await send_report(report, run.operator_keys[event.operator], run.hub.address, timestamp_ms=run.now_ms)


@pytest.mark.timeout(900)
async def test_a_whole_run_tells_no_number(tmp_path: Path) -> None:
    """After a world with every refusal, reports, delivery, archive, lookups and clearances, no number is found."""
    make_world(tmp_path / "world", seed=9, cases=300)
    told: list[tuple[str, set[bytes]]] = []
    looked: list[str] = []
    numbers: set[str] = set()

    async def look(run: Replay) -> None:
        await report_some(run)
        numbers.update(one.event.number for one in run.timeline if one.event is not None)
        searcher = Searcher(numbers)
        servers, dsn = run.hub.address.bootstrap_servers, run.hub.beside.dsn
        assert dsn is not None
        await archived(run, dsn)
        assert await newest(reader_settings(servers), contracts.COVERAGE, run.hub.address.partitions)
        places = [*await pages_of(run), *files_of(tmp_path / "run"), *records_of(servers), *rows_of(dsn)]
        for where, data in places:
            looked.append(where)
            found = searcher.found_in(data)
            if found:
                told.append((where, found))
        planted = tmp_path / "run" / "planted.log"
        planted.write_text(f"refused {next(filter(is_e164, numbers))}\n", encoding="utf-8")
        assert any(searcher.found_in(data) for _, data in files_of(tmp_path / "run")), "the search is blind"

    beside = Beside(archive=True, delivery=("--port", "0", "--metrics-port", "0"), web=("--port", "0"))
    await Replay(tmp_path / "world", tmp_path / "run", beside=beside, at_end=look).run()
    assert len(numbers) > 200
    for part in (
        "worker-1.log",
        "adapters-1.log",
        "archive.log",
        "delivery.log",
        "web.log",
        "/v1/clearance OPERATOR",
        "acks 0-",
        "coverage ",
        "archive.",
    ):
        assert any(part in where for where in looked), f"nothing of {part} was looked at"
    assert told == [], f"numbers in {[where for where, _ in told]}"
