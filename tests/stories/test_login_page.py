"""The page that tells app makers of the login check: its program and its request are run as they stand there."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine

from hub.clock import system_clock
from hub.core.model import Stage
from hub.platform.sidecar import web
from hub.sdk.adapter.heartbeat import beat
from hub.sdk.login.check import EVERYBODY, LoginCheck, LoginCheckSettings
from hub.sdk.numbering import usual_forms
from hub.sdk.stores import SqlStore, SqlTable
from hub.settings import PARTITIONS_DEFAULT
from hub.wire.contracts import partition_of
from tests.pages import block
from tests.stories.app import serving
from tests.unit.adapter_driver import Log, hear

NUMBER, OTHER = "+8613400001234", "+8613400001235"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The table of "A platform connects", and an adapter's record: the first number went on, the second did not."""
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect("app.sqlite") as made:
        made.execute("CREATE TABLE users (id TEXT PRIMARY KEY, phone TEXT, phone_bound_at TEXT, frozen INT)")
        rows = [("ann", NUMBER, "2020-01-01 00:00:00", 0), ("cy", OTHER, "2020-01-01 00:00:00", 0)]
        made.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", rows)
    made.close()
    layout = SqlTable("users", usual_forms("CN"), account_id="id", number="phone", bound_at="phone_bound_at")
    engine = create_engine("sqlite:///app.sqlite")
    store, log = SqlStore(engine, layout), Log()
    beat(store, 1_500_000_000_000, range(PARTITIONS_DEFAULT))
    log.add(Stage.REASSIGNED, number=NUMBER, partition=partition_of(NUMBER.encode(), PARTITIONS_DEFAULT))
    hear(store, log)
    beat(store, system_clock(), range(PARTITIONS_DEFAULT))
    with engine.begin() as connection:  # as if the account were written back from a copy
        connection.exec_driver_sql("UPDATE users SET phone = ? WHERE id = 'ann'", (NUMBER,))
    engine.dispose()
    return tmp_path / "app.sqlite"


def test_the_program_tells_people_apart(database: Path) -> None:
    """Copied from the page, the login begins anew for the stranger, asks on a known phone, and lets others in."""
    assert database.exists()
    program = block("login-check", "python")
    names: dict[str, Any] = {}
    exec(program, names)
    log_in = names["log_in"]
    assert log_in(NUMBER, True, True).startswith("take the number off")
    assert log_in(NUMBER, False, False) == "ask for another proof, or begin a new account"
    assert log_in(OTHER, True, True) == "log in to cy"
    assert log_in("+8613400001236", True, True) == "begin a new account"
    names["engine"].dispose()


def test_the_request_is_answered(database: Path) -> None:
    """The request on the page is one, and says what the program says."""
    request = block("login-check", "json")
    engine = create_engine(f"sqlite:///{database}")
    with serving(web(LoginCheck(engine, LoginCheckSettings(served=EVERYBODY)))) as url:
        answer = httpx.post(url + "/v1/check", json=json.loads(request)).json()
    assert (answer["reason"], answer["advice"]) == ("reissued", "treat_as_new_user")
    engine.dispose()
