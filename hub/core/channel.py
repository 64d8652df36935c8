"""How a platform is reached, as its roster record writes it: `kafka`, `file`, or `webhook https://…`. Pure."""

from __future__ import annotations

from typing import NamedTuple

from hub.core.model import Platform
from hub.errors import HubError

WEBHOOK = "webhook"
FILE = "file"
KAFKA = "kafka"


class Kind(NamedTuple):
    """A channel's kind, and what comes with it."""

    kind: str
    address: str = ""


def kind_of(platform: Platform) -> Kind:
    """The channel on a platform's roster record; an unknown word is kept as its kind."""
    return _read(platform.channel or KAFKA)


def _read(channel: str) -> Kind:
    word, _, rest = channel.strip().partition(" ")
    return Kind(word, rest.strip())


def check_channel(channel: str) -> str:
    """A channel as it is to be written.

    Whether a webhook's address may be dialled is delivery's to judge (`hub.delivery.addresses`).

    Raises:
        HubError: nothing could ever be told that way.
    """
    kind, address = _read(channel)
    if kind == WEBHOOK and address.startswith(("https://", "http://127.0.0.1")) and not any(map(str.isspace, address)):
        return f"{kind} {address}"
    if kind in (FILE, KAFKA) and not address:
        return kind
    raise HubError("this is no channel", todo="Write `webhook https://…`, `file` or `kafka`.")
