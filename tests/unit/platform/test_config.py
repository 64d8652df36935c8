"""A `platform.yaml`: what it means, what is wrong with it and where, and that `init` writes one that reads."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from typer.testing import CliRunner

from hub.cli.main import app
from hub.core.model import Action, Outcome, Platform, PlatformState, Stage
from hub.errors import PlatformError
from hub.platform.assembly import address_of, engine_of, form_of, store_of, table_of
from hub.platform.config import HttpConfig, Numbers, Secret, SqlConfig, read_config
from hub.sdk.deeds import Deed
from hub.wire.signing import Signer
from hub.yaml_nodes import DEPTH_MAX
from tests.pages import blocks

SMALLEST = """
platform: panbox
key: {id: panbox-1, file: panbox.pem}
hub: {bootstrap_servers: "127.0.0.1:9092", hub_id: local-hub}
store:
  sql:
    url: sqlite:///app.sqlite
    table: users
    columns: {account_id: id, number: phone}
    numbers: {region: CN}
"""

WHOLE = """
platform: panbox
key: {id: panbox-1, file: keys/panbox.pem}
hub:
  bootstrap_servers: kafka-1:9093,kafka-2:9093
  hub_id: local-hub
  partitions: 6
  security: {security_protocol: SASL_PLAINTEXT, sasl_mechanism: PLAIN, sasl_plain_password: {env: KAFKA_PASSWORD}}
store:
  sql:
    url: {env: DATABASE_URL}
    schema: app
    table: users
    columns: {account_id: id, number: phone, bound_at: phone_bound_at, proven_at: phone_proven_at, frozen: locked}
    numbers: {region: CN, international: ["+", "00"]}
    bound_at: {unit: ms, zone: Asia/Shanghai}
    frozen_value: "L"
    unbound_value: "none-{account_id}"
    also_clear: [sealed]
    own_tables_prefix: hub_
    index_key: {file: record.key}
    do:
      freeze: {set: {status: 7}}
      unbind: {call: "CALL forget(:account_id)"}
actions: {FROZEN: [LOGIN_OFF, RECOVERY_OFF], UNBOUND: LOGIN_OFF}
fuse_unbinds_per_day: false
fuse_put_backs_per_day: 50
dry_run: true
metrics_port: 0
stages: {SCHEDULED: freeze, RELEASED: unbind}
login_check: {served: {"+86134": 2026-01-01T00:00:00Z, "+86": 2026-02-01T08:00:00+08:00}}
"""


def test_the_smallest_file_is_enough() -> None:
    """With nothing chosen the fuse is on, the security is off, and nothing is a dry run."""
    config = read_config(SMALLEST, folder=Path("/etc/hub"))
    assert (config.key_file, config.partitions) == (Path("/etc/hub/panbox.pem"), 12)
    assert (config.settings.fuse_unbinds_per_day, config.settings.dry_run, config.metrics_port) == (1_000, False, None)
    assert isinstance(config.store, SqlConfig)
    assert (config.served, config.store.index_key) == (None, None)
    assert config.store.columns == {"account_id": "id", "number": "phone", "bound_at": None, "frozen": None}
    assert str(engine_of(config.store).url) == "sqlite:////etc/hub/app.sqlite"


def test_every_field_has_its_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file says is what the adapter is given; secrets come from where the file says."""
    config = read_config(WHOLE)
    store, settings = config.store, config.settings
    assert isinstance(store, SqlConfig)
    assert (store.url, store.schema, store.numbers) == (Secret(env="DATABASE_URL"), "app", Numbers("CN", ("+", "00")))
    assert (store.bound_at_unit_ms, store.zone, store.frozen_value) == (1, ZoneInfo("Asia/Shanghai"), "L")
    assert (store.unbound_value, store.also_clear, store.prefix) == ("none-{account_id}", ("sealed",), "hub_")
    assert store.sets == {Deed.FREEZE: {"status": 7}, Deed.UNBIND: {}}
    assert settings.freeze_at == {Stage.SCHEDULED}
    assert (settings.fuse_put_backs_per_day, table_of(store).proven_at) == (50, "phone_proven_at")
    assert store.index_key == Path("record.key")
    assert config.served == {"+86134": 1_767_225_600_000, "+86": 1_769_904_000_000}
    assert store.calls == {Deed.UNBIND: "CALL forget(:account_id)"}
    both = (Action.LOGIN_OFF, Action.RECOVERY_OFF)
    assert settings.actions == {Outcome.FROZEN: both, Outcome.UNBOUND: both[:1]}
    assert (settings.fuse_unbinds_per_day, settings.dry_run, config.metrics_port) == (None, True, 0)
    with pytest.raises(PlatformError, match="KAFKA_PASSWORD"):
        address_of(config)
    monkeypatch.setenv("KAFKA_PASSWORD", "s3cret")
    security = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_password": "s3cret"}
    assert address_of(config).security == security


def shown(name: str, place: int) -> dict[str, Any]:
    """A block of YAML of a page."""
    found: dict[str, Any] = yaml.safe_load(blocks(name, "yaml")[place])
    return found


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two files as one; where both say something, the second counts."""
    both = [name for name in above if isinstance(above[name], dict) and isinstance(below.get(name), dict)]
    return below | above | {name: laid_over(below[name], above[name]) for name in both}


def test_all_that_the_pages_say_a_file_may_say_is_read() -> None:
    """The smallest file shown, all that may be in it besides, its service and its login check: each field is one."""
    smallest, besides = (shown("platform-sql", place) for place in (0, 1))
    whole = read_config(yaml.safe_dump(laid_over(smallest, besides)))
    assert (whole.settings.freeze_at, whole.settings.batch_max) == (frozenset({Stage.SCHEDULED}), 5_000)
    assert isinstance(whole.store, SqlConfig)
    assert whole.store.sets[Deed.FREEZE] == {"status": 7}
    served = shown("platform-http", 0) | shown("login-check", 0)
    service = read_config(yaml.safe_dump(smallest | served))
    assert isinstance(service.store, HttpConfig)
    assert (service.store.timeout_ms, service.store.batch_max) == (10_000, 500)
    assert service.served == {"+86134": 1_767_225_600_000}


def test_a_service_in_place_of_a_table(tmp_path: Path) -> None:
    """The platform's own service is named by its address, the token lies in a file."""
    http = "store: {http: {url: https://accounts.internal/hub/, token: {file: token}, records: adapter.sqlite}}"
    config = read_config(SMALLEST.split("store:")[0] + http, folder=tmp_path)
    assert isinstance(config.store, HttpConfig)
    assert (config.store.url, config.store.records) == ("https://accounts.internal/hub", tmp_path / "adapter.sqlite")
    with pytest.raises(PlatformError, match="token cannot be read"):
        config.store.token.reveal({})
    (tmp_path / "token").write_text("abc\n", encoding="utf-8")
    assert config.store.token.reveal({}) == "abc"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("platform: panbox\n", ""), "the file has no platform"),
        (("hub_id: local-hub", "hub_id: [a"), "line 4"),
        (("table: users", "table: users\n    tabel: x"), "line 9: store.sql has a field tabel that means nothing"),
        (("account_id: id, ", ""), "line 9: store.sql.columns has no account_id"),
        (("{region: CN}", "{keyed: {file: k}, region: CN}"), "line 10: store.sql.numbers says not how"),
        (("{region: CN}", "{international: '+86'}"), "is no international prefix"),
        (("  sql:", "  sqll:"), "store has a field sqll that means nothing"),
        (("store:", "metrics_port: many\nstore:"), "line 5: metrics_port is no whole number"),
        (("store:", "dry_run: maybe\nstore:"), "dry_run is neither true nor false"),
        (("store:", "actions: {FROZEN: [LOGIN_OF]}\nstore:"), r"actions.FROZEN\[0\] is no word known here"),
        (("store:", "platform: again\nstore:"), "has platform twice"),
        (("table: users", "table: users\n    bound_at: {zone: Mars}"), "zone is no time zone"),
        (("sqlite:///app.sqlite", "{env: A, file: b}"), "says not where to look"),
        (("table: users", "table: users\n    do: {reinstate: {set: {a: 1}}}"), "is not to be chosen"),
        (("store:", "stages: {COOLING: unbind}\nstore:"), "stages has a field COOLING that means nothing"),
        (("store:", "stages: {SCHEDULED: keep}\nstore:"), "stages.SCHEDULED is no choice"),
        (("store:", "login_check: {served: some}\nstore:"), "login_check.served says not whose numbers"),
        (("store:", "login_check: {served: {86134: 2026-01-01T00:00:00Z}}\nstore:"), "belongs to no prefix of numbers"),
        (("store:", "login_check: {served: {'+86': 2026-01-01}}\nstore:"), "is no time with a zone"),
        (("table: users", "table: users\n    index_key: {path: k}"), "store.sql.index_key has no file"),
        ((SMALLEST, "- a list"), "holds no fields"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(change: tuple[str, str], said: str) -> None:
    """Each mistake is a sentence with the line, the field and what to do."""
    assert change[0] in SMALLEST
    with pytest.raises(PlatformError, match=said) as wrong:
        read_config(SMALLEST.replace(*change))
    assert wrong.value.todo


def nested(depth: int) -> str:
    """A file with so many lists in one field; the file itself is one level more."""
    return SMALLEST + f"more: {'[' * depth}{']' * depth}\n"


@pytest.mark.parametrize("depth", [DEPTH_MAX, 100_000])
def test_a_file_too_deep_to_read_is_refused_with_its_line(depth: int) -> None:
    """A file one level too deep, or deep enough to end the reader's stack, is told as one mistake among others."""
    with pytest.raises(PlatformError, match="line 11: more than 8 lists and fields are in one another"):
        read_config(nested(depth))
    with pytest.raises(PlatformError, match="has a field more that means nothing"):
        read_config(nested(DEPTH_MAX - 1))


def test_what_cannot_be_opened_says_so_without_the_password(tmp_path: Path) -> None:
    """A database that is not there, a driver that is not there and an address that is none: no password is shown."""
    for url, said in (
        ("postgresql://app:hunter2@127.0.0.1:1/x", "does not do its part"),
        ("nosuch://app:hunter2@h/x", "no driver for nosuch"),
        ("hunter2", "cannot be read"),
    ):
        config = read_config(SMALLEST.replace("sqlite:///app.sqlite", url), folder=tmp_path)
        with pytest.raises(PlatformError, match=said) as wrong:
            store_of(config)
        assert "hunter2" not in str(wrong.value)


def test_numbers_are_written_as_the_file_says(tmp_path: Path) -> None:
    """A region alone means its usual forms; a key file means keyed digests."""
    assert "138 0013 8000" in form_of(Numbers("CN")).written("+8613800138000")
    assert form_of(Numbers(international=("00",))).written("+8613800138000") == ["008613800138000"]
    bare = form_of(Numbers("CN", international=("+", "")))
    assert set(bare.reading("13122345678").numbers) == {"+8613122345678", "+13122345678"}, "it may be either"
    assert bare.read("8613122345678") == bare.read("+8613122345678") == "+8613122345678"
    (tmp_path / "key").write_bytes(b"a key of 16 byte")
    assert len(form_of(Numbers(keyed=tmp_path / "key")).written("+8613800138000")[0]) == 64


def test_init_writes_a_file_that_reads_and_a_record_that_fits(tmp_path: Path) -> None:
    """The file begins as a dry run, the key is its owner's alone, the record has the roster's fields and that key."""
    options = ["--platform", "panbox", "--name-zh", "盘盒", "--sector", "drive", "--frozen", "locked", "--yes"]
    ended = CliRunner().invoke(app, ["platform", "init", "--folder", str(tmp_path), *options])
    assert ended.exit_code == 0, ended.output
    config = read_config((tmp_path / "platform.yaml").read_text(encoding="utf-8"), folder=tmp_path)
    assert (config.settings.dry_run, config.key_file.stat().st_mode & 0o777) == (True, 0o600)
    record = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert set(record) <= set(Platform._fields)
    assert (record["tier"], record["users_estimate"], config.settings.actions) == (1, None, {})
    signer = Signer.load(config.key_file, config.key_id, config.hub_id)
    assert record["keys"][0]["public"] == signer.public.hex()
    assert (record["name"]["zh"], PlatformState(record["state"])) == ("盘盒", PlatformState.ONBOARDING)
    again = CliRunner().invoke(app, ["platform", "init", "--folder", str(tmp_path), *options])
    assert isinstance(again.exception, PlatformError)
    assert yaml.safe_load((tmp_path / "platform.yaml").read_text(encoding="utf-8"))["store"]["sql"]["url"] == {
        "env": "DATABASE_URL"
    }


def test_init_asks_what_it_was_not_told(tmp_path: Path) -> None:
    """Without --yes the questions come one by one, each with what is usual."""
    said = "panbox\n\n\nbank\n\n2500000\n10.0.0.1:9092\nhub-1\nmembers\nuid\nmobile\nsince\n\nCN\n"
    said += "LOGIN_OFF, MARKETING_STOPPED\n\n"
    ended = CliRunner().invoke(app, ["platform", "init", "--folder", str(tmp_path)], input=said)
    assert ended.exit_code == 0, ended.output
    config = read_config((tmp_path / "platform.yaml").read_text(encoding="utf-8"))
    assert isinstance(config.store, SqlConfig)
    assert (config.platform, config.bootstrap_servers, config.store.table) == ("panbox", "10.0.0.1:9092", "members")
    assert config.store.columns == {"account_id": "uid", "number": "mobile", "bound_at": "since", "frozen": None}
    record = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert (record["sector"], record["tier"], record["users_estimate"]) == ("bank", 1, 2_500_000)
    # Without a column for it the platform does nothing of its own about a frozen account, and signs for nothing.
    assert config.settings.actions == {Outcome.UNBOUND: (Action.LOGIN_OFF, Action.MARKETING_STOPPED)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--yes"], "not said: Its sector"),
        (["--yes", "--sector", "bank", "--tier", "4"], "no number from 1 to 3"),
        (["--yes", "--sector", "bank", "--users", "many"], "no number from 1"),
        (["--yes", "--sector", "bank", "--stops", "LOGIN"], "LOGIN is no action"),
    ],
)
def test_init_signs_for_nothing_that_nobody_said(tmp_path: Path, words: list[str], said: str) -> None:
    """A sector is to be said, for the tier and the time to answer follow from it; what is no answer is refused."""
    ended = CliRunner().invoke(app, ["platform", "init", "--folder", str(tmp_path), "--platform", "panbox", *words])
    assert said in str(ended.exception)
    assert list(tmp_path.iterdir()) == []


def test_certificates_make_the_ssl_context(tmp_path: Path) -> None:
    """The ssl_ options become aiokafka's ssl_context; a certificate that is not there is the platform's to mend."""
    security = "{security_protocol: SSL, ssl_cafile: ca.pem}, partitions: 3"
    text = SMALLEST.replace("hub_id: local-hub", f"hub_id: local-hub, security: {security}")
    config = read_config(text, folder=tmp_path)
    with pytest.raises(PlatformError, match="certificates"):
        address_of(config)
    (tmp_path / "ca.pem").write_bytes(Path(certifi_file()).read_bytes())
    found = address_of(config).security
    assert set(found) == {"security_protocol", "ssl_context"}
    assert isinstance(found["ssl_context"], ssl.SSLContext)


def certifi_file() -> str:
    """Certificates that are there wherever httpx is."""
    import certifi

    return certifi.where()
