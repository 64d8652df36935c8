"""This module holds what the registrar's commands share: options, and reading, changing and showing one record.

The registrar is anybody who may write the topics `platforms` and `operators`. For example, `platform set` and `operator
limits` both change a record with `change_record`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hub.clock import system_clock
from hub.core.model import DAY_MS, Key, Operator, Platform
from hub.core.numbers import without_numbers
from hub.core.roster import Roster
from hub.core.roster_life import rotate
from hub.errors import HubError
from hub.sdk.roster_records import check_key, to_json
from hub.sdk.times import iso_time, time_ms
from hub.staff.roster import RosterEditor, find_hub, roster_editor

T = TypeVar("T")

Id = Annotated[str, typer.Argument(help="Id on the roster.")]
Note = Annotated[str | None, typer.Option(help="By whom, and why; kept in its history. EXEMPT: on what basis.")]
File = Annotated[Path | None, typer.Option(help="The record as JSON, such as `platform init` prints.")]
Public = Annotated[str | None, typer.Option(help="The new public key: 64 hex digits.")]
KeyFile = Annotated[
    Path | None, typer.Option("--file", help="The new public key: JSON with key_id and public, or PEM.")
]
KeyId = Annotated[str | None, typer.Option(help="Name of the new key; nobody has ever had one of that name.")]
OverlapDays = Annotated[float, typer.Option(min=0, max=90, help="How long the old keys count on.")]
Compromised = Annotated[bool, typer.Option("--compromised", help="The old keys are not safe: revoke them.")]
UnsafeSince = Annotated[str | None, typer.Option(help="ISO 8601: since when they are not safe; else since now.")]


def clock_ms() -> int:
    """Return the time now, for records that people write."""
    return system_clock()


def at(text: str) -> int:
    """Read the time of an option, as UTC milliseconds.

    Raises:
        HubError: the text is not a time.
    """
    try:
        return time_ms(text)
    except ValueError as wrong:
        raise HubError("a time cannot be read", todo="Write ISO 8601 with a zone: 2026-01-31T08:00:00Z.") from wrong


def in_roster(servers: str, work: Callable[[RosterEditor], Awaitable[T]]) -> T:
    """Do some work with the roster of the hub at an address, and return its result."""

    async def run() -> T:
        address, _ = await find_hub(servers)
        async with roster_editor(address) as editor:
            return await work(editor)

    return asyncio.run(run())


def show(record: Operator | Platform, *, as_json: bool, **beside: str | None) -> None:
    """Print a whole record, and the fields of `beside` with it."""
    shown = to_json(record) | beside
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=1))
        return
    for name, value in shown.items():
        if name == "history":
            value = [f"{iso_time(one['at'])} {one['state']} {one['note'] or ''}".strip() for one in value]
        lines = value if isinstance(value, list) else [value]
        for place, line in enumerate(lines or ["-"]):
            text = ", ".join(f"{key} {one}" for key, one in line.items()) if isinstance(line, dict) else line
            typer.echo(f"{name if place == 0 else '':18} {'-' if text is None else text}")


def known(found: Any, kind: str, record_id: str) -> Any:
    """Return a record.

    Raises:
        HubError: there is no such record.
    """
    if found is None:
        raise HubError(f"no {kind} {record_id} on the roster", todo=f"unbind-hub {kind} list shows who is.")
    return found


def change_record(servers: str, kind: Any, record_id: str, change: Callable[[Any], Any], *, as_json: bool) -> Any:
    """Change a record that exists, show it, and return it as it is now."""

    def checked(found: Any, _roster: Roster) -> Any:
        return change(known(found, kind.__name__.lower(), record_id))

    changed = in_roster(servers, lambda editor: editor.change(kind, record_id, checked))
    show(changed, as_json=as_json)
    return changed


def add_new(record: Any) -> Callable[[Any, Roster], Any]:
    """Return the change that puts a record on the roster, if its id is not there yet.

    Raises:
        HubError: the id looks like a phone number, and would be hidden like one.
    """
    if without_numbers(record.id) != record.id:
        raise HubError(f"{record.id} reads like a phone number", todo="Choose an id without seven digits in a row.")

    def change(found: Any, _roster: Roster) -> Any:
        if found is not None:
            raise HubError(
                f"{record.id} is on the roster already", todo="Change it with set, state, rotate-key or limits."
            )
        return record

    return change


def new_key(public: str | None, file: Path | None, key_id: str | None, now_ms: int) -> Key:
    """Return the key of options or a file, which is valid from now on.

    Raises:
        HubError: no key can be read.
    """
    try:
        raw = {} if file is None else _key_file(file.read_text(encoding="utf-8"))
        name, hexed = key_id or raw.get("key_id"), public or raw.get("public")
        key = Key(str(name or ""), bytes.fromhex(str(hexed or "")), now_ms)
    except (OSError, ValueError, AttributeError, UnsupportedAlgorithm) as wrong:
        raise HubError("no key can be read", todo="Give --key-id and --public HEX, or --file with both.") from wrong
    check_key(key)
    return key


def _key_file(text: str) -> dict[str, str]:
    """Return the fields of a key from a file: PEM (RFC 7468), as `openssl pkey -pubout` writes it, or JSON."""
    if not text.startswith("-----BEGIN "):
        found: dict[str, str] = json.loads(text)
        return found
    if "PRIVATE" in text.splitlines()[0]:
        raise HubError(
            "this is a private key, which the registrar must never see",
            todo="Ask for the public half (openssl pkey -pubout), and for a new key pair if this one was sent.",
        )
    public = load_pem_public_key(text.encode())
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError("another kind of key")
    return {"public": public.public_bytes_raw().hex()}


def rotation(
    key: Key, now_ms: int, overlap_days: float, *, compromised: bool, unsafe_since: str | None
) -> Callable[[Any], Any]:
    """Return the change that gives a record a new key and ends its old keys."""
    if unsafe_since is not None and not compromised:
        raise HubError("--unsafe-since is for a compromised key", todo="Add --compromised, or leave it out.")
    since = (at(unsafe_since) if unsafe_since is not None else now_ms) if compromised else None
    overlap_ms = round(overlap_days * DAY_MS)
    return lambda one: rotate(one, key, now_ms, overlap_ms=overlap_ms, unsafe_since=since)
