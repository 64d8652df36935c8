"""One suite for every account store: whatever keeps the accounts, the same notices end the same way."""

from __future__ import annotations

import gc
import logging
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from hub.core.lifecycle import MOVES, OPENERS
from hub.core.model import Outcome, Source, Stage
from hub.errors import PlatformError
from hub.sdk.accounts import AccountStore
from hub.sdk.adapter.acting import Rules, handle, wanted
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.heartbeat import beat
from hub.sdk.adapter.plans import Counts
from hub.sdk.numbering import International
from hub.sdk.stores import DryRun, MemoryStore, SqlStore, SqlTable
from hub.sdk.stores.raw import keep, restore, time_ms
from tests.unit.adapter_driver import (
    NEW,
    NOW,
    NUMBER,
    OLD,
    OTHER,
    Crash,
    Crashed,
    Log,
    answers,
    by_ending,
    hear,
    live_through,
    openers,
    said_in,
)
from tests.unit.store_harnesses import HARNESSES, Harness, InHttp, InKeyedSql, InLargeSql, InMemory, InSql, Seen

NUMBERS = (NUMBER, OTHER, "+8613712345678")


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    made = HARNESSES[request.param](tmp_path)
    yield made
    if isinstance(made, InHttp):
        made.close()


def written(harness: Harness, number: str = NUMBER) -> str:
    return harness.form.written(number)[0]


def test_freeze_unbind_and_reinstate(harness: Harness) -> None:
    """An account is frozen, unbound and put back as it was; its neighbours never notice."""
    store, log = harness.open(), Log()
    harness.bind("1", written(harness), OLD)
    harness.bind("2", written(harness), NEW)
    harness.bind("3", written(harness, OTHER), OLD)
    before = harness.see()
    looks = []
    for stage in (Stage.COOLING, Stage.SCHEDULED, Stage.WITHDRAWN):
        log.add(stage, None if stage is Stage.COOLING else 0)
        hear(store, log)
        looks.append(harness.see())
    frozen, gone = before | {"1": Seen(before["1"].number, frozen=True)}, before | {"1": Seen(None, frozen=False)}
    assert looks == [frozen, gone, before]
    assert answers(store, log) == {Source(0, 0): {Outcome.FROZEN, Outcome.UNBOUND, Outcome.REINSTATED}}


def test_ages_are_read_to_the_moment(harness: Harness) -> None:
    """A binding one second older than `bound_before` is the old owner's, one of that very second is not."""
    harness.bind("1", written(harness), NOW - 1_000)
    harness.bind("2", written(harness), NOW)
    harness.bind("3", written(harness), None)
    log = Log()
    log.add(Stage.REASSIGNED)
    hear(harness.open(), log)
    number = written(harness)
    assert harness.see() == {"1": Seen(None, False), "2": Seen(number, False), "3": Seen(number, True)}


def test_every_spelling_of_a_number_is_found(harness: Harness) -> None:
    """Whatever way of its form an account's number is written in, it is found."""
    texts = harness.form.written(NUMBER)
    if harness.form.written(NUMBER)[0].isdigit() and isinstance(harness, InSql) and "BIGINT" in harness.columns:
        texts = texts[:1]
    for number, one in enumerate(texts):
        harness.bind(str(number), one, OLD)
    log = Log()
    log.add(Stage.COOLING)
    assert hear(harness.open(), log).counts.frozen == len(texts)


def test_more_numbers_than_one_query_takes(harness: Harness) -> None:
    """A batch of more numbers than an IN list takes is matched whole."""
    numbers = [f"+86138{number:08d}" for number in range(2_500)]
    for place in (0, 1_000, 2_499):
        harness.bind(str(place), written(harness, numbers[place]), OLD)
    log = Log()
    for number in numbers:
        log.add(Stage.COOLING, number=number)
    store = harness.open()
    assert hear(store, log).counts.frozen == 3
    assert {case.offset for case, said in answers(store, log).items() if Outcome.FROZEN in said} == {0, 1_000, 2_499}


def test_a_batch_is_whole_or_not_at_all(harness: Harness) -> None:
    """A crash after everything of a batch was written, but before its end, leaves the store as it was.

    A service of the platform's own has done what it was asked; it is asked for the same again, and does it once.
    """
    harness.bind("1", written(harness), OLD)
    store, before, log = harness.open(), harness.see(), Log()
    log.add(Stage.COOLING)
    with pytest.raises(Crashed):
        _crash_at_the_end(store, log)
    frozen = {"1": Seen(before["1"].number, frozen=True)}
    assert harness.see() == (frozen if isinstance(harness, InHttp) else before)
    assert harness.open().progress() == (None, {})
    assert harness.open().outbox() == (None, {}, {})
    assert hear(harness.open(), log).counts.frozen == 1
    assert harness.see() == frozen
    if isinstance(harness, InHttp):
        service = harness.served.service
        assert (service.asked, service.deeds) == (["0-0/0/1/FREEZE"] * 2, [("1", "FREEZE")])


def _crash_at_the_end(store: AccountStore, log: Log) -> None:
    with store.transaction() as session:
        plan = handle(log.notices, session.load(wanted(log.notices)), Rules(by_ending))
        assert session.ask(plan.asks) == {}
        session.save(plan.changes)
        raise Crashed


def test_a_deed_done_twice_is_done_once(harness: Harness) -> None:
    """A batch that is carried out again, as after a lost place in the log, changes and says nothing more."""
    harness.bind("1", written(harness), OLD)
    log = Log()
    for stage, opened_at in ((Stage.COOLING, None), (Stage.SCHEDULED, 0)):
        log.add(stage, opened_at)
    first = hear(harness.open(), log)
    seen, outbox, progress = harness.see(), harness.open().outbox(), harness.open().progress()
    assert (first.counts.frozen, first.counts.unbound, seen["1"].number) == (1, 1, None)
    again = hear(harness.open(), log)
    assert (again.counts, again.asks) == (Counts(), ())
    assert (harness.see(), harness.open().outbox(), harness.open().progress()) == (seen, outbox, progress)


def test_a_restart_goes_on_where_the_store_is(harness: Harness) -> None:
    """Place, last source, cases, holds and what is to be acknowledged are all there when the store is opened again."""
    harness.bind("1", written(harness), OLD)
    before, log = harness.see(), Log()
    log.add(Stage.COOLING)
    log.add(Stage.COOLING, number=OTHER, partition=3)
    hear(harness.open(), log)
    waiting = harness.open().outbox()
    assert {one: box.through for one, box in waiting.waiting.items()} == {0: 0, 3: 0}
    assert harness.open().progress().places[3] == (1, 0)
    log.add(Stage.RESTORED, 0, published_at=NOW - 1)
    hear(harness.open(), log)
    assert harness.see() == before
    assert harness.open().outbox().waiting[0].published_at == NOW
    expected = {Source(0, 0): {Outcome.FROZEN, Outcome.REINSTATED}, Source(3, 0): {Outcome.NOT_BOUND}}
    assert answers(harness.open(), log) == expected
    assert harness.open().outbox() == (waiting.log_id, {}, {})


def test_a_store_that_has_gone_back_is_not_gone_on_with(harness: Harness) -> None:
    """A replica that lost what was committed would have it passed over, and a login check told that all was heard."""
    harness.bind("1", written(harness), OLD)
    log = Log()
    log.add(Stage.COOLING, number=OTHER)
    log.add(Stage.COOLING, number=OTHER, partition=2)
    hear(harness.open(), log)
    committed = {0: 1, 2: 1}
    beat(harness.open(), NOW, [0], committed)
    log.add(Stage.COOLING)
    carry_out(harness.open(), log.notices, Rules(by_ending), NOW, committed)
    before = harness.see()
    log.add(Stage.SCHEDULED, 1)
    with pytest.raises(PlatformError, match="0-2 was committed, and now ends at 2"):
        carry_out(harness.open(), log.notices, Rules(by_ending), NOW, {0: 3})
    with pytest.raises(PlatformError, match="gone back"):
        beat(harness.open(), NOW, [0], {0: 3})
    assert (harness.see(), harness.open().progress().places[0].next_offset) == (before, 2)


def test_a_number_bound_again_during_a_case_is_unbound_again(harness: Harness) -> None:
    """What was undone between two stages of a case, as by a support desk, is done at the next one too."""
    harness.bind("1", written(harness), OLD)
    store, log = harness.open(), Log()
    for stage, opened_at in ((Stage.REASSIGNED, None), (Stage.WITHDRAWN, 0), (Stage.COOLING, None)):
        log.add(stage, opened_at)
    for stage in (Stage.SCHEDULED, Stage.RELEASED):
        log.add(stage, 2)
        assert hear(store, log).counts.unbound > 0
        assert harness.see()["1"].number is None
        harness.bind("1", written(harness), OLD)


def test_a_freeze_passes_from_case_to_case(harness: Harness) -> None:
    """Over restarts, the freeze an earlier case left is the next one's to lift, back to before both."""
    harness.bind("1", written(harness), None)
    before, log = harness.see(), Log()
    for stage, opened_at in ((Stage.REASSIGNED, None), (Stage.COOLING, None), (Stage.RESTORED, 1)):
        log.add(stage, opened_at)
        hear(harness.open(), log)
    assert harness.see() == before


def test_what_is_hidden_is_counted(harness: Harness) -> None:
    """Of the bound rows a store tells how many it cannot read; those without a number do not count."""
    harness.bind("1", written(harness), OLD)
    harness.bind("2", "1380013", OLD)
    harness.bind("3", "" if isinstance(harness, InSql) else None, OLD)
    assert harness.open().readability() == (2, 1)


def test_an_account_bound_elsewhere_is_left_alone(harness: Harness) -> None:
    """An unbound account whose user has bound another number keeps that one when the case is withdrawn."""
    harness.bind("1", written(harness), OLD)
    store, log = harness.open(), Log()
    log.add(Stage.REASSIGNED)
    hear(store, log)
    harness.bind("1", written(harness, OTHER), NEW)
    log.add(Stage.WITHDRAWN, 0)
    hear(store, log)
    assert harness.see() == {"1": Seen(written(harness, OTHER), frozen=False)}


def test_an_account_that_moved_while_frozen_gets_its_newer_number_back(harness: Harness) -> None:
    """Frozen under one number, bound to another since, unbound from that by its case: it is never given the first."""
    harness.bind("1", written(harness), OLD)
    store, log = harness.open(), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    moved = written(harness, OTHER)
    harness.bind("1", moved, OLD)
    log.add(Stage.COOLING, number=OTHER)
    log.add(Stage.RELEASED, 0)
    log.add(Stage.SCHEDULED, 1, number=OTHER)
    hear(store, log)
    assert harness.see()["1"].number is None
    log.add(Stage.RESTORED, 1, number=OTHER)
    hear(store, log)
    assert harness.see()["1"].number == moved
    assert answers(store, log)[Source(0, 0)] == {Outcome.FROZEN, Outcome.UNBOUND}


def test_an_account_deleted_while_frozen_counts_as_unbound(harness: Harness) -> None:
    """What a case had frozen and is not there any more is gone, and putting it back harms nothing."""
    harness.bind("1", written(harness), OLD)
    store, log = harness.open(), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    harness.delete("1")
    log.add(Stage.SCHEDULED, 0)
    log.add(Stage.RESTORED, 0)
    hear(store, log)
    assert harness.see() == {}
    assert answers(store, log)[Source(0, 0)] == {Outcome.FROZEN, Outcome.UNBOUND, Outcome.REINSTATED}


def test_a_dry_run_shows_what_a_run_does_and_does_nothing(harness: Harness) -> None:
    """Over several batches a dry run counts exactly what the real one then does, and leaves the store untouched."""
    harness.bind("1", written(harness), OLD)
    harness.bind("2", written(harness), None)
    store, log = harness.open(), Log()
    dry, before, batches = DryRun(store), harness.see(), []
    for stage, opened_at in ((Stage.COOLING, None), (Stage.SCHEDULED, 0), (Stage.WITHDRAWN, 0), (Stage.COOLING, None)):
        log.add(stage, opened_at)
        batches.append(Log())
        batches[-1].notices = log.notices[-1:]
    counted = [hear(dry, batch).counts for batch in batches]
    assert (harness.see(), store.progress().places, dry.outbox().waiting) == (before, {}, {})
    assert [hear(store, batch).counts for batch in batches] == counted
    assert sum(one.frozen + one.unbound + one.reinstated for one in counted) == 2 + 1 + 2 + 2
    assert dry.progress() == store.progress()


# ---- Any batches, any crashes ----


@st.composite
def histories(draw: st.DrawFn) -> Log:
    """Cases of three numbers through the lifecycle, with repeated sources and notices only received."""
    log = Log()
    last: dict[str, tuple[Stage, int | None]] = {}
    for _ in range(draw(st.integers(1, 14))):
        number = draw(st.sampled_from(NUMBERS))
        partition = NUMBERS.index(number) % 2
        stage, opened_at = last.get(number) or (None, None)
        moves = sorted({after for (before, _), after in MOVES.items() if before is stage})
        openings = [] if stage in (Stage.COOLING, Stage.SCHEDULED, Stage.RELEASED) else sorted(OPENERS)
        after = draw(st.sampled_from([*moves, *openings]))
        opens = after in openings and (after not in moves or draw(st.booleans()))
        acting = draw(st.integers(0, 9)) > 0
        place = log.add(after, None if opens else opened_at, number, partition, acting=acting)
        last[number] = (after, place.offset if opens else opened_at)
        if draw(st.integers(0, 5)) == 0:
            again = log.notices[-1].notice
            log.add(again.stage, again.opened_at, number, partition, source=again.source)
    return log


ACCOUNTS = st.lists(
    st.tuples(st.sampled_from(NUMBERS), st.sampled_from([OLD, NEW, None]), st.sampled_from("oofd")), max_size=6
)
STEPS = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(Crash)), max_size=12)


FEW: dict[str, int] = {"memory": 40, "sql-memory": 40, "postgres": 4, "mariadb": 4, "http": 4}
"""One store of each backend, and how many histories it is tried with: those that answer slowly, with a few."""


@contextmanager
def a_platform(kind: str, accounts: list[tuple[str, int | None, str]]) -> Iterator[Harness]:
    with tempfile.TemporaryDirectory() as folder:
        harness = HARNESSES[kind](Path(folder))
        for place, (number, bound_at, ending) in enumerate(accounts):
            harness.bind(f"{place}{ending}", written(harness, number), bound_at)
        yield harness
        if isinstance(harness, InHttp):
            harness.close()


@pytest.mark.long
@pytest.mark.parametrize("kind", FEW)
def test_batches_and_crashes_change_nothing(kind: str) -> None:
    """However the log is cut into batches and wherever the process dies, accounts and answers end the same."""

    @settings(max_examples=FEW[kind], deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(log=histories(), accounts=ACCOUNTS, steps=STEPS)
    def ends_the_same(log: Log, accounts: list[tuple[str, int | None, str]], steps: list[tuple[int, Crash]]) -> None:
        ends = []
        for cuts in ([], steps):
            with a_platform(kind, accounts) as harness:
                sent = live_through(harness.open, log, cuts)
                ends.append((harness.see(), said_in(sent, _real_openers(log))))
        assert ends[0] == ends[1]

    ends_the_same()


def _real_openers(log: Log) -> set[Source]:
    seen: set[Source] = set()
    found = openers(log)
    for one in log.notices:
        if one.notice.source in seen:
            found.discard(one.position)
        seen.add(one.notice.source)
    return found


@pytest.mark.long
@pytest.mark.parametrize("kind", [one for one in FEW if one != "memory"])
def test_all_stores_agree(kind: str) -> None:
    """The same history over the same accounts ends in every backend as it ends in memory."""

    @settings(max_examples=FEW[kind], deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(log=histories(), accounts=ACCOUNTS)
    def ends_as_in_memory(log: Log, accounts: list[tuple[str, int | None, str]]) -> None:
        ends = []
        for one in ("memory", kind):
            with a_platform(one, accounts) as harness:
                plan = hear(harness.open(), log)
                ends.append((harness.see(), plan.counts, harness.open().outbox()))
        assert ends[0] == ends[1]

    ends_as_in_memory()


def test_a_dry_run_finds_what_it_would_have_put_back(harness: Harness) -> None:
    """An account that a real case unbound and a dry run would put back is there for the dry run's next case."""
    harness.bind("1", written(harness), OLD)
    store, log = harness.open(), Log()
    log.add(Stage.REASSIGNED)
    hear(store, log)
    dry = DryRun(store)
    log.add(Stage.WITHDRAWN, 0)
    assert hear(dry, log).counts.reinstated == 1
    log.add(Stage.COOLING)
    log.notices = log.notices[-1:]
    assert hear(dry, log).counts.frozen == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(log=histories(), accounts=ACCOUNTS, real=st.integers(0, 8), size=st.integers(1, 4))
def test_a_dry_run_from_anywhere_counts_what_a_run_does(
    log: Log, accounts: list[tuple[str, int | None, str]], real: int, size: int
) -> None:
    """Started after any part of a history, in any batches, a dry run counts what the real run then does."""
    store = MemoryStore([(f"{place}{one[2]}", one[0], one[1]) for place, one in enumerate(accounts)])
    first, rest = log.notices[:real], log.notices[real:]
    carry_out(store, first, Rules(by_ending))
    dry = DryRun(store)
    batches = [rest[start : start + size] for start in range(0, len(rest), size)]
    counted = [carry_out(dry, batch, Rules(by_ending)).counts for batch in batches]
    assert [carry_out(store, batch, Rules(by_ending)).counts for batch in batches] == counted


@pytest.mark.long
def test_a_dry_run_takes_no_more_memory_for_a_longer_log() -> None:
    """Two thousand accounts frozen and unbound by a dry run, in batches: its memory stays as after the first."""
    numbers = [f"+86138{one:08d}" for one in range(2_000)]
    dry = DryRun(MemoryStore((f"account {one}", one, OLD) for one in numbers))
    taken = []
    tracemalloc.start()
    try:
        for place in range(0, len(numbers), 200):
            log = Log()
            for number in numbers[place : place + 200]:
                position = log.add(Stage.COOLING, number=number, partition=place)
                log.add(Stage.SCHEDULED, position.offset, number, place)
            assert hear(dry, log).counts.unbound == 200
            del log
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert taken[-1] - taken[0] < 400_000


# ---- What only a database can get wrong ----


def test_a_missing_column_is_named() -> None:
    """A misspelt column or table is an error at once that says which."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE members (account_id TEXT, number TEXT)"))
    with pytest.raises(PlatformError, match="no column bound_at"):
        SqlStore(engine, SqlTable("members", International()))
    with pytest.raises(PlatformError, match="no table membres"):
        SqlStore(engine, SqlTable("membres", International()))


def test_what_goes_with_the_number_comes_back_with_it(tmp_path: Path) -> None:
    """Columns cleared together with a number are put back together with it, and the clear number is kept nowhere."""
    harness = InKeyedSql(tmp_path)
    harness.bind("1", written(harness), OLD)
    log = Log()
    log.add(Stage.REASSIGNED)
    hear(harness.open(), log)
    assert harness.run("SELECT phone, sealed FROM members") == [(None, None)]
    kept = (tmp_path / "shop.db").read_bytes()
    assert NUMBER[1:].encode() not in kept
    log.add(Stage.WITHDRAWN, 0)
    hear(harness.open(), log)
    assert harness.run("SELECT phone, sealed FROM members") == [(written(harness), "sealed")]


def test_an_age_learnt_in_the_meantime_is_kept(tmp_path: Path) -> None:
    """An age the platform fills in while an account is frozen is not overwritten when the freeze is lifted."""
    harness = InSql(tmp_path)
    harness.bind("1", NUMBER, None)
    log = Log()
    log.add(Stage.COOLING)
    hear(harness.open(), log)
    harness.run("UPDATE members SET since = 5")
    log.add(Stage.RESTORED, 0)
    hear(harness.open(), log)
    assert harness.run("SELECT since, locked, note FROM members") == [(5, 0, "kept")]


def test_a_large_table_is_read_at_both_ends(tmp_path: Path) -> None:
    """Of a table too large to read at every start, the first and the last accounts stand for the rest."""
    harness = InLargeSql(tmp_path)
    for number in range(9):
        harness.bind(str(number), "garbled" if number in (1, 4, 7, 8) else NUMBER, OLD)
    assert harness.open().readability() == (4, 3)


def test_two_adapters_share_a_database(tmp_path: Path) -> None:
    """Adapters with a prefix each do not see each other's places."""
    harness = InSql(tmp_path)
    table = SqlTable("members", International(), account_id="uid", number="phone", bound_at="since")
    first, second = (SqlStore(harness.engine, table, prefix) for prefix in ("first_", "second_"))
    log = Log()
    log.add(Stage.COOLING)
    hear(first, log)
    assert (len(first.progress().places), len(second.progress().places)) == (1, 0)


ZULU, CHINA = ZoneInfo("UTC"), ZoneInfo("Asia/Shanghai")
AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("value", "unit_ms", "zone", "at_ms"),
    [
        ("2026-01-01T00:00:00Z", 1, CHINA, AT),
        ("2026-01-01 08:00:00", 1, CHINA, AT),
        ("2026-01-01 00:00:00.250", 1, ZULU, AT + 250),
        ("20260101", 1, ZULU, AT),
        ("1767225600", 1_000, ZULU, AT),
        (1_767_225_600, 1_000, ZULU, AT),
        (1_767_225_600_000, 1, ZULU, AT),
        (1_767_225_600.5, 1_000, ZULU, AT + 500),
        (None, 1, ZULU, None),
        ("", 1, ZULU, None),
        ("soon", 1, ZULU, None),
        ("0000-00-00 00:00:00", 1, ZULU, None),
        (0, 1, ZULU, None),
        (-1, 1, ZULU, None),
        (float("nan"), 1, ZULU, None),
        (True, 1, ZULU, None),
        (b"2026", 1, ZULU, None),
    ],
)
def test_ages_come_in_many_shapes(value: object, unit_ms: int, zone: ZoneInfo, at_ms: int | None) -> None:
    """Whatever a column holds is either a time or no age at all: what is not understood is never unbound."""
    assert time_ms(value, unit_ms, zone) == at_ms


def test_every_kind_of_value_is_kept() -> None:
    """What a driver gives is put back as the very same value."""
    row = {
        "a": datetime(2026, 1, 1, 8, 30, 0, 123_456, tzinfo=UTC),
        "b": date(2026, 1, 1),
        "c": Decimal("13800138000"),
        "d": UUID(int=7),
        "e": b"\x00\xff",
        "f": "138 0013 8000",
        "g": None,
        "h": 1.5,
    }
    assert restore(keep(row)) == row
    with pytest.raises(TypeError, match="complex"):
        keep({"a": 1j})


def test_deeds_are_logged_and_no_number(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Each deed is a line once it is committed, by account and case; no line has the number, even if it is the id."""
    caplog.set_level(logging.DEBUG, "hub")
    for name in ("1", NUMBER[3:]):
        harness.bind(name, written(harness), OLD)
    log = Log()
    log.add(Stage.COOLING)
    hear(DryRun(harness.open()), log)
    assert "FREEZE" not in caplog.text
    hear(harness.open(), log)
    said = [one.message for one in caplog.records if "FREEZE" in one.message]
    assert said == [f"FREEZE of account {name} for case 0-0: DONE" for name in ("1", "(named by its number)")]
    assert NUMBER[-7:] not in caplog.text


def test_what_is_not_committed_is_not_logged_as_done(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """A batch that is rolled back leaves no line that says that something was done."""
    caplog.set_level(logging.DEBUG, "hub")
    for harness in (InSql(tmp_path), InMemory(tmp_path)):
        harness.bind("1", written(harness), OLD)
        log = Log()
        log.add(Stage.COOLING)
        with pytest.raises(Crashed):
            _crash_at_the_end(harness.open(), log)
    assert "FREEZE" not in caplog.text
