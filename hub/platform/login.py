"""The login check that a platform's config describes."""

from __future__ import annotations

from sqlalchemy import create_engine

from hub.platform.assembly import engine_of, form_of
from hub.sdk.config import HttpConfig, PlatformConfig
from hub.sdk.login.check import LoginCheck, LoginCheckSettings
from hub.sdk.stores.sql_index import PREFIX

CONNECTIONS = 16


def login_check_of(config: PlatformConfig, behind_max_s: float) -> LoginCheck:
    """The check over the adapter's record: in the accounts' database, or in the file beside a platform's service."""
    kind = config.store
    if isinstance(kind, HttpConfig):
        engine = create_engine(f"sqlite:///{kind.records}", hide_parameters=True)
        return LoginCheck(engine, LoginCheckSettings(behind_max_s=behind_max_s), prefix=PREFIX)
    # Numbers that the table holds keyed are asked about as what they are, in E.164.
    form = None if kind.numbers.keyed is not None else form_of(kind.numbers)
    # The adapter needs two connections, logins come many at a time.
    engine = create_engine(engine_of(kind).url, pool_size=CONNECTIONS, hide_parameters=True)
    return LoginCheck(engine, LoginCheckSettings(form=form, behind_max_s=behind_max_s), prefix=kind.prefix)
