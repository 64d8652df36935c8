"""`unbind-hub operator held|release-held|drop-held` lets a person decide on events over an operator's limit.

For example, `unbind-hub operator release-held moor --all --by "Li Na"` lets all held events of moor through.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Annotated, Any

import typer

from hub.cli import operator
from hub.cli.look import AsJson, Servers
from hub.cli.look import _print as print_rows
from hub.core.model import HeldVerdict
from hub.errors import HubError
from hub.sdk.times import iso_time, time_ms
from hub.staff.held import Choice, judge, summary, waiting
from hub.staff.roster import find_hub

OperatorId = Annotated[str, typer.Argument(help="Whose held events.")]
By = Annotated[str, typer.Option(help="Name of the person who decides; kept for ever.")]
Reason = Annotated[str, typer.Option(help="Why, in that person's words.")]
Everything = Annotated[bool, typer.Option("--all", help="All that waits now.")]
Event = Annotated[str | None, typer.Option(help="The event of this id, a UUID.")]
Before = Annotated[str | None, typer.Option(help="What was recorded before this time, ISO 8601.")]


@operator.app.command("held")
def held(
    bootstrap_servers: Servers,
    operator_id: Annotated[str | None, typer.Argument(help="This operator alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the events that wait for a person: how many, since when and why. It never shows a number."""

    async def look() -> list[Any]:
        address, _ = await find_hub(bootstrap_servers)
        return summary(await waiting(address, operator_id))

    rows = [
        {
            "operator": one.operator,
            "held": one.events,
            "since": iso_time(one.since),
            "why": {str(why): count for why, count in one.why.items() if count},
            "judged, not answered": one.released,
        }
        for one in asyncio.run(look())
    ]
    print_rows(rows, "Held", as_json=as_json)


def _choice(everything: bool, event: str | None, before: str | None) -> Choice:
    if sum((everything, event is not None, before is not None)) != 1:
        raise HubError("it is not said which events", todo="Give one of --all, --event and --before.")
    if event is not None:
        try:
            wanted = uuid.UUID(event).bytes
        except ValueError as wrong:
            raise HubError("--event is no UUID", todo="Give the event's id, such as in the operator's file.") from wrong
        return lambda one: one.event.event_id == wanted
    if before is not None:
        try:
            end = time_ms(before)
        except ValueError as wrong:
            raise HubError("--before is no time", todo="Write ISO 8601 with a zone: 2026-01-31T08:00:00Z.") from wrong
        return lambda one: one.event.recorded_at < end
    return lambda _: True


def _judge(
    servers: str, operator_id: str, choice: Choice, verdict: HeldVerdict, *, by: str, reason: str, as_json: bool
) -> None:
    async def run() -> int:
        address, _ = await find_hub(servers)
        return len(await judge(address, operator_id, choice, verdict, by=by, reason=reason))

    count = asyncio.run(run())
    if as_json:
        typer.echo(json.dumps({"operator": operator_id, "verdict": str(verdict), "events": count, "by": by}))
    else:
        typer.echo(f"{count} events of {operator_id} {verdict.lower()} by {by}; their receipts say what came of them")


@operator.app.command("release-held")
def release_held(
    operator_id: OperatorId,
    bootstrap_servers: Servers,
    by: By,
    reason: Reason = "",
    everything: Everything = False,
    event: Event = None,
    before: Before = None,
    as_json: AsJson = False,
) -> None:
    """Let held events through, in order: they are judged as if there were no limit."""
    choice = _choice(everything, event, before)
    _judge(bootstrap_servers, operator_id, choice, HeldVerdict.RELEASED, by=by, reason=reason, as_json=as_json)


@operator.app.command("drop-held")
def drop_held(
    operator_id: OperatorId,
    bootstrap_servers: Servers,
    by: By,
    reason: Reason = "",
    everything: Everything = False,
    event: Event = None,
    before: Before = None,
    as_json: AsJson = False,
) -> None:
    """Refuse held events: the operator gets a receipt that says DROPPED."""
    choice = _choice(everything, event, before)
    _judge(bootstrap_servers, operator_id, choice, HeldVerdict.DROPPED, by=by, reason=reason, as_json=as_json)
