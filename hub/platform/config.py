"""This module reads a `platform.yaml` into values. It is pure: it opens and connects nothing.

Secrets need not be in the file: wherever a password may stand, `{env: NAME}` or `{file: PATH}` may stand too. For
example, `url: {env: DATABASE_URL}` gives `Secret(env="DATABASE_URL")`. Paths are relative to the file. `unbind-hub
platform init` writes such a file; `docs/platform-sql.md` has the smallest one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hub.errors import PlatformError
from hub.platform.config_settings import served_in, settings_in
from hub.sdk.adapter.settings import AdapterSettings
from hub.sdk.deeds import Deed
from hub.settings import PARTITIONS_DEFAULT
from hub.yaml_nodes import Node

UNITS_MS = {"s": 1_000, "ms": 1}
SECURITY = frozenset(
    {
        *("security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password"),
        *("sasl_kerberos_service_name", "sasl_kerberos_domain_name"),
        *("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password"),
    }
)
"""These options are passed to aiokafka; those with ssl_ make its `ssl_context`."""

PREFIX = "unbind_hub_"
PORT_MAX = 65_535


class Secret(NamedTuple):
    """This is a text in the file, in an environment variable or in a file of its own: in one of the three."""

    text: str | None = None
    env: str | None = None
    file: Path | None = None

    def reveal(self, environment: Mapping[str, str]) -> str:
        """Return the text itself.

        Raises:
            PlatformError: the variable is not set or the file cannot be read.
        """
        if self.env is not None:
            if self.env not in environment:
                raise PlatformError(f"the environment has no {self.env}", todo="Set it for the adapter's process.")
            return environment[self.env]
        if self.file is not None:
            try:
                return self.file.read_text(encoding="utf-8").strip("\n")
            except (OSError, UnicodeDecodeError) as wrong:
                raise PlatformError(f"{self.file} cannot be read", todo="Check the path and its rights.") from wrong
        return self.text or ""


class Numbers(NamedTuple):
    """This says how numbers are written: as in a region, with international prefixes, or keyed with a file's key."""

    region: str | None = None
    international: tuple[str, ...] | None = None
    keyed: Path | None = None


@dataclass(frozen=True)
class SqlConfig:
    """This is a platform's own table. `hub.sdk.stores.sql_table.SqlTable` says what each field means."""

    url: Secret
    table: str
    numbers: Numbers
    schema: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    frozen_value: object = 1
    unbound_value: object = None
    also_clear: tuple[str, ...] = ()
    bound_at_unit_ms: int = 1_000
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    sets: Mapping[Deed, Mapping[str, object]] = field(default_factory=dict)
    calls: Mapping[Deed, str] = field(default_factory=dict)
    prefix: str = PREFIX
    folder: Path = Path()
    """A relative path of an SQLite file is relative to this folder."""

    index_key: Path | None = None
    """This file has the key of the record of last cases; with None the key is in the database."""


@dataclass(frozen=True)
class HttpConfig:
    """This is a platform's own service. `records` is the SQLite file for the adapter's own records."""

    url: str
    token: Secret
    records: Path
    timeout_ms: int = 10_000
    batch_max: int = 500
    index_key: Path | None = None
    """It means the same as in `SqlConfig`."""


@dataclass(frozen=True)
class PlatformConfig:
    """This is all of a `platform.yaml`."""

    platform: str
    key_id: str
    key_file: Path
    bootstrap_servers: str
    hub_id: str
    store: SqlConfig | HttpConfig
    partitions: int = PARTITIONS_DEFAULT
    security: Mapping[str, Secret] = field(default_factory=dict)
    settings: AdapterSettings = field(default_factory=AdapterSettings)
    served: Mapping[str, int] | None = None
    """This is for the login check (`LoginCheckSettings.served`); None means that the file does not say it."""

    metrics_port: int | None = None
    folder: Path = Path()


def read_config(text: str, file: str = "platform.yaml", folder: Path = Path()) -> PlatformConfig:
    """Return the values of a file.

    Args:
        text: the content.
        file: the name, for messages.
        folder: the file's folder; paths in the file are relative to it.

    Raises:
        PlatformError: something in the file is wrong or missing; the message names line and field.
    """
    root = Node.of(text, file)
    key, hub = root["key"], root["hub"]
    config = PlatformConfig(
        platform=root["platform"].text(),
        key_id=key["id"].text(),
        key_file=folder / key["file"].text(),
        bootstrap_servers=hub["bootstrap_servers"].text(),
        hub_id=hub["hub_id"].text(),
        partitions=hub.get("partitions", lambda one: one.whole(1, 10_000), PARTITIONS_DEFAULT),
        security=hub.get("security", lambda one: _security(one, folder), {}),
        store=_store(root["store"], folder),
        settings=settings_in(root),
        served=root.get("login_check", served_in, None),
        metrics_port=root.get("metrics_port", lambda one: one.whole(0, PORT_MAX), None),
        folder=folder,
    )
    for node in (key, hub, root):
        node.done()
    return config


def _security(node: Node, folder: Path) -> dict[str, Secret]:
    return {name: _secret(one, folder) for name, one in node.mapping(SECURITY).items()}


def _secret(node: Node, folder: Path) -> Secret:
    if node.is_text():
        return Secret(text=node.text())
    secret = Secret(
        env=node.get("env", Node.text, None),
        file=node.get("file", lambda one: folder / one.text(), None),
    )
    node.done()
    if (secret.env is None) == (secret.file is None):
        raise node.wrong("says not where to look", "Write {env: NAME} or {file: PATH}.")
    return secret


def _store(node: Node, folder: Path) -> SqlConfig | HttpConfig:
    kinds = node.mapping(("sql", "http"))
    if len(kinds) != 1:
        raise node.wrong("is not one store", "Write either `sql:` or `http:` below it.")
    return _sql(kinds["sql"], folder) if "sql" in kinds else _http(kinds["http"], folder)


def _http(node: Node, folder: Path) -> HttpConfig:
    config = HttpConfig(
        url=node["url"].text().rstrip("/"),
        token=_secret(node["token"], folder),
        records=folder / node["records"].text(),
        timeout_ms=node.get("timeout_ms", lambda one: one.whole(10, 600_000), HttpConfig.timeout_ms),
        batch_max=node.get("batch_max", lambda one: one.whole(1, 1_000), HttpConfig.batch_max),
        index_key=_index_key(node, folder),
    )
    node.done()
    if not config.url.startswith(("https://", "http://")):
        raise node["url"].wrong("is no address of a service", "Write it with https:// before it.")
    return config


def _sql(node: Node, folder: Path) -> SqlConfig:
    columns, unit_ms, zone = _columns(node["columns"]), 1_000, ZoneInfo("UTC")
    if node.has("bound_at"):
        unit_ms, zone = _bound_at(node["bound_at"])
    sets, calls = _deeds(node["do"]) if node.has("do") else ({}, {})
    config = SqlConfig(
        url=_secret(node["url"], folder),
        table=node["table"].text(),
        numbers=_numbers(node["numbers"], folder),
        schema=node.get("schema", Node.text, None),
        columns=columns,
        frozen_value=node.get("frozen_value", Node.plain, 1),
        unbound_value=node.get("unbound_value", Node.plain, None),
        also_clear=node.get("also_clear", lambda one: tuple(item.text() for item in one.items()), ()),
        bound_at_unit_ms=unit_ms,
        zone=zone,
        sets=sets,
        calls=calls,
        prefix=node.get("own_tables_prefix", Node.text, PREFIX),
        folder=folder,
        index_key=_index_key(node, folder),
    )
    node.done()
    return config


def _index_key(node: Node, folder: Path) -> Path | None:
    return node.get("index_key", lambda one: _file(one, folder), None)


def _file(node: Node, folder: Path) -> Path:
    path = folder / node["file"].text()
    node.done()
    return path


def _columns(node: Node) -> dict[str, str | None]:
    columns: dict[str, str | None] = {"account_id": node["account_id"].text(), "number": node["number"].text()}
    columns["bound_at"] = node.get("bound_at", Node.text, None)
    if node.has("proven_at"):
        columns["proven_at"] = node["proven_at"].text()
    columns["frozen"] = node.get("frozen", Node.text, None)
    node.done()
    return columns


def _bound_at(node: Node) -> tuple[int, ZoneInfo]:
    unit = node.get("unit", Node.text, "s")
    if unit not in UNITS_MS:
        raise node["unit"].wrong("is no unit", "Write s for seconds since 1970, ms for milliseconds.")
    name = node.get("zone", Node.text, "UTC")
    node.done()
    try:
        return UNITS_MS[unit], ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise node["zone"].wrong("is no time zone", "Write one such as Asia/Shanghai.") from None


def _numbers(node: Node, folder: Path) -> Numbers:
    numbers = Numbers(
        region=node.get("region", Node.text, None),
        international=node.get("international", lambda one: tuple(_prefix(item) for item in one.items()), None),
        keyed=node.get("keyed", lambda one: _file(one, folder), None),
    )
    node.done()
    if numbers == Numbers() or (numbers.keyed is not None and numbers != Numbers(keyed=numbers.keyed)):
        raise node.wrong(
            "says not how numbers are written",
            'Write {region: CN}, {international: ["+", "00"]}, both, or {keyed: {file: PATH}} alone.',
        )
    return numbers


def _prefix(node: Node) -> str:
    value = node.plain()
    if value not in ("+", "00", "", None):
        raise node.wrong("is no international prefix", 'Write "+", "00" or "".')
    return value or ""


def _deeds(node: Node) -> tuple[dict[Deed, dict[str, object]], dict[Deed, str]]:
    sets: dict[Deed, dict[str, object]] = {}
    calls: dict[Deed, str] = {}
    for name, one in node.mapping(deed.lower() for deed in Deed).items():
        deed = Deed(name.upper())
        if one.has("set") and deed is Deed.REINSTATE:
            raise one["set"].wrong("is not to be chosen", "Reinstating puts back what was there before.")
        sets[deed] = one.get("set", lambda of: {column: value.plain() for column, value in of.mapping().items()}, {})
        call = one.get("call", Node.text, "")
        if call:
            calls[deed] = call
        one.done()
    return sets, calls
