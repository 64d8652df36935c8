"""How a platform is reached, as its roster record writes it: `kafka`, `file`, or `webhook https://…`. Pure.

Whoever adds a way gives it a row here and a maker in `hub.delivery.service.MAKERS`.
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
    """What is to be expected of a way. `written`: how the roster has it.

    `has_address`: it names where to go. `daily`: it comes once a day, and may be silent for as long.
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
    """A channel's kind, and what comes with it."""

    kind: str
    address: str = ""

    @property
    def way(self) -> Way | None:
        """The way it is; None of a word that nobody knows."""
        return Way(self.kind) if self.kind in list(Way) else None

    @property
    def is_daily(self) -> bool:
        """Whether its platform comes once a day."""
        return self.way in HABITS and HABITS[Way(self.kind)].daily


def kind_of(platform: Platform) -> Kind:
    """The channel on a platform's roster record; an unknown word is kept as its kind."""
    return _read(platform.channel or Way.KAFKA)


def _read(channel: str) -> Kind:
    word, _, rest = channel.strip().partition(" ")
    return Kind(word, rest.strip())


def check_channel(channel: str) -> str:
    """A channel as it is to be written.

    Whether a webhook's address may be dialled is delivery's to judge (`hub.delivery.addresses`).

    Raises:
        HubError: nothing could ever be told that way.
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
