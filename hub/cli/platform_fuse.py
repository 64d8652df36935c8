"""`unbind-hub platform fuse list|release|give-up` lets a person decide about what an adapter's fuses hold.

For example, `unbind-hub platform fuse release --operator north --by "Li Na" --reason "a known clean-up"` lets all held
cases of north through; the running adapter does them within a second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import platform
from hub.cli.look import AsJson
from hub.cli.look import _print as print_rows
from hub.errors import PlatformError
from hub.sdk.fuses import Decision, FuseBook, HeldState
from hub.sdk.times import iso_time

app = typer.Typer(no_args_is_help=True, help="What the adapter's fuses hold for a person.")
Operator = Annotated[str, typer.Option("--operator", help="Whose held cases, all of them.")]
By = Annotated[str, typer.Option(help="Name of the person who decides; kept.")]
Reason = Annotated[str, typer.Option(help="Why, in that person's words; kept.")]


def _book(config: Path) -> FuseBook:
    from hub.platform.assembly import store_of

    return store_of(platform.read_file(config), make_tables=False).fuses


@app.command("list")
def list_(config: platform.Config = Path("platform.yaml"), as_json: AsJson = False) -> None:
    """List what is held, by operator, and what was decided. It never shows a number or an account."""
    book = _book(config)
    rows = [
        {
            "operator": one.operator,
            "fuse": str(one.kind),
            "state": str(one.state),
            "cases": one.cases,
            "since": iso_time(one.since),
        }
        for one in book.sums()
    ]
    decisions = [
        {
            "operator": one.operator,
            "decided": str(one.state),
            "cases": one.cases,
            "by": one.by,
            "reason": one.reason,
            "at": iso_time(one.decided_at),
        }
        for one in book.decisions()
    ]
    if as_json:
        typer.echo(json.dumps({"held": rows, "decided": decisions}, ensure_ascii=False, indent=1))
        return
    print_rows(rows, "Held", as_json=False)
    print_rows(decisions, "Decided", as_json=False)


@app.command()
def release(operator: Operator, by: By, reason: Reason, config: platform.Config = Path("platform.yaml")) -> None:
    """Let all held cases of an operator through; the adapter does them, and the operator's counts begin anew."""
    _decide(config, operator, HeldState.RELEASE, by, reason)


@app.command("give-up")
def give_up(operator: Operator, by: By, reason: Reason, config: platform.Config = Path("platform.yaml")) -> None:
    """Give all held cases of an operator up: freezes are lifted, nothing is unbound, no number is put back."""
    _decide(config, operator, HeldState.GIVE_UP, by, reason)


def _decide(config: Path, operator: str, state: HeldState, by: str, reason: str) -> None:
    from hub.clock import system_clock

    if not by.strip() or not reason.strip():
        raise PlatformError("a decision needs a name and a reason", todo="Say --by and --reason.")
    cases = _book(config).decide(Decision(operator, state, by.strip(), reason.strip(), system_clock()))
    if not cases:
        raise PlatformError(
            f"nothing of operator {operator} is held", todo="See `unbind-hub platform fuse list`; check the spelling."
        )
    typer.echo(f"{cases} cases of {operator}: {state}")
