"""`unbind-hub token` prints a token of the hub's own issuer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hub.core.model import HOUR_MS, Role


def token(
    role: Annotated[str, typer.Option(help="operator, platform, registrar, viewer or auditor.")],
    subject: Annotated[str, typer.Option(help="The operator's or platform's id, or who it is.")],
    data_dir: Annotated[Path, typer.Option(help="The web's data dir, where the issuer's key is.")] = Path(".data/web"),
    bootstrap_servers: Annotated[
        str | None, typer.Option(envvar="UNBIND_HUB_SERVERS", help="To ask for the hub's id.")
    ] = None,
    hub_id: Annotated[str, typer.Option(help="The hub's id, where it is not asked for.")] = "local-hub",
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 366, help="How long it counts.")] = 12,
) -> None:
    """Print a token for the API and the dashboard, signed with the key in the web's data dir."""
    from hub.clock import system_clock
    from hub.staff.roster import find_hub
    from hub.web.access.tokens import KEY_FILE, LocalIssuer

    if role.upper() not in Role.__members__:
        raise typer.BadParameter(f"one of {', '.join(one.lower() for one in Role)}", param_hint="--role")
    if bootstrap_servers is not None:
        address, _ = asyncio.run(find_hub(bootstrap_servers))
        hub_id = address.hub_id
    issuer = LocalIssuer.open(data_dir / KEY_FILE, hub_id)
    typer.echo(issuer.token(Role(role.upper()), subject, round(hours * HOUR_MS), system_clock()))
