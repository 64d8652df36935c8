"""This module holds the values for what is asked of a platform about single accounts, and what is asked again.

For example, case 7-120033 asks for the deed FREEZE of account "u1". If it fails, a `Retry` says that the notice at its
position is heard again a minute later.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hub.core.model import Source


class Deed(StrEnum):
    """This is what the adapter is about to do to one account."""

    FREEZE = "FREEZE"
    UNBIND = "UNBIND"
    REINSTATE = "REINSTATE"


class AskKey(NamedTuple):
    """This names one deed for good: if it is asked for twice, it is done once.

    `report` is the id, in hex, of the report that asks again; it is empty without one.
    """

    case: Source
    account_id: str
    deed: Deed
    report: str = ""


class Ask(NamedTuple):
    """This is one deed that is about to be done. `number`, `bound_at` and `snapshot` are the binding it is about.

    `position` is that of the notice that asks for it. `rebind` says that reinstating is to bind the number again, if
    the account has none. `beside` are accounts that come back to the same number with this one.
    """

    key: AskKey
    number: str
    bound_at: int | None
    snapshot: str
    position: Source
    rebind: bool = False
    beside: tuple[str, ...] = ()


class Retry(NamedTuple):
    """This is a case at which something failed; the notice at `position` is heard again at `due_at` (UTC ms)."""

    case: Source
    position: Source
    attempts: int
    due_at: int


class RetryPlan(NamedTuple):
    """This says when what failed is tried again: first after `first_ms`, then each time after twice as long as before.

    No wait is longer than `longest_ms`. After `attempts_max` times it is left to the case's next stage; with 0, nothing
    is tried again by the clock.
    """

    first_ms: int = 60_000
    longest_ms: int = 6 * 3_600_000
    attempts_max: int = 30

    def after(self, attempts: int) -> int:
        """Return how long to wait, in milliseconds, when so many attempts were made by the clock before."""
        return min(self.first_ms << min(attempts, 40), self.longest_ms)


class AccountsRefused(Exception):
    """The store's own rules (a constraint, a trigger) keep it from leaving these accounts as said.

    A store raises it for `hub.sdk.adapter.handling`, which counts these accounts as FAILED and handles the rest. The
    accounts of `taken` cannot have their number back, because another account holds it since the store was read; they
    are put back without it.
    """

    def __init__(self, account_ids: frozenset[str], taken: frozenset[str] = frozenset()) -> None:
        super().__init__(f"{len(account_ids) + len(taken)} accounts")
        self.account_ids = account_ids
        self.taken = taken
