"""`unbind-hub platform check-server`: the login check over HTTP, beside a login that is not written in Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.errors import PlatformError

if TYPE_CHECKING:
    from hub.sdk.login.check import LoginCheck

CONNECTIONS = 16


def check_server(
    config: Annotated[Path | None, typer.Option(help="The platform's file, platform.yaml; or:")] = None,
    database_url: Annotated[
        str | None,
        typer.Option(envvar="UNBIND_HUB_DATABASE_URL", help="Of the adapter's tables, as SQLAlchemy writes it."),
    ] = None,
    prefix: Annotated[str, typer.Option(help="Of the adapter's tables, with --database-url.")] = "unbind_hub_",
    region: Annotated[str | None, typer.Option(help="Read numbers as people of it write them, such as CN.")] = None,
    index_key_file: Annotated[Path | None, typer.Option(help="The record's key, if kept outside the database.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen; there are no tokens, so keep it on the machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8087,
    zone: Annotated[str, typer.Option(help="Of the days that CAMARA's shape asks for, such as Asia/Shanghai.")] = "UTC",
    behind_max_s: Annotated[float, typer.Option(min=1, help="Behind longer, no becomes unknown.")] = 60.0,
) -> None:
    """Answer POST /v1/check on this machine until Ctrl-C; OpenAPI at /openapi.json."""
    from hub.platform.sidecar import serve

    if (config is None) == (database_url is None):
        raise PlatformError("it is not said where the record is", todo="Give --config or --database-url, not both.")
    if config is not None:
        check = _of_config(config, behind_max_s)
    else:
        check = _of_database(str(database_url), prefix, region, index_key_file, behind_max_s)
    typer.echo(f"login check on http://{host}:{port}; Ctrl-C ends it.")
    serve(check, host, port, zone=zone)


def _of_config(file: Path, behind_max_s: float) -> LoginCheck:
    from hub.cli.platform import read_file
    from hub.platform.login import login_check_of

    return login_check_of(read_file(file), behind_max_s)


def _of_database(url: str, prefix: str, region: str | None, key: Path | None, behind_max_s: float) -> LoginCheck:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError

    from hub.sdk.login.check import LoginCheck, LoginCheckSettings
    from hub.sdk.numbering import usual_forms

    try:
        engine = create_engine(url, pool_size=CONNECTIONS, hide_parameters=True)
    except ArgumentError:
        raise PlatformError(
            "the database's address cannot be read",
            todo="Write it as SQLAlchemy does: postgresql+psycopg://user@host/db",
        ) from None
    settings = LoginCheckSettings(form=None if region is None else usual_forms(region), behind_max_s=behind_max_s)
    return LoginCheck(engine, settings, prefix=prefix, index_key=None if key is None else _key(key))


def _key(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as wrong:
        raise PlatformError(f"{file} cannot be read", todo="Give the file with the record's key.") from wrong
