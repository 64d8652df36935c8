"""The words of the login check: what is asked, what is answered, and what is advised."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from hub.core.model import Stage

EVERYBODY: Mapping[str, int] = MappingProxyType({"+": 0})
"""Every number's operator tells the hub, and has since its log began: only where that is so may it be said."""


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


class Reason(StrEnum):
    """Why the answer is what it is."""

    REISSUED = "reissued"
    """Yes: the number is back in the pool, or with somebody else."""

    GIVEN_UP = "given_up"
    """Yes: its owner gave it up, and may still have it restored; nobody else holds it yet."""

    SAME_OWNER = "same_owner"
    """No: nobody gave it up since."""

    AGE_UNKNOWN = "age_unknown"
    """Unknown: the platform does not know when the account was bound. `stage` is there if there is cause for doubt."""

    BEFORE_EVIDENCE = "before_evidence"
    """Unknown: bound before the evidence begins; the number may have changed hands in between."""

    ADAPTER_BEHIND = "adapter_behind"
    """Unknown: the adapter has not heard everything there is."""

    NOT_SERVED = "not_served"
    """Unknown: no operator that tells the hub serves this number."""

    NOT_A_NUMBER = "not_a_number"
    """Unknown: it is not written as a valid number."""

    BETWEEN_OWNERS = "between_owners"
    """Unknown: bound after one owner gave the number up and before the next one had it; it may be either's."""

    BOUND_IN_FUTURE = "bound_in_future"
    """Unknown: `bound_since` lies in the future, so it is in another unit, or not that."""


RECYCLED: dict[Reason, Recycled] = {
    Reason.REISSUED: Recycled.YES,
    Reason.GIVEN_UP: Recycled.YES,
    Reason.SAME_OWNER: Recycled.NO,
    Reason.AGE_UNKNOWN: Recycled.UNKNOWN,
    Reason.BEFORE_EVIDENCE: Recycled.UNKNOWN,
    Reason.ADAPTER_BEHIND: Recycled.UNKNOWN,
    Reason.NOT_SERVED: Recycled.UNKNOWN,
    Reason.NOT_A_NUMBER: Recycled.UNKNOWN,
    Reason.BETWEEN_OWNERS: Recycled.UNKNOWN,
    Reason.BOUND_IN_FUTURE: Recycled.UNKNOWN,
}
"""What each reason is a reason for."""


class Answer(NamedTuple):
    """The answer about one number and one binding. Times are UTC milliseconds, None where nothing is known.

    `stage`: of the case that speaks against the binding. `evidence_from`: from when on everything about the number's
    partition was heard. `as_of`: the adapter had heard everything there was at this time.
    """

    reason: Reason
    stage: Stage | None = None
    evidence_from: int | None = None
    as_of: int | None = None

    @property
    def recycled(self) -> Recycled:
        """Yes, no or unknown."""
        return RECYCLED[self.reason]
