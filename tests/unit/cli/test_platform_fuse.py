"""`platform fuse`: a person sees what is held and decides, by name and reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from hub.cli.main import app
from hub.core.model import Stage
from hub.errors import PlatformError
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.settings import always_done
from hub.sdk.numbering import International
from hub.sdk.stores import SqlStore, SqlTable
from tests.unit.adapter_driver import NUMBER, OLD, Log

CONFIG = """
platform: shop
key: {id: shop-1, file: shop.pem}
hub: {bootstrap_servers: "127.0.0.1:9", hub_id: local-hub}
store:
  sql:
    url: "sqlite:///shop.db"
    table: users
    columns: {account_id: id, number: phone, bound_at: since}
    numbers: {international: ["+"]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A platform whose adapter's fuse holds one case of `north`."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id TEXT, phone TEXT, since INTEGER)"))
        connection.execute(text("INSERT INTO users VALUES ('a', :number, :at)"), {"number": NUMBER, "at": OLD // 1_000})
    layout = SqlTable("users", International(), account_id="id", number="phone", bound_at="since")
    log = Log()
    log.add(Stage.REASSIGNED)
    carry_out(SqlStore(engine, layout), log.notices, Rules(always_done, 0))
    file = tmp_path / "platform.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def fuse(config: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["platform", "fuse", *words, "--config", str(config)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_held_is_listed_without_numbers_and_decided(config: Path) -> None:
    """The list has operator, count and time; after the decision it also has who decided it, and why."""
    before = fuse(config, "list", "--json")
    assert [(one["operator"], one["fuse"], one["cases"]) for one in json.loads(before)["held"]] == [
        ("north", "UNBIND", 1)
    ]
    assert NUMBER[3:] not in before
    assert "1 cases of north" in fuse(config, "release", "--operator", "north", "--by", "Li Na", "--reason", "right")
    after = json.loads(fuse(config, "list", "--json"))
    assert after["held"][0]["state"] == "RELEASE"
    assert [(one["by"], one["reason"], one["cases"]) for one in after["decided"]] == [("Li Na", "right", 1)]


@pytest.mark.parametrize(
    ("operator", "by", "reason", "message"),
    [
        ("north", " ", "right", "name and a reason"),
        ("north", "Li", "", "name and a reason"),
        ("south", "Li", "x", "held"),
    ],
)
def test_a_decision_needs_a_name_a_reason_and_something_held(
    config: Path, operator: str, by: str, reason: str, message: str
) -> None:
    """Without a name, a reason, or anything of that operator, nothing is decided and nothing kept."""
    with pytest.raises(PlatformError, match=message):
        fuse(config, "give-up", "--operator", operator, "--by", by, "--reason", reason)
    after = json.loads(fuse(config, "list", "--json"))
    assert (after["held"][0]["state"], after["decided"]) == ("HELD", [])
