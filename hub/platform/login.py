"""This module makes the login check that a platform's config describes."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import create_engine

from hub.platform.assembly import engine_of, form_of, key_in
from hub.platform.config import HttpConfig, PlatformConfig
from hub.sdk.login.check import LoginCheck, LoginCheckSettings
from hub.sdk.stores.sql_index import PREFIX

CONNECTIONS = 16


def login_check_of(config: PlatformConfig, settings: LoginCheckSettings) -> LoginCheck:
    """Return the check over the adapter's record, in the accounts' database or in the file beside a platform's service.

    Args:
        settings: what the file cannot say. If its `form` or `served` is given, it takes precedence over the file's.
    """
    kind = config.store
    settings = replace(settings, served=settings.served or config.served or {})
    index_key = None if kind.index_key is None else key_in(kind.index_key)
    if isinstance(kind, HttpConfig):
        engine = create_engine(f"sqlite:///{kind.records}", hide_parameters=True)
        return LoginCheck(engine, settings, prefix=PREFIX, index_key=index_key)
    # If the table holds keyed numbers, the login check is asked about the numbers themselves, in E.164.
    if settings.form is None and kind.numbers.keyed is None:
        settings = replace(settings, form=form_of(kind.numbers))
    # The adapter needs two connections, but many logins come at a time.
    engine = create_engine(engine_of(kind).url, pool_size=CONNECTIONS, hide_parameters=True)
    return LoginCheck(engine, settings, prefix=kind.prefix, index_key=index_key)
