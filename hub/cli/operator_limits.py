"""`unbind-hub operator limits|lift-quarantine` sets how much an operator may do before a person looks.

For example, `unbind-hub operator limits north --limit NOTICES --most 200000 --by "Li Wei" --reason "2 M customers"`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.cli import operator
from hub.cli.held import By, Reason
from hub.cli.look import AsJson, Servers
from hub.cli.roster import Id, change_record, clock_ms
from hub.core.limits import lifted, with_limit
from hub.core.model import Limit, Operator
from hub.errors import HubError


@operator.app.command("limits")
def operator_limits(
    operator_id: Id,
    bootstrap_servers: Servers,
    limit: Annotated[Limit, typer.Option(help="Which one; the hub's default holds for those never set.")],
    most: Annotated[int | None, typer.Option(min=0, help="How many a UTC day; a quarter of it in an hour.")] = None,
    none: Annotated[bool, typer.Option("--none", help="No limit at all.")] = False,
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Set a limit of an operator. Whoever raises one says who and why. Events over it wait (`operator held`)."""
    if none == (most is not None):
        raise HubError("it is not said how many", todo="Give one of --most and --none.")

    def change(one: Any) -> Any:
        return with_limit(one, limit, most, by=by, reason=reason, at=clock_ms())

    change_record(bootstrap_servers, Operator, operator_id, change, as_json=as_json)


@operator.app.command("lift-quarantine")
def operator_lift_quarantine(
    operator_id: Id, bootstrap_servers: Servers, by: By, reason: Reason, as_json: AsJson = False
) -> None:
    """Let an operator go on that went far beyond its usual day. What is held stays held until it is released."""

    def change(one: Any) -> Any:
        return lifted(one, by=by, reason=reason, at=clock_ms())

    change_record(bootstrap_servers, Operator, operator_id, change, as_json=as_json)
