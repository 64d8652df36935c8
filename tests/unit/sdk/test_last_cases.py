"""The record of last cases: what an adapter keeps of every number, in every store, and what it makes of the fold."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from hub.core.cases import Case, fold
from hub.core.lifecycle import LIVE, UNDONE
from hub.core.model import DAY_MS, Source, Stage
from hub.errors import PlatformError
from hub.sdk.accounts import AccountStore
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.heartbeat import beat
from hub.sdk.adapter.settings import always_done
from hub.sdk.last_cases import Evidence, Index, LastCase
from hub.sdk.numbering import International
from hub.sdk.stores import DryRun, MemoryStore, SqlStore, SqlTable
from hub.sdk.stores.sql_index import UPSERTS, SqlIndex
from tests.bench.databases import DATABASES
from tests.unit.adapter_driver import NOW, NUMBER, OLD, OTHER, Log, hear
from tests.unit.store_harnesses import HARNESSES, Harness, InSql

LATER, LATEST = NOW + DAY_MS, NOW + 2 * DAY_MS


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return HARNESSES[request.param](tmp_path)


def index_of(store: AccountStore) -> Index:
    """A store as what the login check asks."""
    assert isinstance(store, Index)
    return store


def test_a_number_is_remembered_by_its_last_case(harness: Harness) -> None:
    """Stage by stage, over restarts, the row of a number is what its last case says, and no other number has one."""
    log, rows = Log(), []
    for stage, opened_at, at in (
        (Stage.COOLING, None, NOW),
        (Stage.RELEASED, 0, NOW),
        (Stage.REASSIGNED, 0, LATER),
        (Stage.COOLING, None, LATEST),
    ):
        log.add(stage, opened_at, occurred_at=at, bound_before=NOW if at != LATEST else LATEST)
        hear(harness.open(), log)
        rows.append(index_of(harness.open()).last_case(NUMBER))
    first = LastCase(Source(0, 0), Stage.COOLING, NOW, None)
    assert rows[:2] == [first, first._replace(stage=Stage.RELEASED)]
    assert rows[2] == first._replace(stage=Stage.REASSIGNED, free_until=LATER)
    assert rows[3] == LastCase(Source(0, 3), Stage.COOLING, LATEST, None, NOW, LATER)
    assert index_of(harness.open()).last_case(OTHER) is None


@pytest.mark.parametrize("undone", sorted(UNDONE))
def test_a_case_undone_leaves_those_before_it(harness: Harness, undone: Stage) -> None:
    """A case that was undone ends nobody's time, and what the cases before it ended stays ended."""
    log = Log()
    log.add(Stage.REASSIGNED, bound_before=OLD)
    second = log.add(Stage.COOLING, bound_before=NOW)
    log.add(undone, second.offset, bound_before=NOW)
    log.add(Stage.COOLING, bound_before=LATER)
    hear(harness.open(), log)
    assert index_of(harness.open()).last_case(NUMBER) == LastCase(Source(0, 3), Stage.COOLING, LATER, None, OLD, OLD)


def test_a_backfill_never_shortens_what_was_ended_before(harness: Harness) -> None:
    """A case that tells of long ago, after one of yesterday: bindings before yesterday stay the old owners'."""
    log = Log()
    log.add(Stage.REASSIGNED, bound_before=NOW)
    log.add(Stage.REASSIGNED, bound_before=OLD)
    log.add(Stage.REASSIGNED, bound_before=OLD)
    hear(harness.open(), log)
    found = index_of(harness.open()).last_case(NUMBER)
    assert found is not None
    assert (found.bound_before, found.earlier_before) == (OLD, NOW)


def test_what_is_only_received_is_remembered_too(harness: Harness) -> None:
    """A platform that acts on nothing still knows which numbers changed hands."""
    log = Log()
    log.add(Stage.REASSIGNED, acting=False)
    hear(harness.open(), log)
    assert index_of(harness.open()).last_case(NUMBER) is not None


def test_the_evidence_begins_once(harness: Harness) -> None:
    """Evidence begins with a partition's first notice, or when its emptiness was seen, and never moves after."""
    store, log = harness.open(), Log()
    assert index_of(store).evidence() == Evidence(None, {})
    log.add(Stage.COOLING, published_at=OLD)
    log.add(Stage.COOLING, number=OTHER)
    hear(store, log)
    log.add(Stage.SCHEDULED, 0, published_at=NOW)
    hear(harness.open(), log)
    beat(harness.open(), LATER, range(3))
    beat(harness.open(), LATEST, range(3))
    assert index_of(harness.open()).evidence() == Evidence(LATEST, {0: OLD, 1: LATER, 2: LATER})
    assert harness.open().progress().places.keys() == {0}
    log.add(Stage.RELEASED, 0)
    assert hear(harness.open(), log).counts.notices == 1


def test_a_heartbeat_before_the_first_notice_claims_no_log(harness: Harness) -> None:
    """An empty log heard to its end leaves the store open to whatever log the first notice is of."""
    beat(harness.open(), NOW, [0])
    log = Log()
    log.add(Stage.COOLING)
    assert hear(harness.open(), log).counts.ignored == 0


def test_a_dry_run_leaves_no_trace_in_the_record(harness: Harness) -> None:
    """A dry run folds by the same record, further than the real one is, and writes nothing of it."""
    store, log = harness.open(), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    dry = DryRun(store)
    log.add(Stage.RESTORED, 0)
    following = log.add(Stage.COOLING)
    log.add(Stage.RESTORED, following.offset)
    assert hear(dry, log).counts.ignored == 0
    log.add(Stage.WITHDRAWN, 0)
    assert hear(dry, log).counts.ignored == 1
    log.add(Stage.COOLING, number=OTHER)
    hear(dry, log)
    log.add(Stage.COOLING, number=OTHER)
    assert hear(dry, log).counts.ignored == 1
    beat(dry, NOW, [0])
    found = index_of(store).last_case(NUMBER)
    assert found is not None
    assert found.stage is Stage.COOLING
    assert index_of(store).evidence().caught_up_at is None


# ---- The fold's third rule ----


@pytest.mark.parametrize("together", [True, False])
def test_only_a_numbers_last_case_moves(harness: Harness, together: bool) -> None:
    """A notice about a case that another one has followed is ignored, within a batch and across them."""
    harness.bind("1", harness.form.written(NUMBER)[0], OLD)
    log, store = Log(), harness.open()
    log.add(Stage.REASSIGNED)
    log.add(Stage.COOLING)
    if not together:
        hear(store, log)
    log.add(Stage.WITHDRAWN, 0)
    plan = hear(store, log)
    assert (plan.counts.ignored, plan.counts.reinstated) == (1, 0)


def test_no_case_opens_over_a_live_one(harness: Harness) -> None:
    """While a number is between two owners, an opener of it is ignored; other numbers' are not."""
    log = Log()
    log.add(Stage.COOLING)
    log.add(Stage.REASSIGNED)
    log.add(Stage.COOLING, number=OTHER)
    assert hear(harness.open(), log).counts.ignored == 1


def test_a_case_from_before_the_record_goes_by_the_table(tmp_path: Path) -> None:
    """An adapter that is given the record later goes on with the cases it knew, and the record begins there."""
    harness = InSql(tmp_path)
    harness.bind("1", NUMBER, OLD)
    log = Log()
    log.add(Stage.COOLING)
    hear(harness.open(), log)
    for table in ("last_cases", "evidence", "login_check"):
        harness.run(f"DROP TABLE unbind_hub_{table}")
    log.add(Stage.RELEASED, 0, published_at=LATER)
    assert hear(harness.open(), log).counts.unbound == 1
    assert index_of(harness.open()).last_case(NUMBER) == LastCase(Source(0, 0), Stage.RELEASED, NOW, None)
    assert index_of(harness.open()).evidence().since == {0: LATER}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(Stage),
            st.sampled_from([None, 0, 1, 2, 3, 4]),
            st.sampled_from([NUMBER, OTHER]),
            st.booleans(),
        ),
        max_size=14,
    ),
    st.integers(1, 5),
)
def test_the_adapter_folds_as_the_hub_does(steps: list[tuple[Stage, int | None, str, bool]], size: int) -> None:
    """Of any notices, in any batches, the adapter folds and ignores exactly those that the hub's own fold does."""
    log, store = Log(), MemoryStore()
    whose: dict[int, str] = {}
    for place, (stage, opened_at, number, repeat) in enumerate(steps):
        # A case's notices carry its own number: the hub never writes another's.
        about = number if opened_at is None else whose.get(opened_at, number)
        whose.setdefault(place, about)
        if repeat and log.notices:
            log.add(stage, opened_at, about, source=log.notices[-1].notice.source)
        else:
            log.add(stage, opened_at, about)
    cases: dict[str, Case] = {}
    last_source, ignored = -1, 0
    for one in log.notices:
        folded = fold(one.notice, one.position, last_source, cases.get)
        ignored += folded is None
        if folded is not None:
            cases[folded.number], last_source = folded.case, one.notice.source.offset
    batches = [log.notices[start : start + size] for start in range(0, len(log.notices), size)]
    counted = sum(carry_out(store, batch, Rules(always_done)).counts.ignored for batch in batches)
    assert counted == ignored
    for number in (NUMBER, OTHER):
        mine, hubs = store.last_case(number), cases.get(number)
        assert (mine and (mine.case, mine.stage)) == (hubs and (hubs.position, hubs.stage))
        assert mine is None or (mine.free_until is None) >= (mine.stage in LIVE)


# ---- What only a database can get wrong ----


def sql_store(folder: Path, **more: object) -> SqlStore:
    engine = create_engine(f"sqlite:///{folder / 'shop.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS users (account_id TEXT, number TEXT, bound_at INTEGER)"))
    return SqlStore(engine, SqlTable("users", International()), **more)  # type: ignore[arg-type]


def test_the_record_holds_no_number_in_the_clear(tmp_path: Path) -> None:
    """Nowhere in the database is a number that was given up and that no account has."""
    log = Log()
    log.add(Stage.COOLING)
    hear(sql_store(tmp_path), log)
    assert NUMBER[3:].encode() not in (tmp_path / "shop.db").read_bytes()


def test_a_key_of_the_platforms_own_is_not_in_the_database(tmp_path: Path) -> None:
    """With a key kept elsewhere the database alone names nobody; another key, or none, is an error and not a no."""
    key = b"thirty-two bytes kept elsewhere."
    store, log = sql_store(tmp_path, index_key=key), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    assert key not in (tmp_path / "shop.db").read_bytes()
    assert sql_store(tmp_path, index_key=key).last_case(NUMBER) is not None
    for wrong in (b"another key of thirty-two bytes.", None):
        with pytest.raises(PlatformError, match="another key"):
            sql_store(tmp_path, index_key=wrong)
        with pytest.raises(PlatformError, match="another key"):
            SqlIndex(create_engine(f"sqlite:///{tmp_path / 'shop.db'}"), key=wrong).evidence()
    with pytest.raises(PlatformError, match="16 to 64"):
        SqlIndex(create_engine("sqlite://"), key=b"short")


def test_a_reader_makes_no_tables(tmp_path: Path) -> None:
    """Where no adapter ever ran the login check finds no evidence, and leaves the database as it was."""
    engine = create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    assert SqlIndex(engine).evidence() == Evidence()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one() == 0


@pytest.mark.parametrize("way", ["sqlite", "postgresql", "any"])
def test_every_way_of_writing_writes_the_same(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are inserted and overwritten alike by the database's own words and by those that every database knows."""
    if way == "any":
        monkeypatch.delitem(UPSERTS, "sqlite")
    with DATABASES["postgresql" if way == "postgresql" else "sqlite"](tmp_path) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE users (account_id TEXT, number TEXT, bound_at INTEGER)"))
        _write_and_overwrite(SqlStore(engine, SqlTable("users", International())))


def _write_and_overwrite(store: SqlStore) -> None:
    log, chance = Log(), random.Random(1)
    numbers = [f"+86138{one:08d}" for one in range(3_000)]
    for number in numbers:
        log.add(Stage.COOLING, number=number)
    hear(store, log)
    beat(store, NOW, range(3))
    beat(store, LATER, range(3))
    moved = chance.sample(range(3_000), 700)
    for place in moved:
        log.add(Stage.RESTORED, place, numbers[place])
    hear(store, log)
    restored = {one for one, number in enumerate(numbers) if _stage(store, number) is Stage.RESTORED}
    assert restored == set(moved)
    assert store.evidence() == Evidence(LATER, dict.fromkeys(range(3), NOW))


def _stage(store: SqlStore, number: str) -> Stage:
    found = store.last_case(number)
    assert found is not None
    return found.stage
