"""`unbind-hub daily` lets a small platform work with daily files: fetch notices, send outcomes, answer reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.core.model import Outcome
from hub.errors import UnbindError
from hub.sdk.times import iso_time

if TYPE_CHECKING:
    from hub.sdk.http_client import HttpPlatform

app = typer.Typer(no_args_is_help=True, help=__doc__)

Url = Annotated[str, typer.Option(envvar="UNBIND_HUB_URL", help="Of the hub's delivery, https://…")]
HubId = Annotated[str, typer.Option(envvar="UNBIND_HUB_ID", help="The hub's id; signatures are made for it.")]
HubKey = Annotated[str, typer.Option(envvar="UNBIND_HUB_KEY", help="The hub's public key, whpk_…")]
Who = Annotated[str, typer.Option(envvar="UNBIND_PLATFORM", help="This platform's id on the roster.")]
Key = Annotated[Path, typer.Option(envvar="UNBIND_PLATFORM_KEY", help="This platform's Ed25519 key, PEM.")]
KeyId = Annotated[str, typer.Option(envvar="UNBIND_PLATFORM_KEY_ID", help="Its name on the roster.")]


@app.callback()
def _daily() -> None:
    """Work with daily files: fetch what is new, send back what was done, answer reports."""


def _connected(url: str, hub_id: str, hub_key: str, platform: str, key: Path, key_id: str) -> HttpPlatform:
    from hub.sdk.http_client import HttpPlatform
    from hub.wire.signing import Signer

    return HttpPlatform(url, platform, Signer.load(key, key_id, hub_id), hub_key)


@app.command()
def fetch(
    folder: Annotated[Path, typer.Argument(help="Where to put files, one a day.")],
    url: Url,
    hub_id: HubId,
    hub_key: HubKey,
    platform: Who,
    key: Key,
    key_id: KeyId,
) -> None:
    """Fetch every day that was not received yet, in order, check the hub's signature, and tell the hub.

    Then print the reports of people that wait for this platform's answer.
    """
    with _connected(url, hub_id, hub_key, platform, key, key_id) as hub:
        days = [one for one in hub.days() if not one["received"]]
        wrong: UnbindError | None = None
        for one in days:
            try:
                typer.echo(f"{hub.fetch(one['day'], folder)}: {one['positions']} notices")
            except UnbindError as refused:  # later days and people's reports must not wait for it
                typer.echo(f"{one['day']}: {refused}", err=True)
                wrong = wrong or refused
        asked = hub.requests()
        for one in asked:
            until, number = iso_time(one["deadline_at"]), one["subject"]["value"]
            typer.echo(f"report {one['report_id']}: {one['kind']} about {number}; answer it until {until}")
    if wrong is not None:
        raise wrong
    if not days and not asked:
        typer.echo("Nothing new.")


@app.command()
def answer(
    report_id: Annotated[str, typer.Argument(help="As `fetch` prints it.")],
    outcome: Annotated[Outcome, typer.Argument(help="What was found, and done, on looking again.")],
    url: Url,
    hub_id: HubId,
    hub_key: HubKey,
    platform: Who,
    key: Key,
    key_id: KeyId,
) -> None:
    """Answer a report in this platform's name."""
    with _connected(url, hub_id, hub_key, platform, key, key_id) as hub:
        typer.echo(f"written at answers {hub.answer(report_id, outcome)['written_at']}")


@app.command()
def send(
    outcomes: Annotated[Path, typer.Argument(help="CSV: case,outcome; at the end rest,NOT_BOUND.")],
    url: Url,
    hub_id: HubId,
    hub_key: HubKey,
    platform: Who,
    key: Key,
    key_id: KeyId,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
) -> None:
    """Show what an outcomes file says in this platform's name, sign it, and send it."""
    from hub.sdk.adapter.acking import in_words

    with _connected(url, hub_id, hub_key, platform, key, key_id) as hub:
        drafted = hub.draft(outcomes.read_bytes())
        typer.echo(f"{platform} says: {in_words(hub.drafted(drafted))}")
        if not yes:
            typer.confirm("Sign this?", abort=True)
        for one in hub.send(drafted):
            typer.echo(f"written at acks {one['written_at']}")
