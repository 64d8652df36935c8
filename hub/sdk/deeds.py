"""What is asked of a platform about single accounts, and what is asked again. Values only."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hub.core.model import Source


class Deed(StrEnum):
    """What the adapter is about to do to one account."""

    FREEZE = "FREEZE"
    UNBIND = "UNBIND"
    REINSTATE = "REINSTATE"


class AskKey(NamedTuple):
    """What names one deed for good: asked twice, it is done once. `report`: of the report that asks again, in hex."""

    case: Source
    account_id: str
    deed: Deed
    report: str = ""


class Ask(NamedTuple):
    """One deed that is about to be done. `number`, `bound_at`, `snapshot`: the binding it is about.

    `position`: of the notice that asks for it. `rebind`: reinstating is to bind the number again, if none is bound.
    """

    key: AskKey
    number: str
    bound_at: int | None
    snapshot: str
    position: Source
    rebind: bool = False


class Retry(NamedTuple):
    """A case at which something failed, to be heard again. `position`: of the notice; `due_at`: UTC milliseconds."""

    case: Source
    position: Source
    attempts: int
    due_at: int


class RetryPlan(NamedTuple):
    """When what failed is tried again: first after `first_ms`, each time after twice as long, up to `longest_ms`.

    After `attempts_max` times it is left to the case's next stage. 0: never by the clock.
    """

    first_ms: int = 60_000
    longest_ms: int = 6 * 3_600_000
    attempts_max: int = 30

    def after(self, attempts: int) -> int:
        """How long to wait when so many attempts were made by the clock before."""
        return min(self.first_ms << min(attempts, 40), self.longest_ms)


class AccountsRefused(Exception):
    """The store's own rules (a constraint, a trigger) keep it from leaving these accounts as said.

    Between a store and `hub.sdk.adapter.handling`, which counts them as FAILED and does the rest.
    """

    def __init__(self, account_ids: frozenset[str]) -> None:
        super().__init__(f"{len(account_ids)} accounts")
        self.account_ids = account_ids
