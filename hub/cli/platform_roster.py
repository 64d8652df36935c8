"""`unbind-hub platform add|set|list|show|state|add-delivery-key|rotate-key|leave` lets the registrar edit platforms."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from hub.cli import platform
from hub.cli.look import AsJson, Servers
from hub.cli.look import _print as print_rows
from hub.cli.roster import (
    Compromised,
    File,
    Id,
    KeyFile,
    KeyId,
    Note,
    OverlapDays,
    Public,
    UnsafeSince,
    add_new,
    change_record,
    clock_ms,
    in_roster,
    known,
    new_key,
    rotation,
    show,
)
from hub.core.model import Names, Platform, PlatformState
from hub.core.roster import Roster
from hub.core.roster_life import add_delivery_key, change_state, edit, enter, state_since
from hub.core.standing import Standing
from hub.sdk.roster_records import read_record, record_of, to_json
from hub.sdk.times import iso_time
from hub.sdk.webhooks import public_key_of
from hub.staff.behaviour import standings
from hub.staff.registrar import registrar
from hub.staff.roster import find_hub, roster_editor

Zh = Annotated[str | None, typer.Option(help="Name in Chinese.")]
En = Annotated[str | None, typer.Option(help="Name in English.")]
Sector = Annotated[str | None, typer.Option(help="Such as payment, bank, drive, mail.")]
Tier = Annotated[int | None, typer.Option(min=1, max=3, help="1: payment, bank, drive, mail, lending; 2; 3: other.")]
Channel = Annotated[str | None, typer.Option(help="How it is told: `kafka`, `file`, or `webhook https://…`.")]
Contact = Annotated[str | None, typer.Option(help="Whom to ask.")]
GuideUrl = Annotated[str | None, typer.Option(help="Where its users unbind.")]
GuideStep = Annotated[list[str] | None, typer.Option(help="How, a step each; may be repeated.")]
Users = Annotated[int | None, typer.Option(min=0, help="How many users it has, about.")]
MustConnect = Annotated[bool | None, typer.Option(help="Whether the law has it connect.")]


def _said(
    record: Platform | None, *, zh: str | None, en: str | None, guide_step: list[str] | None, **given: Any
) -> dict[str, Any]:
    """Return the fields that options give, by name; a name in only one language leaves the other as it is."""
    fields = {name: value for name, value in given.items() if value is not None}
    if guide_step:
        fields["guide_steps"] = tuple(guide_step)
    if zh is not None or en is not None:
        known = Names(zh or en or "", en or zh or "") if record is None else record.name
        fields["name"] = Names(zh or known.zh, en or known.en)
    return fields


@platform.app.command("add")
def platform_add(
    bootstrap_servers: Servers,
    file: File = None,
    platform_id: Annotated[str | None, typer.Option("--id")] = None,
    zh: Zh = None,
    en: En = None,
    sector: Sector = None,
    tier: Tier = None,
    channel: Channel = None,
    contact: Contact = None,
    guide_url: GuideUrl = None,
    guide_step: GuideStep = None,
    users: Users = None,
    must_connect: MustConnect = None,
    state: Annotated[PlatformState | None, typer.Option(help="Unless the file says.")] = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Put a platform on the roster, connected or not, from a file, from options or from both; options win."""
    read = None if file is None else read_record(file, Platform)
    given = _said(
        read, zh=zh, en=en, guide_step=guide_step, id=platform_id, sector=sector, tier=tier, channel=channel,
        contact=contact, guide_url=guide_url, users_estimate=users, must_connect=must_connect, state=state,
    )  # fmt: skip
    whole = ({} if read is None else to_json(read)) | {name: to_json(value) for name, value in given.items()}
    made = enter(record_of(whole, Platform), clock_ms(), note)
    change = add_new(made)
    asyncio.run(_make_inbox(bootstrap_servers, made))  # made before the record, as it may be needed at once
    show(in_roster(bootstrap_servers, lambda editor: editor.change(Platform, made.id, change)), as_json=as_json)


@platform.app.command("set")
def platform_set(
    platform_id: Id,
    bootstrap_servers: Servers,
    zh: Zh = None,
    en: En = None,
    sector: Sector = None,
    tier: Tier = None,
    channel: Channel = None,
    contact: Contact = None,
    guide_url: GuideUrl = None,
    guide_step: GuideStep = None,
    users: Users = None,
    must_connect: MustConnect = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Change a platform's record; fields that are not given stay, and its history says what was changed."""
    now_ms = clock_ms()

    def change(one: Platform) -> Platform:
        changes = _said(
            one, zh=zh, en=en, guide_step=guide_step, sector=sector, tier=tier, channel=channel,
            contact=contact, guide_url=guide_url, users_estimate=users, must_connect=must_connect,
        )  # fmt: skip
        return edit(one, changes, now_ms, note)

    change_record(bootstrap_servers, Platform, platform_id, change, as_json=as_json)


@platform.app.command("add-delivery-key")
def platform_add_delivery_key(
    platform_id: Id,
    bootstrap_servers: Servers,
    public: Annotated[str, typer.Option(help="As `unbind-hub delivery key` prints it: whpk_…")],
    as_json: AsJson = False,
) -> None:
    """Let delivery sign for a platform that it received notices, but never what it did. Its own keys stay valid."""
    now_ms, raw = clock_ms(), public_key_of(public).public_bytes_raw()
    change_record(
        bootstrap_servers, Platform, platform_id, lambda one: add_delivery_key(one, raw, now_ms), as_json=as_json
    )


async def _make_inbox(servers: str, record: Platform) -> None:
    """Make the topics in which the hub asks and tells a platform that is connected or will be."""
    address, hub_log = await find_hub(servers)
    async with registrar(address) as made:
        await made.make_inboxes([record], hub_log)


@platform.app.command("list")
def platform_list(bootstrap_servers: Servers, as_json: AsJson = False) -> None:
    """List every platform on the roster, connected or not."""
    roster, standing = asyncio.run(_with_standings(bootstrap_servers))
    rows = [
        {
            "platform": one.id,
            "name": one.name.en,
            "sector": one.sector,
            "tier": one.tier,
            "state": str(one.state),
            "standing": _word(standing[one.id]),
            "since": None if (since := state_since(one)) is None else iso_time(since),
            "keys": sum(key.counts_at(clock_ms()) for key in one.keys),
        }
        for one in sorted(roster.platforms.values(), key=lambda one: one.id)
    ]
    print_rows(rows, "Platforms", as_json=as_json)


@platform.app.command("show")
def platform_show(platform_id: Id, bootstrap_servers: Servers, as_json: AsJson = False) -> None:
    """Show a platform's whole record with its history, and how it behaves."""
    roster, standing = asyncio.run(_with_standings(bootstrap_servers))
    found = known(roster.platforms.get(platform_id), "platform", platform_id)
    show(found, as_json=as_json, standing=_word(standing[platform_id]))


async def _with_standings(servers: str) -> tuple[Roster, dict[str, Standing | None]]:
    address, hub_log = await find_hub(servers)
    async with roster_editor(address) as editor:
        roster = await editor.read()
    return roster, await standings(servers, hub_log, roster.platforms)


def _word(found: Standing | None) -> str | None:
    return None if found is None else found.lower()


@platform.app.command("state")
def platform_state(
    platform_id: Id,
    state: Annotated[PlatformState, typer.Argument(help="The state from now on.")],
    bootstrap_servers: Servers,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Move a platform to another state."""
    now_ms = clock_ms()
    changed = change_record(
        bootstrap_servers, Platform, platform_id, lambda one: change_state(one, state, now_ms, note), as_json=as_json
    )
    asyncio.run(_make_inbox(bootstrap_servers, changed))


@platform.app.command("leave")
def platform_leave(platform_id: Id, bootstrap_servers: Servers, note: Note = None, as_json: AsJson = False) -> None:
    """Let a platform leave. Its gaps stay gaps, because cases published before stay in force for it."""
    platform_state(platform_id, PlatformState.LEFT, bootstrap_servers, note, as_json)


@platform.app.command("rotate-key")
def platform_rotate_key(
    platform_id: Id,
    bootstrap_servers: Servers,
    public: Public = None,
    file: KeyFile = None,
    key_id: KeyId = None,
    overlap_days: OverlapDays = 7,
    compromised: Compromised = False,
    unsafe_since: UnsafeSince = None,
    as_json: AsJson = False,
) -> None:
    """Give a platform a new key. The old keys stay on its record: they end after an overlap, or are revoked."""
    now_ms = clock_ms()
    key = new_key(public, file, key_id, now_ms)
    change = rotation(key, now_ms, overlap_days, compromised=compromised, unsafe_since=unsafe_since)
    change_record(bootstrap_servers, Platform, platform_id, change, as_json=as_json)
