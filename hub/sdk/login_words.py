"""The words of the login check: what is asked, what is answered, and what is advised."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Operation(StrEnum):
    """What the person with the number is about to do."""

    LOG_IN = "log_in"
    RECOVER = "recover"
    """Get into an account, or set a new password, with the number as the proof."""

    CHANGE_KEY_FACT = "change_key_fact"
    """Change a password, an e-mail address, a bank card, the number itself."""

    PAY = "pay"


class Signals(NamedTuple):
    """What the platform itself sees: a device, or a place, that this account was never used from."""

    new_device: bool = False
    new_place: bool = False


class Recycled(StrEnum):
    """Whether the number went to somebody else, or is on the way there, since the account was bound to it."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Advice(StrEnum):
    """What to do about the person who has just shown that the number is in their hands."""

    PROCEED = "proceed"
    STEP_UP = "step_up"
    """Ask for another proof than the number; whoever has none may begin a new account, and the old one is kept."""

    TREAT_AS_NEW_USER = "treat_as_new_user"
    """Take the number off the old account, keep that for its owner's other proof, and begin a new one."""
