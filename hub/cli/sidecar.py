"""`unbind-hub platform check-server` serves the login check over HTTP, for a login that is not written in Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.errors import PlatformError

if TYPE_CHECKING:
    from hub.sdk.login.check import LoginCheck, LoginCheckSettings

CONNECTIONS = 16
NOBODY = (
    "No operator is said to tell the hub: every number that was not given up is unknown.\n"
    "Say whose numbers are, with login_check.served in the file or --served."
)


def check_server(
    config: Annotated[Path | None, typer.Option(help="The platform's file, platform.yaml; or:")] = None,
    database_url: Annotated[
        str | None,
        typer.Option(envvar="UNBIND_HUB_DATABASE_URL", help="Of the adapter's tables, as SQLAlchemy writes it."),
    ] = None,
    prefix: Annotated[str, typer.Option(help="Of the adapter's tables, with --database-url.")] = "unbind_hub_",
    region: Annotated[str | None, typer.Option(help="Read numbers as people of it write them, such as CN.")] = None,
    served: Annotated[
        list[str] | None,
        typer.Option(help="Whose operators tell the hub: +86134=2026-01-01T00:00:00Z, as often as needed; or all."),
    ] = None,
    index_key_file: Annotated[Path | None, typer.Option(help="The record's key, with --database-url.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen; there are no tokens, so keep it on the machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8087,
    zone: Annotated[str, typer.Option(help="Of the days that CAMARA's shape asks for, such as Asia/Shanghai.")] = "UTC",
    behind_max_s: Annotated[float, typer.Option(min=1, help="Behind longer, no becomes unknown.")] = 60.0,
) -> None:
    """Answer POST /v1/check on this machine until Ctrl-C; OpenAPI at /openapi.json."""
    from hub.platform.sidecar import serve
    from hub.sdk.login.check import LoginCheckSettings
    from hub.sdk.numbering import usual_forms

    if (config is None) == (database_url is None):
        raise PlatformError("it is not said where the record is", todo="Give --config or --database-url, not both.")
    form = None if region is None else usual_forms(region)
    settings = LoginCheckSettings(form=form, behind_max_s=behind_max_s, served=_served(served or ()))
    if config is not None:
        check = _of_config(config, settings)
    else:
        check = _of_database(str(database_url), prefix, index_key_file, settings)
    if not check.settings.served:
        typer.echo(NOBODY, err=True)
    typer.echo(f"login check on http://{host}:{port}; Ctrl-C ends it.")
    serve(check, host, port, zone=zone)


def _served(given: Sequence[str]) -> dict[str, int]:
    from hub.platform.config_settings import ALL, is_prefix
    from hub.sdk.login.check import EVERYBODY
    from hub.sdk.times import time_ms

    if list(given) == [ALL]:
        return dict(EVERYBODY)
    served: dict[str, int] = {}
    for prefix, _, since in (one.partition("=") for one in given):
        try:
            served[prefix] = time_ms(since)
        except ValueError:
            since = ""
        if not since or not is_prefix(prefix):
            raise PlatformError(
                "--served says not whose numbers, since when", todo="Write +86134=2026-01-01T00:00:00Z, or all alone."
            )
    return served


def _of_config(file: Path, settings: LoginCheckSettings) -> LoginCheck:
    from hub.cli.platform import read_file
    from hub.platform.login import login_check_of

    return login_check_of(read_file(file), settings)


def _of_database(url: str, prefix: str, key: Path | None, settings: LoginCheckSettings) -> LoginCheck:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError

    from hub.platform.assembly import key_in
    from hub.sdk.login.check import LoginCheck

    try:
        engine = create_engine(url, pool_size=CONNECTIONS, hide_parameters=True)
    except ArgumentError:
        raise PlatformError(
            "the database's address cannot be read",
            todo="Write it as SQLAlchemy does: postgresql+psycopg://user@host/db",
        ) from None
    return LoginCheck(engine, settings, prefix=prefix, index_key=None if key is None else key_in(key))
