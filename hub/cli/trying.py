"""`unbind-hub platform try` sends a test case of the platform's own number through the real hub and adapter.

For example, the account must first be FROZEN (COOLING), then UNBOUND (SCHEDULED), then REINSTATED (WITHDRAWN).
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.platform import Config, app, read_file
from hub.core.model import Outcome, Stage, TrialResult, TrialStep

NOT_AS_IT_SHOULD_BE = 1

SHOULD_BE: dict[Stage, Outcome] = {
    Stage.COOLING: Outcome.FROZEN,
    Stage.SCHEDULED: Outcome.UNBOUND,
    Stage.WITHDRAWN: Outcome.REINSTATED,
}
MEANING: dict[Outcome | None, str] = {
    Outcome.FROZEN: "frozen: the number opens nothing and is not dialled",
    Outcome.UNBOUND: "unbound: the number is gone from the account",
    Outcome.REINSTATED: "put back as it was",
    Outcome.NOT_BOUND: "no account found: check how the table writes numbers",
    Outcome.FAILED: "failed: the adapter's log says at what",
    Outcome.DECLINED: "declined: by the platform, or because a real case holds the account",
    None: "nothing to put back",
}


@app.command("try")
def try_(
    number: Annotated[str, typer.Argument(help="E.164, of an account of your own.")],
    config: Config = Path("platform.yaml"),
    timeout_s: Annotated[float, typer.Option(min=1, max=600, help="How long to wait for it.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Send a test case through the hub to the running adapter: freeze, unbind, put back. It counts in no figure.

    It ends with 1 unless the account was found, frozen, unbound and put back.
    """
    from hub.platform.assembly import address_of, signer_of
    from hub.sdk.adapter.trying import try_number

    found = read_file(config)
    result = asyncio.run(try_number(number, found.platform, signer_of(found), address_of(found), timeout_s))
    typer.echo(_as_json(result) if as_json else "\n".join(_as_text(result)))
    if any(not _as_it_should_be(step) for step in result.steps):
        raise typer.Exit(NOT_AS_IT_SHOULD_BE)


def _as_it_should_be(step: TrialStep) -> bool:
    """Say whether a step is right; a binding of unknown age rightly stays frozen where others are unbound."""
    frozen_still = step.stage is Stage.SCHEDULED and step.outcome is Outcome.FROZEN
    return frozen_still or step.outcome is SHOULD_BE[step.stage]


def _as_text(result: TrialResult) -> list[str]:
    lines = [_line(step) for step in result.steps]
    return [*lines, "A dry run: nothing was changed. Set dry_run: false to act."] if result.dry_run else lines


def _line(step: TrialStep) -> str:
    mark = "ok " if _as_it_should_be(step) else "NOT"
    return f"{mark} {step.stage:10} {MEANING[step.outcome]} (accounts: {step.accounts})"


def _as_json(result: TrialResult) -> str:
    steps = [step._asdict() for step in result.steps]
    return json.dumps({"dry_run": result.dry_run, "steps": steps, "done_at": result.done_at}, indent=1)
