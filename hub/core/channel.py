"""This module reads how a platform is reached from its roster record: `kafka`, `file`, or `webhook https://…`.

For example, `webhook https://bank.example/notices` is the way WEBHOOK with that address. To add a way, give it a row
here and a maker in `hub.delivery.service.MAKERS`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hub.core.model import Platform
from hub.errors import HubError


class Way(StrEnum):
    """The ways to reach a platform."""

    KAFKA = "kafka"
    WEBHOOK = "webhook"
    FILE = "file"


class Habits(NamedTuple):
    """What is to be expected of a way. `written` is how the roster writes it.

    `has_address` says whether it needs an address to go to. `daily` says whether its platform comes once a day, and may
    be silent for a day.
    """

    written: str
    has_address: bool = False
    daily: bool = False


HABITS: dict[Way, Habits] = {
    Way.KAFKA: Habits("`kafka`"),
    Way.WEBHOOK: Habits("`webhook https://…`", has_address=True),
    Way.FILE: Habits("`file`", daily=True),
}
WRITTEN = ", ".join(one.written for one in HABITS.values())


class Kind(NamedTuple):
    """A channel's kind, and the address that follows it."""

    kind: str
    address: str = ""

    @property
    def way(self) -> Way | None:
        """Return the way of this kind; None if the word is not known."""
        return Way(self.kind) if self.kind in list(Way) else None

    @property
    def is_daily(self) -> bool:
        """Return whether its platform comes once a day."""
        return self.way in HABITS and HABITS[Way(self.kind)].daily


def kind_of(platform: Platform) -> Kind:
    """Return the channel on a platform's roster record; an unknown word is kept as its kind."""
    return _read(platform.channel or Way.KAFKA)


def _read(channel: str) -> Kind:
    word, _, rest = channel.strip().partition(" ")
    return Kind(word, rest.strip())


def check_channel(channel: str) -> str:
    """Return a channel in the form in which the roster has it.

    Delivery judges whether a webhook's address may be called (`hub.delivery.addresses`).

    Raises:
        HubError: the text is not a channel, so nothing could be told that way.
    """
    kind = _read(channel)
    habits = None if kind.way is None else HABITS.get(kind.way)
    if habits is not None and habits.has_address and _is_address(kind.address):
        return f"{kind.kind} {kind.address}"
    if habits is not None and not habits.has_address and not kind.address:
        return kind.kind
    raise HubError("this is no channel", todo=f"Write one of {WRITTEN}.")


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://127.0.0.1")) and not any(map(str.isspace, text))
