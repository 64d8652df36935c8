"""`unbind-hub check-server`: the login check over HTTP, beside a login that is not written in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.errors import PlatformError

CONNECTIONS = 16


def check_server(
    database_url: Annotated[
        str, typer.Option(envvar="UNBIND_HUB_DATABASE_URL", help="Of the adapter's tables, as SQLAlchemy writes it.")
    ],
    prefix: Annotated[str, typer.Option(help="Of the adapter's tables.")] = "unbind_hub_",
    host: Annotated[str, typer.Option(help="Where to listen; there are no tokens, so keep it on the machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8087,
    region: Annotated[str | None, typer.Option(help="Read numbers as people of it write them, such as CN.")] = None,
    zone: Annotated[str, typer.Option(help="Of the days that CAMARA's shape asks for, such as Asia/Shanghai.")] = "UTC",
    index_key_file: Annotated[Path | None, typer.Option(help="The record's key, if kept outside the database.")] = None,
    behind_max_s: Annotated[float, typer.Option(min=1, help="Behind longer, no becomes unknown.")] = 60.0,
) -> None:
    """Answer POST /v1/check on this machine until Ctrl-C; OpenAPI at /openapi.json."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError

    from hub.platform.sidecar import serve
    from hub.sdk.login_check import LoginCheck, LoginCheckSettings
    from hub.sdk.numbering import usual_forms

    try:
        engine = create_engine(database_url, pool_size=CONNECTIONS, pool_pre_ping=False)
    except ArgumentError as wrong:
        raise PlatformError(
            "the database's address cannot be read",
            todo="Write it as SQLAlchemy does: postgresql+psycopg://user@host/db",
        ) from wrong
    form = None if region is None else usual_forms(region)
    settings = LoginCheckSettings(form=form, behind_max_s=behind_max_s)
    key = None if index_key_file is None else _key(index_key_file)
    check = LoginCheck(engine, settings, prefix=prefix, index_key=key)
    typer.echo(f"login check on http://{host}:{port}; Ctrl-C ends it.")
    serve(check, host, port, zone=zone)


def _key(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as wrong:
        raise PlatformError(f"{file} cannot be read", todo="Give the file with the record's key.") from wrong
