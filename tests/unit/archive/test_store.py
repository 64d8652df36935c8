"""The archive on a real PostgreSQL: exactly what was put, whatever is put, and nothing of it readable."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, event, text

from hub.archive import sql
from hub.archive.database import migrate, open_engine
from hub.archive.keys import Keyring, new_key
from hub.archive.months import PARTITION
from hub.archive.queries import History
from hub.archive.rebuild import take_over
from hub.archive.settings import SCHEMA
from hub.archive.store import Kept, Moved, Store
from hub.archive.tables import metadata
from hub.core.model import (
    DAY_MS,
    AcceptedReport,
    Breach,
    ClearanceAnswer,
    EventType,
    Header,
    HeldRelease,
    HeldVerdict,
    HubLog,
    LookedUp,
    Lookup,
    LookupKind,
    NumberEvent,
    Outcome,
    Refusal,
    Rejected,
    ReleaseReason,
    Report,
    ReportKind,
    Role,
    Source,
    Stage,
)
from hub.errors import HubError
from tests.archive_dump import dump, forms, numbers_in, written
from tests.broker.scene import wait_until
from tests.databases import postgres_url
from tests.unit.small_archive import AT_MS, LOG, NUMBER, OTHER, Town

pytestmark = pytest.mark.database


@pytest.fixture
def town() -> Iterator[Town]:
    one = Town(Keyring([new_key()]))
    yield one
    one.close()


def count(town: Town, table: str, where: str = "true") -> int:
    with town.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one())


def count_waiting(town: Town) -> int:
    """Writers that wait for the schema's lock."""
    with town.engine.connect() as connection:
        query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(connection.execute(query).scalar_one())


def drift(engine: Engine) -> list[Any]:
    """Where the schema differs from what the program says it is; nothing is the good answer."""

    def is_ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
        """Partitions are made as they are needed and follow their table."""
        return kind != "table" or not PARTITION.search(name or "")

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_ours})
        return list(compare_metadata(context, metadata))


def test_the_migrations_make_the_tables_that_the_program_knows() -> None:
    """Alembic's head is the program's own metadata, and migrating twice changes nothing."""
    engine = open_engine(postgres_url(), SCHEMA)
    assert migrate(engine, SCHEMA) == migrate(engine, SCHEMA)
    assert drift(engine) == []
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE cases ADD COLUMN more TEXT"))
        connection.execute(text("DROP INDEX cases_of_number"))
    assert len(drift(engine)) == 2
    engine.dispose()


def test_a_schema_of_a_newer_version_is_left_alone() -> None:
    """An older program does not touch tables that a newer one made."""
    engine = open_engine(postgres_url(), SCHEMA)
    migrate(engine, SCHEMA)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(HubError, match="newer version"):
        migrate(engine, SCHEMA)
    engine.dispose()


def test_a_database_that_is_none_is_said_to_be_none() -> None:
    """A wrong address gets a sentence without the address, which may hold a password."""
    for dsn in ("nonsense", "mysql://root@127.0.0.1/x"):
        with pytest.raises(HubError):
            open_engine(dsn, SCHEMA)
    with pytest.raises(HubError, match="schema"):
        open_engine("postgresql://u@127.0.0.1/x", "a; DROP")
    away = open_engine("postgresql://u:secret@127.0.0.1:1/x", SCHEMA)
    with pytest.raises(HubError, match="does not answer") as told:
        migrate(away, SCHEMA)
    assert "secret" not in str(told.value)


def test_a_case_is_found_by_number_by_id_and_by_any_of_its_positions(town: Town) -> None:
    """The three ways give the same history: note, events with their breaches, notices, in order, and who said what."""
    note = town.happens(NUMBER, EventType.SUSPENDED)
    opened = town.happens(NUMBER, EventType.COOLING)
    released = town.happens(NUMBER, EventType.RELEASED, [Breach.EARLY_RELEASE, Breach.SHORT_NOTICE])
    other = town.happens(OTHER, EventType.COOLING)
    town.says("bank", Outcome.FROZEN, opened)
    town.says("bank", Outcome.UNBOUND, opened, released.offset)
    town.says("bank", Outcome.UNBOUND, opened)
    town.says("shop", Outcome.NOT_BOUND, Source(opened.partition, released.offset))
    town.keep()
    history = History(town.dsn, town.keys)
    (found,) = history.cases_of_number(NUMBER)
    assert found == history.case(opened) == history.case(released)
    assert found.case.stage is Stage.RELEASED
    assert [(one.kind, one.what) for one in found.happened] == [
        *(("event", "SUSPENDED"), ("event", "COOLING"), ("notice", "COOLING")),
        *(("event", "RELEASED"), ("notice", "RELEASED")),
    ]
    assert found.happened[0].source == str(note)
    assert found.happened[3].breaches == (Breach.EARLY_RELEASE, Breach.SHORT_NOTICE)
    assert [(one.platform, one.outcome, one.messages) for one in found.effects] == [
        ("bank", Outcome.FROZEN, 1),
        ("bank", Outcome.UNBOUND, 2),
    ]
    assert found.effects[1].last_at - found.effects[1].first_at == 1_000
    assert found.effects[1].first_ack == Source(0, 1)
    assert history.case(Source(other.partition, 999)) is None
    assert history.cases_of_number("+8613500000000") == []
    history.close()


def test_a_case_that_is_not_wanted_costs_what_no_case_costs(town: Town) -> None:
    """Of a number that is not the asker's nothing more is read than of one nobody gave up: time tells nothing."""
    town.happens(NUMBER, EventType.COOLING)
    town.keep()
    history = History(town.dsn, town.keys)
    asked: list[str] = []

    def cost(number: str, *, wanted: bool) -> int:
        asked.clear()
        assert len(history.cases_of_number(number, lambda case: wanted and case.operator == "north")) == wanted
        return len(asked)

    def note(*told: Any) -> None:
        asked.append(told[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        own, foreign, none = cost(NUMBER, wanted=True), cost(NUMBER, wanted=False), cost(OTHER, wanted=False)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert 0 < none == foreign < own
    history.close()


def test_what_platforms_said_of_a_case_is_read_out_of_one_index(town: Town) -> None:
    """Its rows lie a page each, as acks came; PostgreSQL reads none of them, and no month before the case."""
    town.put("acks", b"junk", record_time=AT_MS - 400 * DAY_MS)
    opened = town.happens(NUMBER, EventType.COOLING)
    town.says("bank", Outcome.FROZEN, opened)
    town.keep()
    asked = {"part": opened.partition, "block": 0, "log_offset": opened.offset, "since": AT_MS}
    with town.engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off"))
        connection.execute(text("SET enable_bitmapscan = off"))
        plan = "\n".join(connection.execute(text(f"EXPLAIN {sql.EFFECTS.text}"), asked).scalars())
    assert "Index Only Scan using effects_y2026m11" in plan
    assert "effects_y2025m10" not in plan


def test_questions_stay_prepared_from_answer_to_answer(town: Town) -> None:
    """Over months of partitions planning takes longer than asking: a connection plans each question once."""
    town.happens(NUMBER, EventType.COOLING)
    town.keep()
    with closing(History(town.dsn, town.keys)) as history:
        for _ in range(3):
            assert history.cases_of_number(NUMBER)
        with history._engine.connect() as connection:
            planned = connection.execute(text("SELECT statement, generic_plans FROM pg_prepared_statements")).all()
    times = [plans for statement, plans in planned if "noticed" in statement]
    assert times == [3]


def test_a_number_that_comes_back_again_has_its_cases_newest_first(town: Town) -> None:
    """Each case has its own events and the notes that came before it, no other's."""
    town.happens(NUMBER, EventType.COOLING)
    town.happens(NUMBER, EventType.RESTORED)
    town.happens(NUMBER, EventType.SUSPENDED)
    town.happens(NUMBER, EventType.COOLING)
    town.keep()
    history = History(town.dsn, town.keys)
    new, old = history.cases_of_number(NUMBER)
    assert [one.what for one in new.happened if one.kind == "event"] == ["SUSPENDED", "COOLING"]
    assert [one.what for one in old.happened if one.kind == "event"] == ["COOLING", "RESTORED"]
    assert (new.case.stage, old.case.stage) == (Stage.COOLING, Stage.RESTORED)
    history.close()


def test_what_the_hub_refused_is_no_effect(town: Town) -> None:
    """An acknowledgement that the hub refused is kept, and counts in no case's history."""
    opened = town.happens(NUMBER, EventType.COOLING)
    forged = town.says("bank", Outcome.UNBOUND, opened)
    town.says("shop", Outcome.FROZEN, opened)
    refused = Rejected("acks", *forged, Refusal.BAD_SIGNATURE, "bank", town.now_ms, None, None, ())
    town.put("rejected", refused)
    town.keep()
    history = History(town.dsn, town.keys)
    (case,) = history.cases_of_number(NUMBER)
    assert [one.platform for one in case.effects] == ["shop"]
    assert count(town, "acks") == 2
    (found,) = history.refusals().refusals
    assert (found.topic, found.source, found.reason) == ("acks", forged, Refusal.BAD_SIGNATURE)
    assert history.refusals(sender="bank", topics=["acks"]).refusals == (found,)
    assert history.refusals(sender="bank", topics=["events", "reports"]).refusals == (), "an operator of that id"
    assert history.refusals(sender="shop", topics=["acks"]).refusals == ()
    history.close()


def test_lists_come_newest_first_by_pages_without_gap_or_repeat(town: Town) -> None:
    """Pages put together are the whole list, however small; while new rows come in, the pages after stay the same."""
    sources = [town.happens(f"+861351234{one:04d}", EventType.COOLING, [Breach.LATE_EVENT]) for one in range(7)]
    town.keep()
    history = History(town.dsn, town.keys)
    found: list[Source | None] = []
    page = history.breaches("north", limit=2)
    town.happens(OTHER, EventType.COOLING, [Breach.LATE_EVENT])
    town.keep()
    while True:
        found += [one.case for one in page.breaches]
        if page.next is None:
            break
        page = history.breaches("north", limit=2, before=page.next)
    assert found == sources[::-1]
    assert history.breaches("south").breaches == ()
    with pytest.raises(HubError, match="no page"):
        history.breaches("north", before="nonsense")
    history.close()


def test_clean_ups_and_lookups_are_listed(town: Town) -> None:
    """A BACKFILL that opened a case is a clean-up of its operator; a lookup says who asked, how many, and no number."""
    town.happens(OTHER, EventType.COOLING)
    done = town.happens(NUMBER, EventType.REASSIGNED, reason=ReleaseReason.BACKFILL, bound_before=AT_MS)
    numbers = (LookedUp(NUMBER, done, ClearanceAnswer.BLOCKED), LookedUp(OTHER, None, ClearanceAnswer.CLEAR))
    asked = Lookup(b"q" * 16, LookupKind.CLEARANCE, "north", Role.OPERATOR, AT_MS, numbers, None, None)
    town.put("lookups", asked, 2)
    town.keep()
    history = History(town.dsn, town.keys)
    (clean_up,) = history.clean_ups("north").clean_ups
    assert (clean_up.case, clean_up.stage) == (done, Stage.REASSIGNED)
    (lookup,) = history.lookups().lookups
    assert lookup.answers == {ClearanceAnswer.CLEAR: 1, ClearanceAnswer.BLOCKED: 1}
    assert history.lookups_of_number(NUMBER) == [lookup]
    assert history.lookups_of_number("+8613500000000") == []
    history.close()


def hostile(number: str) -> list[tuple[str, object]]:
    """Messages in which the number is wherever a stranger could put it."""
    national = number.removeprefix("+86")
    event = NumberEvent(b"e" * 16, f"op {national}", number, EventType.COOLING, AT_MS, clearance_id=number)
    report = Report(b"r" * 16, f"n{national}", number, f"shop {number}\0", ReportKind.DEBT_CALLS, AT_MS)
    headers = (Header(number, number.encode()),)
    refused = Rejected("events", 0, 0, Refusal.UNDECODABLE, number, AT_MS, number.encode(), number.encode(), headers)
    asked = LookedUp(number, None, None)
    lookup = Lookup(b"q" * 16, LookupKind.CASE, f"me {number}", Role.AUDITOR, AT_MS, (asked,), None, None)
    rest = (report.kind, None, AT_MS, AT_MS, None)
    told = [
        AcceptedReport(Source(0, at), bytes([at] * 16), "north", number, None, f"shop {one}", *rest)
        for at, one in enumerate(sorted(written(number)))
    ]
    verdict = HeldRelease("north", (Source(0, 0),), HeldVerdict.RELEASED, f"Li {max(written(number))}", AT_MS, number)
    return [
        *(("reports", report._replace(platform=f"+86 {one}")) for one in sorted(written(number))),
        *(("reported", one) for one in told),
        ("held", verdict),
        ("events", event),
        ("reports", report),
        ("rejected", refused),
        ("lookups", lookup),
        ("acks", number.encode()),
    ]


def test_no_table_gives_a_number_away(town: Town) -> None:
    """Every table as text and as bytes holds no number in any form, wherever strangers wrote it."""
    town.says("bank", Outcome.FROZEN, town.happens(NUMBER, EventType.COOLING))
    for number in (NUMBER, OTHER):
        for topic, value in hostile(number):
            town.put(topic, value, key=number.encode(), headers=((number, number.encode()),))
    town.keep()
    data = dump(town.engine, SCHEMA)
    assert numbers_in(data, [NUMBER, OTHER]) == []
    assert b"bank" in data, "the dump holds what is kept"
    for form in forms(NUMBER):
        assert numbers_in(data + form, [NUMBER]) == [form], "each form would be found"


def test_whatever_bytes_come_are_kept_and_stop_nothing(town: Town) -> None:
    """Undecodable bytes, absurd times, NUL in texts and too large numbers are kept, marked; the good one counts."""
    event = NumberEvent(b"e" * 16, "a\0b", NUMBER, EventType.COOLING, -(2**62), cooling_until=2**62)
    town.put("events", event, 1)
    town.put("events", b"junk")
    town.put("events", None)
    town.put("events", event, 2, record_time=-1)
    town.put("events", event, 3, record_time=2**62)
    town.put("acks", b"\xc3\x01" + bytes(100), headers=(("\ud800", b"x"), ("n", None)))
    opened = town.happens(OTHER, EventType.COOLING)
    town.keep()
    assert count(town, "messages") == 9
    assert count(town, "messages", "mark IS NOT NULL AND kind IS NULL") == 3
    assert count(town, "events") == 4
    assert count(town, "cases") == 1
    assert opened in (one.case.position for one in History(town.dsn, town.keys).cases_of_number(OTHER))


def test_a_message_the_database_refuses_is_kept_as_bytes(town: Town) -> None:
    """A value beyond a column's bounds costs only its own rows: the rest of the batch is kept as it should be."""
    first = town.happens(NUMBER, EventType.COOLING)
    with town.engine.begin() as connection:
        connection.execute(text("ALTER TABLE acks ALTER COLUMN platform TYPE varchar(5)"))
    town.says("much-too-long", Outcome.FROZEN, first)
    town.says("bank", Outcome.FROZEN, first)
    town.keep()
    assert count(town, "acks") == 1
    assert count(town, "messages", "mark LIKE 'HUB_FAULT%'") == 1
    assert count(town, "cases") == 1


def test_two_writers_cannot_both_count_a_message(town: Town) -> None:
    """A second writer waits for the first; a writer whose places were moved writes nothing."""
    town.happens(NUMBER, EventType.COOLING)
    again = list(town.records)
    town.keep()
    waiting: list[Store] = []
    second = threading.Thread(target=lambda: waiting.append(town.open()))
    second.start()
    wait_until("the second writer waits", lambda: count_waiting(town), 30)
    assert waiting == []
    town.store.close()
    second.join(30)
    (other,) = waiting
    other.places = dict.fromkeys(other.places, Kept())
    with pytest.raises(Moved):
        other.write(again)
    assert count(town, "messages") == len(again)
    other.close()


def test_the_archive_of_another_hub_is_not_written_into(town: Town) -> None:
    """Positions mean nothing in another log: its archive is refused."""
    town.store.close()
    store = Store(town.engine, town.keys, SCHEMA)
    with pytest.raises(HubError, match="another hub"):
        store.open(HubLog(b"x" * 16, "other", LOG.partitions, "record", 0))
    store.close()


def test_rows_under_an_older_key_are_found_and_continued(town: Town) -> None:
    """After a rotation a case opened before it is found, moves on, and its number's next case joins it."""
    town.happens(NUMBER, EventType.COOLING)
    town.keep()
    town.store.close()
    old = town.keys
    town.keys = Keyring([*old.keys, new_key()])
    town.store = town.open()
    town.happens(NUMBER, EventType.RESTORED)
    town.happens(NUMBER, EventType.COOLING)
    town.keep()
    history = History(town.dsn, town.keys)
    new, before = history.cases_of_number(NUMBER)
    assert (new.case.stage, before.case.stage) == (Stage.COOLING, Stage.RESTORED)
    assert len([one for one in before.happened if one.kind == "event"]) == 2
    assert len(History(town.dsn, old).cases_of_number(NUMBER)) == 1, "the old key alone does not see the new rows"
    history.close()


def test_lag_is_shown_by_the_archive_itself(town: Town) -> None:
    """How far each log is kept, and how far it goes, are in the database, with when that was last seen."""
    town.happens(NUMBER, EventType.COOLING)
    town.keep()
    town.store.see({("events", 0): 10})
    history = History(town.dsn, town.keys)
    (place,) = [one for one in history.places(town.now_ms) if (one.topic, one.part) == ("events", 0)]
    assert (place.next_offset, place.behind) == (place.next_offset, 10 - place.next_offset)
    history.close()


def test_partitions_are_made_by_month_and_a_time_of_no_clock_has_its_own(town: Town) -> None:
    """A message of another month gets that month's partition on demand; one of no clock goes to the other one."""
    town.put("acks", b"junk", record_time=AT_MS - 400 * 86_400_000)
    town.put("acks", b"junk", record_time=5)
    town.keep()
    engine = create_engine(town.dsn)
    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT tableoid::regclass::text FROM {SCHEMA}.messages")).scalars().all()
    engine.dispose()
    assert sorted(rows) == [f"{SCHEMA}.messages_other", f"{SCHEMA}.messages_y2025m10"]


def test_what_the_logs_have_lost_is_taken_over_from_the_old_archive(town: Town) -> None:
    """Refusals that Kafka kept for a year and no more are in the archive made anew, whole; logs that keep are not."""
    refused = Rejected("acks", 0, 0, Refusal.BAD_SIGNATURE, "bank", AT_MS, None, None, ())
    for _ in range(3):
        town.put("rejected", refused)
        town.put("acks", b"junk")
    last = list(town.records[-2:])
    town.keep()
    fresh = open_engine(town.dsn, "archive_next")
    migrate(fresh, "archive_next")
    store = Store(fresh, town.keys, "archive_next")
    store.open(LOG)
    store.see(town.ends)
    store.write(last)
    assert take_over(fresh, SCHEMA, town.keys, store) == 2
    assert take_over(fresh, SCHEMA, town.keys, store) == 0
    with fresh.connect() as connection:
        kept = connection.execute(text("SELECT log_offset, reason FROM rejections ORDER BY log_offset")).all()
        topics = connection.execute(text("SELECT topic, count(*) FROM messages GROUP BY topic ORDER BY topic")).all()
    assert kept == [(at, Refusal.BAD_SIGNATURE) for at in range(3)]
    assert topics == [("acks", 1), ("rejected", 3)]
    store.close()
    fresh.dispose()
