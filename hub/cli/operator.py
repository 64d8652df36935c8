"""`unbind-hub operator` lets an operator check its files before anything is sent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.core.model import REFUSAL_TODO, Decision, Names, Operator, Refusal
from hub.errors import OperatorError, UnbindError
from hub.sdk.operators.importer import importer_for
from hub.sdk.operators.rehearsal import CANNOT_KNOW, Check, check
from hub.sdk.roster_files import read_operators
from hub.settings import PARTITIONS_DEFAULT

LINES_SHOWN = 10
SOMETHING_REFUSED = 1
NOT_CHECKED = 2
EVERY_RANGE = ("+",)

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.callback()
def _operator() -> None:
    """Check an operator's files before anything is sent."""


@app.command("check")
def check_file(
    file: Annotated[Path, typer.Argument(help="Events, .csv or .jsonl.")],
    operators: Annotated[Path | None, typer.Option(help="A roster, operators.yaml: ranges and cooling days.")] = None,
    operator: Annotated[str | None, typer.Option(help="Operator id; the file's name without its ending.")] = None,
    partitions: Annotated[int, typer.Option(min=1, help="Of the hub.")] = PARTITIONS_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="For machines, with every line.")] = False,
) -> None:
    """Say what the hub would say of a file, without sending it. It ends with 1 if a row would not be accepted."""
    try:
        who = _who(operators, operator or file.stem)
        found = check(importer_for(file, who.id).read(file), who, time.time_ns() // 1_000_000, partitions)
    except UnbindError as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(NOT_CHECKED) from wrong
    if as_json:
        typer.echo(json.dumps(_as_json(found, who, operators is None), ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join(_as_text(found, file, who, operators is None)))
    if found.unreadable or found.refused() or found.held():
        raise typer.Exit(SOMETHING_REFUSED)


def _who(roster: Path | None, operator: str) -> Operator:
    """Return the operator of a roster; without a roster every range is its own, and cooling takes 60 to 90 days."""
    if roster is None:
        return Operator(operator, Names(operator, operator), EVERY_RANGE)
    for one in read_operators(roster, {}, since=0):
        if one.id == operator:
            return one
    raise OperatorError(f"{operator} is not in {roster.name}", todo="Say which operator it is with --operator.")


def _cannot_know(without_roster: bool) -> tuple[str, ...]:
    ranges = ("Without --operators every range counts as yours: NOT_YOUR_RANGE cannot be told.",)
    return (ranges if without_roster else ()) + CANNOT_KNOW


def _counts(found: Check) -> dict[str, int]:
    decisions = found.decisions()
    return {
        "accepted": decisions[Decision.ACCEPTED] + decisions[Decision.NOTED],
        "duplicate": decisions[Decision.DUPLICATE],
        "refused": decisions[Decision.REFUSED],
        "held": decisions[Decision.HELD],
        "unreadable": len(found.unreadable),
    }


def _as_json(found: Check, who: Operator, without_roster: bool) -> dict[str, Any]:
    return {
        "operator": who.id,
        "by_time": found.by_time,
        **_counts(found),
        "unreadable_rows": [row._asdict() for row in found.unreadable],
        "rejected": {
            reason: {"count": len(lines), "todo": REFUSAL_TODO[reason], "lines": lines}
            for reason, lines in found.refused().items()
        },
        "held_for": {why: {"count": len(lines), "lines": lines} for why, lines in found.held().items()},
        "breaches": {kind: {"count": len(lines), "lines": lines} for kind, lines in found.breaches().items()},
        "cannot_know": _cannot_know(without_roster),
    }


def _as_text(found: Check, file: Path, who: Operator, without_roster: bool) -> Iterator[str]:
    order = "in order of published_at" if found.by_time else "in the file's order, as of now"
    yield f"{file.name}: what the hub would say to {who.id}, {order}. Nothing was sent."
    yield "  " + ", ".join(f"{count} {name}" for name, count in _counts(found).items())
    if found.unreadable:
        yield "\nUnreadable rows, which cannot be sent:"
        yield from (f"  line {row.line}: {row.what}. {row.todo}" for row in found.unreadable[:LINES_SHOWN])
        yield from _more(len(found.unreadable))
    if found.refused():
        yield "\nRefused:"
        yield from _table(found.refused(), REFUSAL_TODO)
    if found.held():
        yield "\nHeld over a daily limit until a person looks, neither refused nor published:"
        yield from _table(found.held(), {})
    if found.breaches():
        yield "\nAccepted, and recorded as breaches:"
        yield from _table(found.breaches(), {})
    yield "\nWhat this check cannot know:"
    yield from (f"  {line}" for line in _cannot_know(without_roster))


def _more(count: int) -> Iterator[str]:
    if count > LINES_SHOWN:
        yield f"  and {count - LINES_SHOWN} more; --json lists all"


def _table(lines_of: Mapping[Any, Sequence[int]], todo_of: Mapping[Refusal, str]) -> Iterator[str]:
    for word, lines in lines_of.items():
        shown = ", ".join(map(str, lines[:LINES_SHOWN])) + (", …" if len(lines) > LINES_SHOWN else "")
        yield f"  {word:18} {len(lines):>7}  lines {shown}"
        if word in todo_of:
            yield f"  {'':18} {'':>7}  {todo_of[word]}"
