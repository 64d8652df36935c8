"""The archive dies while it follows: what it keeps is what the logs hold, row by row, and so it is when made anew."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import re
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text

from hub.archive.keys import read_keys
from hub.archive.rebuild import rebuild
from hub.archive.rows import ROWS
from hub.archive.settings import SCHEMA
from hub.core.model import (
    ClearanceAnswer,
    EventType,
    LookedUp,
    Lookup,
    LookupKind,
    Outcome,
    Report,
    ReportAnswer,
    ReportKind,
    Role,
)
from hub.local.postgres import EmbeddedPostgres
from hub.wire import contracts
from hub.wire.contracts import encode
from tests.archive_dump import dump, numbers_in, written
from tests.broker import scene as scenes
from tests.broker.archiving import Archiving, archiving
from tests.broker.other_rows import expected, kept
from tests.broker.scene import Feeder, Message, Scene, event, mobile_numbers, now_ms, random_delay, say, wait_until
from tests.broker.test_roster_commands import run
from tests.broker.traffic import OPERATORS, Traffic

pytestmark = pytest.mark.broker

LIFE_S_MAX = 0.6
"""A kill comes so long after the archive has kept something since its start: amid its work."""

EVENTS_PER_S = 100.0
NUMBERS = 100
SMALL_BATCHES = ("--batch-messages-max", "40")
PLATFORMS = ("bank", "shop")
COMMAND_S = 120.0


KILLS = [pytest.param(5, id="short"), pytest.param(50, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(3_600)])]
LIMITED, ITS_RANGE = "west", "+86138"
"""An operator all of whose events are held for a person."""


def people(scene: Scene, rng: random.Random) -> Traffic:
    """Who speaks in these tests."""
    traffic = Traffic(scene, NUMBERS, rng)
    scene.put_platforms(*(scene.platform(one) for one in PLATFORMS))
    scene.put_operator(LIMITED, ITS_RANGE)
    run(scene, "operator", "limits", LIMITED, "--limit", "NOTICES", "--most", "0")
    return traffic


def sent(scene: Scene, events: Iterable[Message], rng: random.Random) -> Iterator[Message]:
    """Everything that history is made of: events good, bad and held, acknowledgements, reports, answers, lookups."""
    asked: list[bytes] = []
    for index, message in enumerate(events):
        yield message
        platform = rng.choice(PLATFORMS)
        partition = rng.randrange(scene.hub_log.partitions)
        match index % 8:
            case 0:
                opened = event(rng.choice(mobile_numbers(NUMBERS, ITS_RANGE)), EventType.COOLING, LIMITED)
                yield scene.event_message(opened)
            case 1:
                said = {rng.choice(list(Outcome)): rng.sample(range(40), 5)}
                yield scene.ack_message(scene.ack(platform, partition, 39, said))
            case 3:
                yield scene.sealed_ack(platform, rng.randbytes(30))
            case 4 if asked:
                yield answer(scene, ReportAnswer(asked.pop(0), PLATFORMS[0], Outcome.UNBOUND, now_ms()))
            case 5:
                asked.append(rng.randbytes(16))
                yield report(scene, rng, asked[-1], PLATFORMS[0])
            case 6:
                # A person may write a number where a platform's name belongs.
                number = rng.choice(sorted(written(rng.choice(mobile_numbers(NUMBERS, OPERATORS["north"])))))
                yield report(scene, rng, rng.randbytes(16), f"lost {number}")
            case 7:
                yield lookup(scene, rng)


def without_end(traffic: Traffic) -> Iterator[Message]:
    while True:
        yield from traffic.messages(1_000)


def report(scene: Scene, rng: random.Random, report_id: bytes, platform: str) -> Message:
    number = rng.choice(mobile_numbers(NUMBERS, OPERATORS["north"]))
    value = encode(Report(report_id, "north", number, platform, ReportKind.STILL_BOUND, now_ms()))
    headers = scene.signer("north-1").headers(contracts.REPORTS, value)
    return Message(contracts.REPORTS, scene.home(number), number.encode(), value, headers)


def answer(scene: Scene, content: ReportAnswer) -> Message:
    value = encode(content)
    headers = scene.signer(f"{content.platform}-1").headers(contracts.ANSWERS, value)
    return Message(contracts.ANSWERS, scene.home(content.platform), content.platform.encode(), value, headers)


def judge(scene: Scene, verdict: str) -> None:
    """A person's word on everything that is held now, with a number where a name belongs."""
    wait_until("something is held", lambda: run(scene, "operator", "held", LIMITED))
    run(scene, "operator", verdict, LIMITED, "--by", "Li 135 0000 0001", "--all")


def lookup(scene: Scene, rng: random.Random) -> Message:
    numbers = rng.sample(mobile_numbers(NUMBERS, OPERATORS["north"]), 3)
    looked = tuple(LookedUp(one, None, rng.choice(list(ClearanceAnswer))) for one in numbers)
    asked = Lookup(uuid.uuid4().bytes, LookupKind.CLEARANCE, "north", Role.OPERATOR, now_ms(), looked, None, None)
    key = asked.lookup_id.hex()
    return Message(contracts.LOOKUPS, scene.home(key), key.encode(), encode(asked), ())


def kill_amid_work(archive: Archiving, rng: random.Random) -> None:
    before = archive.kept()
    wait_until("the archive keeps something", lambda: archive.kept() != before)
    random_delay(rng, LIFE_S_MAX)
    archive.kill()


def settle(scene: Scene) -> None:
    """Wait until the hub has decided on everything."""
    scene.settle(contracts.EVENTS, contracts.ACKS, contracts.REPORTS, contracts.ANSWERS)


def contents(archive: Archiving) -> dict[str, list[str]]:
    """Every row, as it lies there."""
    with archive.engine.connect() as connection:
        return {
            table: sorted(map(str, connection.execute(text(f"SELECT t::text FROM {SCHEMA}.{table} AS t")).scalars()))
            for table in ROWS
        }


@pytest.mark.parametrize("kills", KILLS)
def test_kills_of_the_archive_change_nothing_in_it(tmp_path: Path, kills: int) -> None:
    """Killed again and again amid its work it equals the logs row by row; made anew from nothing, it is the same."""
    rng = random.Random(kills)
    with scenes.running(tmp_path / "hub") as scene, archiving(scene, *SMALL_BATCHES) as archive:
        traffic = people(scene, rng)
        feeder = Feeder(scene, sent(scene, without_end(traffic), rng), EVENTS_PER_S)
        for done in range(kills):
            if done in (1, kills - 1):
                judge(scene, "release-held" if done == 1 else "drop-held")
            kill_amid_work(archive, rng)
        feeder.enough()
        feeder.done()
        settle(scene)
        archive.caught_up()
        assert archive.differences(tmp_path) == []
        before = contents(archive)
        say(", ".join(f"{table} {len(found)}" for table, found in before.items()))
        assert {table for table, found in before.items() if found} == set(ROWS)
        assert {row.split(",")[4] for row in before["held"]} == {"held", "verdict", "decided"}
        with archive.engine.connect() as connection:
            assert kept(connection, read_keys(archive.key_file)) == expected(scene)
        prefixes = (*OPERATORS.values(), ITS_RANGE)
        numbers = {one for prefix in prefixes for one in mobile_numbers(NUMBERS, prefix)}
        numbers |= {"+86137" + one[6:] for one in numbers}
        assert numbers_in(dump(archive.engine, SCHEMA), numbers) == []
        assert archive.program.restarts == kills, archive.program.last_words()
        assert asyncio.run(rebuild(archive.settings)) == 0
        assert archive.differences(tmp_path) == []
        assert contents(archive) == before
        # The archive that ran all the while goes on with the one that took its place.
        scene.send(traffic.messages(50))
        scene.flush()
        settle(scene)
        archive.caught_up()
        assert archive.differences(tmp_path) == []


def test_a_database_that_dies_is_waited_for(tmp_path: Path) -> None:
    """PostgreSQL is killed while the archive follows: it goes on by itself once that is back, and misses nothing."""
    rng = random.Random(3)
    server = EmbeddedPostgres(tmp_path / "pg")
    server.start()
    try:
        with scenes.running(tmp_path / "hub") as scene, archiving(scene, dsn=server.dsn()) as archive:
            traffic = Traffic(scene, NUMBERS, rng)
            for outage in range(2):
                scene.send(traffic.messages(200))
                scene.flush()
                archive.caught_up()
                server.kill()
                scene.send(traffic.messages(200))
                scene.flush()
                scene.settle(contracts.EVENTS)
                wait_until("the archive notices", lambda: "is away" in archive.program.last_words(), 30)
                server.start()
                archive.caught_up()
                assert archive.program.restarts == 0, f"outage {outage}: {archive.program.last_words()}"
            assert archive.differences(tmp_path) == []
            assert archive.ready_file.exists()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archiving]:
    """An archive with something in every table, which no longer runs."""
    rng = random.Random(7)
    with scenes.running(tmp_path_factory.mktemp("hub")) as scene, archiving(scene) as archive:
        scene.send(sent(scene, people(scene, rng).messages(400), rng))
        scene.flush()
        settle(scene)
        judge(scene, "release-held")
        settle(scene)
        archive.caught_up()
        archive.program.stop()
        yield archive


@pytest.mark.parametrize("what", ["changed", "missing", "extra"])
def test_one_wrong_row_in_every_table_is_noticed(filled: Archiving, tmp_path: Path, what: str) -> None:
    """A row that is changed, missing or one too many is found in whichever table it is, and nothing else is."""
    assert filled.differences(tmp_path) == []
    tables = sorted(ROWS)
    with filled.engine.begin() as connection:
        for table in tables:
            connection.execute(text(f"CREATE TABLE saved_{table} AS SELECT * FROM {table}"))
            assert connection.execute(text(spoil(table, what))).rowcount == 1
    found = [(one.table, one.what) for one in filled.differences(tmp_path)]
    with filled.engine.begin() as connection:
        for table in tables:
            connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text(f"INSERT INTO {table} SELECT * FROM saved_{table}"))
            connection.execute(text(f"DROP TABLE saved_{table}"))
    assert sorted(found) == [(table, what) for table in tables]


def spoil(table: str, what: str) -> str:
    """A statement that does one wrong to a table."""
    column = "last_at" if table == "cases" else "record_time"
    where = f"WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM {table} LIMIT 1)"
    names = ROWS[table]._fields
    moved = ", ".join("log_offset + 1000000" if name == "log_offset" else name for name in names)
    return {
        "changed": f"UPDATE {table} SET {column} = {column} + 1 {where}",
        "missing": f"DELETE FROM {table} {where}",
        "extra": f"INSERT INTO {table} ({', '.join(names)}) SELECT {moved} FROM {table} {where}",
    }[what]


def command(archive: Archiving, *words: str) -> subprocess.CompletedProcess[str]:
    """`unbind-hub archive …` as a program of its own."""
    where = ("--dsn", archive.dsn, "--key-file", str(archive.key_file))
    return subprocess.run(
        [sys.executable, "-m", "hub", "archive", *words, *where],
        capture_output=True,
        encoding="utf-8",
        timeout=COMMAND_S,
        check=False,
    )


def test_the_commands_find_a_wrong_row_and_make_the_archive_anew(filled: Archiving) -> None:
    """`check` ends with 0 if all is equal, with 1 and the row's name if not; `rebuild` puts it right."""
    servers = ("--bootstrap-servers", filled.scene.hub.address.bootstrap_servers)
    good = command(filled, "check", *servers)
    assert (good.returncode, good.stdout) == (0, "equal, row by row\n"), good.stderr
    with filled.engine.begin() as connection:
        assert connection.execute(text(spoil("receipts", "changed"))).rowcount == 1
    bad = command(filled, "check", *servers)
    assert bad.returncode == 1, bad.stderr
    assert re.fullmatch(r"changed receipts 0-\d+-0\n1 differences\n", bad.stdout)
    anew = command(filled, "rebuild", *servers)
    assert (anew.returncode, anew.stdout[:9]) == (0, "made anew"), anew.stderr
    again = command(filled, "check", *servers)
    assert (again.returncode, again.stdout) == (0, "equal, row by row\n"), again.stderr


def test_an_original_message_comes_back_and_its_signature_holds(filled: Archiving) -> None:
    """`show` gives the very bytes that the log holds; with the sender's public key alone the signature is checked."""
    record = next(one for one in filled.scene.read(contracts.ACKS) if one.key == b"bank")
    shown = command(filled, "show", contracts.ACKS, f"{record.partition}-{record.offset}")
    assert shown.returncode == 0, shown.stderr
    one = json.loads(shown.stdout)
    headers = {header["name"]: base64.b64decode(header["value"]) for header in one["headers"]}
    value = base64.b64decode(one["value"])
    assert (value, headers) == (record.value, dict(record.headers))
    assert one["value_sha256"] == hashlib.sha256(value).hexdigest()
    public = Ed25519PublicKey.from_public_bytes(filled.scene.signer(headers["key-id"].decode()).public)
    signed = b"\0".join((b"unbind-hub/v1", filled.scene.hub.address.hub_id.encode(), b"acks", value))
    assert base64.b64decode(one["signed"]) == signed
    public.verify(headers["signature"], signed)
    nowhere = command(filled, "show", contracts.ACKS, "0-999999")
    assert nowhere.returncode == 1
    assert "holds no message 0-999999" in nowhere.stderr
