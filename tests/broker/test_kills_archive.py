"""The archive dies while it follows: what it keeps is what the logs hold, row by row, and so it is when made anew."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from hub import contracts
from hub.archive.rebuild import rebuild
from hub.archive.rows import ROWS
from hub.archive.settings import SCHEMA
from hub.contracts import encode
from hub.core.model import (
    ClearanceAnswer,
    LookedUp,
    Lookup,
    LookupKind,
    Outcome,
    Report,
    ReportKind,
    Role,
)
from hub.local.postgres import EmbeddedPostgres
from tests.archive_dump import dump, numbers_in
from tests.broker import scene as scenes
from tests.broker.archiving import Archiving, archiving
from tests.broker.scene import Feeder, Message, Scene, mobile_numbers, now_ms, random_delay, say, wait_until
from tests.broker.traffic import OPERATORS, Traffic

pytestmark = pytest.mark.broker

LIFE_S_MAX = 0.6
"""A kill comes so long after the archive has kept something since its start: amid its work."""

EVENTS_PER_S = 100.0
NUMBERS = 100
SMALL_BATCHES = ("--batch-messages-max", "40")
PLATFORMS = ("bank", "shop")


@dataclass(frozen=True)
class Size:
    """How long a run is."""

    kills: int
    events: int


SIZES = [
    pytest.param(Size(5, 1_500), id="short"),
    pytest.param(Size(50, 15_000), id="full", marks=[pytest.mark.soak]),
]


def sent(scene: Scene, count: int, rng: random.Random) -> Iterator[Message]:
    """Everything that history is made of: events good and bad, acknowledgements, reports, lookups."""
    for index, message in enumerate(Traffic(scene, NUMBERS, rng).messages(count)):
        yield message
        platform = rng.choice(PLATFORMS)
        partition = rng.randrange(scene.hub_log.partitions)
        match index % 8:
            case 1:
                said = {rng.choice(list(Outcome)): rng.sample(range(40), 5)}
                yield scene.ack_message(scene.ack(platform, partition, 39, said))
            case 3:
                yield scene.sealed_ack(platform, rng.randbytes(30))
            case 5:
                yield report(scene, rng)
            case 7:
                yield lookup(scene, rng)


def report(scene: Scene, rng: random.Random) -> Message:
    number = rng.choice(mobile_numbers(NUMBERS, OPERATORS["north"]))
    # A person may write a number where a platform's name belongs.
    value = encode(Report(rng.randbytes(16), "north", number, f"lost {number}", ReportKind.STILL_BOUND, now_ms()))
    headers = scene.signer("north-1").headers(contracts.REPORTS, value)
    return Message(contracts.REPORTS, scene.home(number), number.encode(), value, headers)


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


def contents(archive: Archiving) -> dict[str, list[str]]:
    """Every row, as it lies there."""
    with archive.engine.connect() as connection:
        return {
            table: sorted(map(str, connection.execute(text(f"SELECT t::text FROM {SCHEMA}.{table} AS t")).scalars()))
            for table in ROWS
        }


@pytest.mark.parametrize("size", SIZES)
def test_kills_of_the_archive_change_nothing_in_it(tmp_path: Path, size: Size) -> None:
    """Killed again and again amid its work it equals the logs row by row; made anew from nothing, it is the same."""
    rng = random.Random(size.kills)
    with scenes.running(tmp_path / "hub") as scene, archiving(scene, *SMALL_BATCHES) as archive:
        scene.put_platforms(*(scene.platform(one) for one in PLATFORMS))
        feeder = Feeder(scene, sent(scene, size.events, rng), EVENTS_PER_S)
        for _ in range(size.kills):
            kill_amid_work(archive, rng)
        feeder.done()
        scene.settle(contracts.EVENTS, contracts.ACKS, contracts.REPORTS)
        archive.caught_up()
        assert archive.differences(tmp_path) == []
        before = contents(archive)
        say(", ".join(f"{table} {len(found)}" for table, found in before.items()))
        filled = {table for table, found in before.items() if found}
        assert filled >= set(ROWS) - {"answers", "held"}
        numbers = {one for prefix in OPERATORS.values() for one in mobile_numbers(NUMBERS, prefix)}
        numbers |= {"+86137" + one[6:] for one in numbers}
        assert numbers_in(dump(archive.engine, SCHEMA), numbers) == []
        assert archive.program.restarts == size.kills, archive.program.last_words()
        assert asyncio.run(rebuild(archive.settings)) == 0
        assert archive.differences(tmp_path) == []
        assert contents(archive) == before
        # The archive that ran all the while goes on with the one that took its place.
        scene.send(Traffic(scene, NUMBERS, rng).messages(50))
        scene.flush()
        scene.settle(contracts.EVENTS)
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


FILLED = sorted(set(ROWS) - {"answers", "held"})


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archiving]:
    """An archive with something in nearly every table, which no longer runs."""
    rng = random.Random(7)
    with scenes.running(tmp_path_factory.mktemp("hub")) as scene, archiving(scene) as archive:
        scene.put_platforms(*(scene.platform(one) for one in PLATFORMS))
        scene.send(sent(scene, 400, rng))
        scene.flush()
        scene.settle(contracts.EVENTS, contracts.ACKS, contracts.REPORTS)
        archive.caught_up()
        archive.program.stop()
        yield archive


@pytest.mark.parametrize("what", ["changed", "missing", "extra"])
def test_one_wrong_row_in_every_table_is_noticed(filled: Archiving, tmp_path: Path, what: str) -> None:
    """A row that is changed, missing or one too many is found in whichever table it is, and nothing else is."""
    assert filled.differences(tmp_path) == []
    with filled.engine.begin() as connection:
        for table in FILLED:
            connection.execute(text(f"CREATE TABLE saved_{table} AS SELECT * FROM {table}"))
            assert connection.execute(text(spoil(table, what))).rowcount == 1
    found = [(one.table, one.what) for one in filled.differences(tmp_path)]
    with filled.engine.begin() as connection:
        for table in FILLED:
            connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text(f"INSERT INTO {table} SELECT * FROM saved_{table}"))
            connection.execute(text(f"DROP TABLE saved_{table}"))
    assert sorted(found) == [(table, what) for table in FILLED]


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
