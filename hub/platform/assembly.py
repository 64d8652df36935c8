"""This module builds what a config describes: it reads keys, makes engines and opens the store.

For example, the address `mysql://app:secret@db/app` gives an engine of the driver PyMySQL.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from hub.errors import PlatformError
from hub.platform.config import HttpConfig, Numbers, PlatformConfig, SqlConfig
from hub.sdk.accounts import AccountStore
from hub.sdk.adapter.adapter import PlatformAdapter
from hub.sdk.deeds import Deed
from hub.sdk.numbering import AnyOf, International, Keyed, National, NumberForm, usual_forms
from hub.sdk.stores.sql import SqlStore, SqlTable
from hub.settings import HubAddress
from hub.wire.signing import Signer

SSL = {"ssl_cafile": "cafile", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile", "ssl_password": "password"}
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"} | dict.fromkeys(
    ("mysql", "mariadb"), "mysql+pymysql"
)
"""A plain scheme means these drivers, which the extra `platform` installs."""


def address_of(config: PlatformConfig) -> HubAddress:
    """Return the hub's address, with the options that aiokafka takes.

    Raises:
        PlatformError: a secret or a certificate cannot be read.
    """
    given = {name: secret.reveal(os.environ) for name, secret in config.security.items()}
    options: dict[str, object] = {name: value for name, value in given.items() if name not in SSL}
    certificates = {SSL[name]: value for name, value in given.items() if name in SSL}
    if certificates or "SSL" in str(options.get("security_protocol", "")):
        options["ssl_context"] = _ssl_context(config, certificates)
    return HubAddress(config.bootstrap_servers, config.hub_id, config.partitions, options)


def _ssl_context(config: PlatformConfig, certificates: dict[str, str]) -> Any:
    from aiokafka.helpers import create_ssl_context

    paths = {name: value if name == "password" else str(config.folder / value) for name, value in certificates.items()}
    try:
        return create_ssl_context(**paths)
    except (OSError, ValueError) as wrong:
        raise PlatformError(
            f"the certificates of hub.security cannot be used: {type(wrong).__name__}",
            todo="Check the paths of ssl_cafile, ssl_certfile and ssl_keyfile, and the password.",
        ) from wrong


def signer_of(config: PlatformConfig) -> Signer:
    """Return the platform's signer."""
    return Signer.load(config.key_file, config.key_id, config.hub_id)


def form_of(numbers: Numbers) -> NumberForm:
    """Return how the store writes numbers."""
    if numbers.keyed is not None:
        return Keyed(key_in(numbers.keyed))
    if numbers.region is not None and not numbers.international:
        return usual_forms(numbers.region)
    forms: list[NumberForm] = [International(prefix) for prefix in numbers.international or () if prefix]
    forms += [] if numbers.region is None else [National(numbers.region)]
    # This form is last: bare digits that are a number of the region must not be read with a country code.
    forms += [International("")] if "" in (numbers.international or ()) else []
    return AnyOf(*forms)


def key_in(file: Path) -> bytes:
    """Return a secret key, which is all the bytes of a file.

    Raises:
        PlatformError: the file cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as wrong:
        raise PlatformError(f"{file} cannot be read", todo="Check the path and its rights.") from wrong


def table_of(config: SqlConfig) -> SqlTable:
    """Return the table's layout."""
    return SqlTable(
        config.table,
        form_of(config.numbers),
        account_id=str(config.columns["account_id"]),
        number=str(config.columns["number"]),
        bound_at=config.columns["bound_at"],
        proven_at=config.columns.get("proven_at"),
        frozen=config.columns["frozen"],
        schema=config.schema,
        frozen_value=config.frozen_value,
        unbound_value=config.unbound_value,
        also_clear=config.also_clear,
        freeze_sets=config.sets.get(Deed.FREEZE, {}),
        unbind_sets=config.sets.get(Deed.UNBIND, {}),
        calls=config.calls,
        bound_at_unit_ms=config.bound_at_unit_ms,
        zone=config.zone,
    )


def engine_of(config: SqlConfig) -> Engine:
    """Return the database's engine, whose errors never show values.

    Raises:
        PlatformError: the address cannot be read, or no driver for it is installed.
    """
    scheme, _, rest = config.url.reveal(os.environ).partition("://")
    if scheme.startswith("sqlite") and rest.startswith("/") and rest not in ("/", "/:memory:"):
        rest = f"/{config.folder / rest[1:]}"
    if not rest:
        raise _unreadable_address()
    try:
        return create_engine(f"{DRIVERS.get(scheme, scheme)}://{rest}", hide_parameters=True, **_engine_options(scheme))
    except (NoSuchModuleError, ModuleNotFoundError) as wrong:
        raise PlatformError(
            f"no driver for {scheme} is installed", todo="pip install 'unbind-hub[platform]', or name a driver."
        ) from wrong
    except ArgumentError:
        raise _unreadable_address() from None


def _unreadable_address() -> PlatformError:
    return PlatformError(
        "the database's address cannot be read",
        todo="Write it as scheme://user:password@host:port/database, such as postgresql://… or sqlite:///app.db.",
    )


def _engine_options(scheme: str) -> dict[str, Any]:
    if scheme.startswith("sqlite"):
        return {"poolclass": NullPool, "connect_args": {"timeout": 30}}
    return {"pool_pre_ping": True, "pool_size": 2, "max_overflow": 0}


def store_of(config: PlatformConfig, *, make_tables: bool = True) -> AccountStore:
    """Open the platform's store and return it.

    Args:
        make_tables: is False for a check that is to change nothing.
    """
    kind = config.store
    index_key = None if kind.index_key is None else key_in(kind.index_key)
    if isinstance(kind, HttpConfig):
        from hub.sdk.stores.account_service import ServiceSettings
        from hub.sdk.stores.http import http_store

        if not make_tables and not kind.records.exists():
            kind = replace(kind, records=Path(tempfile.mkdtemp(prefix="unbind-hub-check-")) / "records.sqlite")
        service = ServiceSettings(kind.url, kind.token.reveal(os.environ), kind.timeout_ms, kind.batch_max)
        return http_store(service, kind.records, index_key)
    return SqlStore(engine_of(kind), table_of(kind), kind.prefix, index_key, make_tables=make_tables)


def adapter_of(config: PlatformConfig, opened: Callable[[PlatformConfig], AccountStore] = store_of) -> PlatformAdapter:
    """Return the adapter that a config describes."""
    store = opened(config)
    return PlatformAdapter(config.platform, store, signer_of(config), address_of(config), config.settings)
