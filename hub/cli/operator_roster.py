"""`unbind-hub operator add|set|list|show|clearance|rotate-key` lets the registrar edit operators' records."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli import operator
from hub.cli.look import AsJson, Servers
from hub.cli.look import _print as print_rows
from hub.cli.roster import (
    Compromised,
    File,
    Id,
    KeyFile,
    KeyId,
    OverlapDays,
    Public,
    UnsafeSince,
    add_new,
    at,
    change_record,
    clock_ms,
    in_roster,
    known,
    new_key,
    rotation,
    show,
)
from hub.core.limits import in_force
from hub.core.model import Names, Operator
from hub.errors import HubError
from hub.sdk.roster_records import read_record, record_of, to_json
from hub.sdk.times import iso_time
from hub.staff.registrar import registrar
from hub.staff.roster import find_hub, roster_editor


@operator.app.command("rotate-key")
def operator_rotate_key(
    operator_id: Id,
    bootstrap_servers: Servers,
    public: Public = None,
    file: KeyFile = None,
    key_id: KeyId = None,
    overlap_days: OverlapDays = 7,
    compromised: Compromised = False,
    unsafe_since: UnsafeSince = None,
    as_json: AsJson = False,
) -> None:
    """Give an operator a new key. The old keys stay on its record: they end after an overlap, or are revoked."""
    now_ms = clock_ms()
    key = new_key(public, file, key_id, now_ms)
    change = rotation(key, now_ms, overlap_days, compromised=compromised, unsafe_since=unsafe_since)
    change_record(bootstrap_servers, Operator, operator_id, change, as_json=as_json)


Zh = Annotated[str | None, typer.Option(help="Name in Chinese.")]
En = Annotated[str | None, typer.Option(help="Name in English.")]
Ranges = Annotated[list[str] | None, typer.Option("--range", help="A prefix such as +86134; repeat.")]


@operator.app.command("add")
def operator_add(
    bootstrap_servers: Servers,
    file: File = None,
    operator_id: Annotated[str | None, typer.Option("--id")] = None,
    zh: Zh = None,
    en: En = None,
    range_: Ranges = None,
    key_id: KeyId = None,
    public: Public = None,
    public_file: Annotated[Path | None, typer.Option(help="The public key: PEM, or JSON.")] = None,
    limit_daily: Annotated[
        int | None, typer.Option(min=0, help="Notices a UTC day; unnamed, it only lowers: `operator limits`.")
    ] = None,
    limit_ported_daily: Annotated[
        int | None, typer.Option(min=0, help="The same for numbers outside its ranges.")
    ] = None,
    clearance_required: Annotated[bool, typer.Option(help="Reassigning without a clearance is a breach.")] = False,
    since: Annotated[str | None, typer.Option(help="ISO 8601: from when it owes daily reports; else now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put an operator on the roster, and make the topic of its receipts. It owes daily reports from `--since` on."""
    now_ms = clock_ms()
    if file is not None:
        record = read_record(file, Operator)
    else:
        names = {"zh": zh or en, "en": en or zh}
        record = record_of({"id": operator_id, "name": names, "ranges": range_ or []}, Operator)
    if public is not None or public_file is not None or key_id is not None:
        record = record._replace(keys=(*record.keys, new_key(public, public_file, key_id, now_ms)))
    record = record._replace(
        since=record.since or now_ms if since is None else at(since),
        limit_daily=record.limit_daily if limit_daily is None else limit_daily,
        limit_ported_daily=record.limit_ported_daily if limit_ported_daily is None else limit_ported_daily,
        clearance_required=record.clearance_required or clearance_required,
    )
    show(asyncio.run(_add_operator(bootstrap_servers, record)), as_json=as_json)


async def _add_operator(servers: str, record: Operator) -> Operator:
    change = add_new(record)
    address, hub_log = await find_hub(servers)
    # The topic comes before the record, because an operator on the roster may get receipts at once.
    async with registrar(address) as made:
        await made.make_receipts([record.id], hub_log)
    async with roster_editor(address) as editor:
        return await editor.change(Operator, record.id, change)


@operator.app.command("set")
def operator_set(
    operator_id: Id, bootstrap_servers: Servers, zh: Zh = None, en: En = None, range_: Ranges = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change an operator's name or ranges; the ranges given replace all that it had."""
    if zh is None and en is None and not range_:
        raise HubError("nothing is to be changed", todo="Say what: --zh, --en, --range.")

    def change(one: Operator) -> Operator:
        name = Names(zh or one.name.zh, en or one.name.en)
        changed = one._replace(name=name, ranges=tuple(range_ or one.ranges))
        return record_of(to_json(changed), Operator)  # this checks the record again

    change_record(bootstrap_servers, Operator, operator_id, change, as_json=as_json)


@operator.app.command("list")
def operator_list(bootstrap_servers: Servers, as_json: AsJson = False) -> None:
    """List every operator on the roster."""
    roster = in_roster(bootstrap_servers, lambda editor: editor.read())
    rows = [
        {
            "operator": one.id,
            "name": one.name.en,
            "ranges": ", ".join(one.ranges),
            **{f"{limit.lower()} a day": most for limit, most in in_force(one, authority=True).items()},
            "raised by": ", ".join(sorted({f"{named.by}: {named.reason}" for named in one.limits if named.by})),
            "clearance_required": one.clearance_required,
            "since": iso_time(one.since),
            "keys": sum(key.counts_at(clock_ms()) for key in one.keys),
        }
        for one in sorted(roster.operators.values(), key=lambda one: one.id)
    ]
    print_rows(rows, "Operators", as_json=as_json)


@operator.app.command("show")
def operator_show(operator_id: Id, bootstrap_servers: Servers, as_json: AsJson = False) -> None:
    """Show an operator's whole record."""
    roster = in_roster(bootstrap_servers, lambda editor: editor.read())
    show(known(roster.operators.get(operator_id), "operator", operator_id), as_json=as_json)


@operator.app.command("clearance")
def operator_clearance(
    operator_id: Id,
    bootstrap_servers: Servers,
    required: Annotated[bool, typer.Option(help="Whether it has to ask before it hands a number out.")] = True,
    as_json: AsJson = False,
) -> None:
    """Set whether an operator's reassignments need a clearance: without one, or against one, they are breaches."""

    def change(one: Any) -> Any:
        return one._replace(clearance_required=required)

    change_record(bootstrap_servers, Operator, operator_id, change, as_json=as_json)
