"""The SQL store's own word: procedures, constraints, others at the rows, and values put back exactly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from hub.core.model import Outcome, Source, Stage
from hub.errors import PlatformError
from hub.sdk.accounts import Done
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.settings import always_done
from hub.sdk.deeds import Deed
from hub.sdk.numbering import International
from hub.sdk.stores import DryRun, SqlStore, SqlTable
from hub.sdk.stores.sql_index import PREFIX, SqlIndex
from tests import databases
from tests.unit.adapter_driver import NOW, NUMBER, OLD, OTHER, RETRIES, Log, answers, hear, try_again

CASE = Source(0, 0)
MODE = ", mode INT DEFAULT 5"
USERS = SqlTable("users", International(), account_id="id", number="phone", bound_at="at", bound_at_unit_ms=1)
URLS: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite:///{folder / 'app.db'}",
    "postgres": lambda _: databases.postgres_url(),
    "mariadb": lambda _: databases.mariadb_url(),
}
TABLE = "CREATE TABLE users (id VARCHAR(20) PRIMARY KEY, phone VARCHAR(20), at BIGINT, locked INT DEFAULT 0{})"


@pytest.fixture(params=URLS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return create_engine(URLS[request.param](tmp_path), poolclass=NullPool, hide_parameters=True)


def run(engine: Engine, statement: str, **values: Any) -> list[Any]:
    with engine.begin() as connection:
        result = connection.execute(text(statement), values)
        return list(result) if result.returns_rows else []


def users(engine: Engine, *rows: tuple[str, str], more: str = "", **layout: Any) -> SqlStore:
    """A table of users, each with a number, and a store over it."""
    run(engine, TABLE.format(more))
    for name, number in rows:
        run(engine, "INSERT INTO users (id, phone, at) VALUES (:id, :phone, :at)", id=name, phone=number, at=OLD)
    return SqlStore(engine, _with(USERS, frozen="locked", **layout))


def _with(table: SqlTable, **layout: Any) -> SqlTable:
    from dataclasses import replace

    return replace(table, **layout)


def test_the_touches_of_an_undone_case_go(engine: Engine) -> None:
    """Once a case is undone and holds nothing, its rows are gone; those of a case that stands remain."""
    store, log = users(engine, ("1", NUMBER), ("2", OTHER)), Log()
    log.add(Stage.COOLING)
    log.add(Stage.COOLING, number=OTHER)
    log.add(Stage.RESTORED, 0)
    hear(store, log, always_done)
    assert run(engine, "SELECT opened_at, account_id FROM unbind_hub_touched") == [(1, "2")]


# ---- Procedures and the database's own rules ----


def test_a_procedure_runs_in_the_same_transaction(engine: Engine) -> None:
    """The platform's own SQL is run for each deed, once, and is undone with the batch when that is."""
    calls = dict.fromkeys(Deed, "INSERT INTO deeds VALUES (:account_id, :deed, :case)")
    run(engine, "CREATE TABLE deeds (account VARCHAR(20), deed VARCHAR(20), made_for VARCHAR(20))")
    store, log = users(engine, ("1", NUMBER), calls=calls), Log()
    log.add(Stage.COOLING)
    with pytest.raises(ZeroDivisionError):
        _crash_after_saving(store, log)
    assert run(engine, "SELECT * FROM deeds") == []
    hear(store, log, always_done)
    log.add(Stage.RESTORED, 0)
    hear(store, log, always_done)
    assert run(engine, "SELECT * FROM deeds") == [("1", "FREEZE", "0-0"), ("1", "REINSTATE", "0-0")]


def _crash_after_saving(store: SqlStore, log: Log) -> None:
    from hub.sdk.adapter.acting import handle, wanted

    with store.transaction() as session:
        plan = handle(log.notices, session.load(wanted(log.notices)), Rules(always_done))
        assert session.ask(plan.asks) == {}
        session.save(plan.changes)
        raise ZeroDivisionError


def test_a_procedure_that_fails_fails_one_account(engine: Engine) -> None:
    """Where the platform's SQL raises, that account is FAILED with nothing of it left; the rest is done."""
    run(engine, "CREATE TABLE deeds (account VARCHAR(20) PRIMARY KEY)")
    run(engine, "INSERT INTO deeds VALUES ('2')")
    calls = {Deed.FREEZE: "INSERT INTO deeds VALUES (:account_id)"}
    store, log = users(engine, ("1", NUMBER), ("2", OTHER), calls=calls), Log()
    log.add(Stage.COOLING)
    log.add(Stage.COOLING, number=OTHER)
    plan = hear(store, log, always_done)
    assert (plan.counts.frozen, plan.counts.failed) == (1, 1)
    assert run(engine, "SELECT id, locked FROM users ORDER BY id") == [("1", 1), ("2", 0)]
    assert answers(store, log) == {CASE: {Outcome.FROZEN}, Source(0, 1): {Outcome.FAILED}}


def test_a_procedure_may_decline(engine: Engine) -> None:
    """A row that says DECLINED is the platform's word: nothing is done to that account."""
    calls = {Deed.FREEZE: "SELECT CASE WHEN :account_id = '1' THEN 'DECLINED' ELSE 'DONE' END"}
    store, log = users(engine, ("1", NUMBER), ("2", NUMBER), calls=calls), Log()
    log.add(Stage.COOLING)
    plan = hear(store, log, always_done)
    assert (plan.counts.frozen, plan.counts.declined) == (1, 1)
    assert run(engine, "SELECT id, locked FROM users ORDER BY id") == [("1", 0), ("2", 1)]


PROCEDURES = {
    "postgres": [
        "CREATE TABLE deeds (account VARCHAR(20))",
        """CREATE PROCEDURE log_off(account varchar, INOUT said varchar) LANGUAGE plpgsql AS $$ BEGIN
            IF account = 'r' THEN RAISE 'no such session'; END IF;
            said := CASE account WHEN 'd' THEN 'DECLINED' WHEN 'f' THEN 'FAILED' ELSE 'DONE' END;
            INSERT INTO deeds VALUES (account);
        END $$""",
    ],
    "mariadb": [
        "CREATE TABLE deeds (account VARCHAR(20)) ENGINE=InnoDB",
        """CREATE PROCEDURE log_off(account VARCHAR(20), said VARCHAR(20)) BEGIN
            IF account = 'r' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such session'; END IF;
            INSERT INTO deeds VALUES (account);
            SELECT CASE account WHEN 'd' THEN 'DECLINED' WHEN 'f' THEN 'FAILED' ELSE 'DONE' END;
        END""",
    ],
}


@pytest.mark.parametrize("database", PROCEDURES)
def test_a_stored_procedure_does_declines_fails_and_raises(database: str, tmp_path: Path) -> None:
    """Its row is its word, and where that is no DONE nothing of the account's deed is left; the others are done."""
    engine = create_engine(URLS[database](tmp_path), poolclass=NullPool, hide_parameters=True)
    for statement in PROCEDURES[database]:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
    calls = {Deed.FREEZE: "CALL log_off(:account_id, NULL)"}
    store, log = users(engine, *((name, NUMBER) for name in "1dfr2"), calls=calls), Log()
    log.add(Stage.COOLING)
    counts = hear(store, log, always_done).counts
    assert (counts.frozen, counts.declined, counts.failed) == (2, 1, 2)
    assert run(engine, "SELECT id FROM users WHERE locked = 1 ORDER BY id") == [("1",), ("2",)]
    assert run(engine, "SELECT account FROM deeds ORDER BY account") == [("1",), ("2",)]


def test_a_number_that_somebody_else_has_by_now_is_not_taken_from_them(engine: Engine) -> None:
    """With unique numbers, too, an account whose number a new user holds is put back without it, and for good."""
    store, log = users(engine, ("1", NUMBER), ("2", OTHER), more=", UNIQUE (phone)"), Log()
    log.add(Stage.REASSIGNED)
    log.add(Stage.REASSIGNED, number=OTHER)
    rules = Rules(always_done, retries=RETRIES)
    carry_out(store, log.notices, rules, NOW)
    run(engine, "INSERT INTO users (id, phone, at) VALUES ('new', :phone, :at)", phone=NUMBER, at=NOW + 1)
    log.add(Stage.WITHDRAWN, 0)
    log.add(Stage.WITHDRAWN, 1, OTHER)
    plan = carry_out(store, log.notices, rules, NOW)
    assert (plan.counts.reinstated, plan.counts.without_number, plan.counts.failed) == (2, 1, 0)
    rows = [("1", None), ("2", OTHER), ("new", NUMBER)]
    assert run(engine, "SELECT id, phone FROM users ORDER BY id") == rows
    run(engine, "DELETE FROM users WHERE id = 'new'")
    try_again(store, log, always_done, NOW + 1_000)
    assert run(engine, "SELECT phone FROM users WHERE id = '1'") == [(None,)]
    assert run(engine, "SELECT account_id, held FROM unbind_hub_touched") == [("1", "TAKEN")]


def test_further_columns_are_set_and_put_back(engine: Engine) -> None:
    """What a freeze and an unbinding set besides comes back as it was."""
    sets = {"freeze_sets": {"locked": 2}, "unbind_sets": {"mode": 9}}
    store, log = users(engine, ("1", NUMBER), more=", mode INT DEFAULT 5", **sets), Log()
    looks = []
    for stage, opened_at in ((Stage.COOLING, None), (Stage.SCHEDULED, 0), (Stage.RESTORED, 0)):
        log.add(stage, opened_at)
        hear(store, log, always_done)
        looks += run(engine, "SELECT phone, locked, mode FROM users")
    assert looks == [(NUMBER, 2, 5), (None, 0, 9), (NUMBER, 0, 5)]


def test_what_the_platform_sets_meanwhile_stays(engine: Engine) -> None:
    """A ban put on a frozen account, or on one without its number, is nothing that a case may lift."""
    sets = {"freeze_sets": {"mode": 7}, "unbind_sets": {"note": "by case"}}
    store, log = users(engine, ("1", NUMBER), more=", mode INT DEFAULT 1, note VARCHAR(20) DEFAULT ''", **sets), Log()
    looks = []
    meanwhile = {Stage.COOLING: "mode = 3", Stage.SCHEDULED: "locked = 1, note = 'mine'"}
    for stage, opened_at in ((Stage.COOLING, None), (Stage.SCHEDULED, 0), (Stage.RESTORED, 0)):
        log.add(stage, opened_at)
        hear(store, log, always_done)
        looks += run(engine, "SELECT phone, locked, mode, note FROM users")
        if stage in meanwhile:
            run(engine, f"UPDATE users SET {meanwhile[stage]}")
    assert looks == [(NUMBER, 1, 7, ""), (None, 0, 3, "by case"), (NUMBER, 1, 3, "mine")]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)  # MariaDB's triggers cannot skip a row
def test_a_change_that_the_database_lets_pass_without_making_it_failed(engine: Engine) -> None:
    """A trigger that skips a row raises nothing: what is acknowledged is what the row holds all the same."""
    store, log = users(engine, ("1", NUMBER), ("kept", NUMBER)), Log()
    if engine.dialect.name == "sqlite":
        skip = "BEGIN SELECT RAISE(IGNORE); END"
        run(engine, f"CREATE TRIGGER skip BEFORE UPDATE ON users WHEN OLD.id = 'kept' {skip}")
    else:
        run(engine, "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        when = "BEFORE UPDATE ON users FOR EACH ROW WHEN (OLD.id = 'kept') EXECUTE FUNCTION skip()"
        run(engine, f"CREATE TRIGGER skip {when}")
    log.add(Stage.REASSIGNED)
    plan = hear(store, log, always_done)
    assert (plan.counts.unbound, plan.counts.failed) == (1, 1)
    assert answers(store, log) == {CASE: {Outcome.FAILED}}
    assert run(engine, "SELECT id, phone FROM users ORDER BY id") == [("1", None), ("kept", NUMBER)]


def test_a_procedure_may_clear_the_number_itself(engine: Engine) -> None:
    """Its own work is not taken for another's: what is to be set besides is set, and the freeze lifted."""
    clear = "UPDATE users SET phone = NULL WHERE id = :account_id"
    store, log = users(engine, ("1", NUMBER), calls={Deed.UNBIND: clear}, unbind_sets={"mode": 9}, more=MODE), Log()
    for stage, opened_at in ((Stage.COOLING, None), (Stage.SCHEDULED, 0)):
        log.add(stage, opened_at)
        hear(store, log, always_done)
    assert run(engine, "SELECT phone, locked, mode FROM users") == [(None, 0, 9)]
    log.add(Stage.RESTORED, 0)
    hear(store, log, always_done)
    assert run(engine, "SELECT phone, locked, mode FROM users") == [(NUMBER, 0, 5)]


@pytest.mark.parametrize(("unit_ms", "at"), [(1_000, OLD), (1, OLD // 1_000)], ids=["ms as s", "s as ms"])
def test_an_age_in_the_wrong_unit_is_unknown(engine: Engine, unit_ms: int, at: int) -> None:
    """Read in another unit an age lies out of all time: such an account is frozen, never unbound, never passed over."""
    store, log = users(engine, ("1", NUMBER), bound_at_unit_ms=unit_ms), Log()
    run(engine, "UPDATE users SET at = :at", at=at)
    assert store.ages() == (1, 1, 0, ())
    log.add(Stage.REASSIGNED)
    assert hear(store, log, always_done).counts.frozen == 1
    assert answers(store, log) == {CASE: {Outcome.FROZEN}}


def test_a_table_of_bindings_is_refused(engine: Engine) -> None:
    """Two numbers of one user under one id: one of them would be passed over, so nothing is answered."""
    run(engine, "CREATE TABLE bindings (id VARCHAR(20), phone VARCHAR(20), at BIGINT)")
    for number in (NUMBER, OTHER):
        run(engine, "INSERT INTO bindings VALUES ('1', :phone, :at)", phone=number, at=OLD)
    store, log = SqlStore(engine, _with(USERS, name="bindings")), Log()
    log.add(Stage.COOLING)
    log.add(Stage.COOLING, number=OTHER)
    with pytest.raises(PlatformError, match="two rows of table bindings have one id"):
        hear(store, log, always_done)
    assert store.outbox().waiting == {}


def test_a_login_check_notices_fresh_tables(engine: Engine) -> None:
    """An adapter given fresh tables makes a new key; a check that runs on does not look for numbers by the old one."""
    store, log = users(engine, ("1", NUMBER)), Log()
    log.add(Stage.COOLING)
    hear(store, log, always_done)
    reading = SqlIndex(engine)
    assert reading.evidence().since
    assert reading.last_case(NUMBER) is not None
    for name in [one for one in inspect(engine).get_table_names() if one.startswith(PREFIX)]:
        run(engine, f"DROP TABLE {name}")
    hear(SqlStore(engine, _with(USERS, frozen="locked")), log, always_done)
    assert reading.evidence().since
    assert reading.last_case(NUMBER) is not None


def test_a_number_column_that_cannot_be_empty_is_refused_at_once(engine: Engine) -> None:
    """A NOT NULL number without an unbound_value is told before anything is read, and what to write."""
    run(engine, "CREATE TABLE users (id VARCHAR(20) PRIMARY KEY, phone VARCHAR(40) NOT NULL)")
    table = SqlTable("users", International(), account_id="id", number="phone", bound_at=None)
    with pytest.raises(PlatformError, match="cannot be empty") as wrong:
        SqlStore(engine, table)
    assert "unbound_value" in wrong.value.todo
    SqlStore(engine, _with(table, unbound_value="none-{account_id}"))


def test_a_check_of_a_store_makes_no_tables(engine: Engine) -> None:
    """A store opened to be looked at has heard nothing, matches in a dry run, and leaves the database as it was."""
    users(engine, ("1", NUMBER))
    ours = ("touched", "progress", "stages", "frozen", "asked", "retries", "waiting", "said", "life_since")
    for name in (*ours, "fuse_spent", "fuse_held", "fuse_decisions"):
        run(engine, f"DROP TABLE unbind_hub_{name}")
    table = SqlTable("users", International(), account_id="id", number="phone", bound_at="at", bound_at_unit_ms=1)
    store, log = SqlStore(engine, table, make_tables=False), Log()
    log.add(Stage.COOLING)
    assert hear(DryRun(store), log).counts.frozen == 1
    assert not engine.dialect.has_table(engine.connect(), "unbind_hub_touched")


# ---- Others at the same rows ----


def test_a_login_at_the_same_moment_is_not_lost(engine: Engine) -> None:
    """While a batch is at work nobody changes its rows; a user who rebinds right after keeps the new number."""
    store, log = users(engine, ("1", NUMBER)), Log()
    log.add(Stage.REASSIGNED)
    done, trying = list[str](), threading.Event()

    def rebind() -> None:
        for _ in range(50):
            trying.set()
            try:
                run(engine, "UPDATE users SET phone = :phone, at = :at WHERE id = '1'", phone=OTHER, at=NOW + 1)
                break
            except DBAPIError:
                continue
        done.append("rebound")

    login = threading.Thread(target=rebind)

    def act(deed: Deed, account_id: str, notice: Any) -> Done:  # noqa: ARG001 - an `Act`
        login.start()
        assert trying.wait(60)
        login.join(0.3)
        assert done == [], "the row was changed under the adapter's hands"
        return Done.DONE

    hear(store, log, act)
    login.join(60)
    assert done == ["rebound"]
    assert run(engine, "SELECT phone, at FROM users") == [(OTHER, NOW + 1)]
    log.add(Stage.WITHDRAWN, 0)
    hear(store, log, always_done)
    assert run(engine, "SELECT phone, at FROM users") == [(OTHER, NOW + 1)]


# ---- Values as they were ----

TYPED = {
    "postgres": (
        ("UUID", "uuid", "'6a54af9a-7b0c-4d35-93d8-6f33a0f9a001'"),
        ("BYTEA", "bytea", "'\\x00ff'"),
        ("NUMERIC(30)", "numeric", "123456789012345678901234567890"),
    ),
    "mariadb": (("VARBINARY(8)", "", "x'00ff'"), ("BIGINT UNSIGNED", "", "18446744073709551615")),
    "sqlite": (("BLOB", "", "x'00ff'"), ("INTEGER", "", "7")),
}
AGES = {
    "postgres": (
        "TIMESTAMP '2024-03-31 02:30:00.123456'",
        "TIMESTAMPTZ '2024-03-31 02:30:00.123456+08'",
        "DATE '2024-02-29'",
    ),
    "mariadb": ("'2024-03-31 02:30:00.123456'", "1711852200", "'2024-02-29'"),
    "sqlite": ("'2024-03-31 02:30:00'", "1711852200", "'2024-02-29'"),
}
AGE_TYPES = {
    "postgres": ("TIMESTAMP", "TIMESTAMPTZ", "DATE"),
    "mariadb": ("DATETIME(6)", "BIGINT", "DATE"),
    "sqlite": ("DATETIME", "INTEGER", "DATE"),
}


@pytest.mark.parametrize("age", range(3))
@pytest.mark.parametrize("key", range(3))
@pytest.mark.parametrize("kind", URLS)
def test_every_type_comes_back_as_it_was(kind: str, key: int, age: int, tmp_path: Path) -> None:
    """Ids and ages of every type a database has are found, changed and put back to the very same value."""
    if key >= len(TYPED[kind]):
        key = 0
    engine = create_engine(URLS[kind](tmp_path), poolclass=NullPool)
    id_type, _, an_id = TYPED[kind][key]
    columns = f"id {id_type} PRIMARY KEY, phone VARCHAR(20), at {AGE_TYPES[kind][age]}, sealed {TYPED[kind][0][0]}"
    run(engine, f"CREATE TABLE users ({columns})")
    run(
        engine,
        f"INSERT INTO users VALUES ({an_id}, '{NUMBER}', {AGES[kind][age]}, {TYPED[kind][0][2]})".replace(":", "\\:"),
    )
    before = run(engine, "SELECT * FROM users")
    table = SqlTable("users", International(), account_id="id", number="phone", bound_at="at", also_clear=("sealed",))
    log = Log()
    log.add(Stage.REASSIGNED)
    hear(SqlStore(engine, table), log, always_done)
    assert [(row.phone, row.sealed) for row in run(engine, "SELECT * FROM users")] == [(None, None)]
    log.add(Stage.WITHDRAWN, 0)
    hear(SqlStore(engine, table), log, always_done)
    assert run(engine, "SELECT * FROM users") == before
