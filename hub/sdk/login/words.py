"""This module holds the words of the login check: what is asked, what is answered, and what is advised.

For example, `Reason.REISSUED` means `Recycled.YES`, and for `Operation.LOG_IN` on a new device the advice is
`Advice.TREAT_AS_NEW_USER`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from hub.core.model import Stage

EVERYBODY: Mapping[str, int] = MappingProxyType({"+": 0})
"""This says that every number's operator tells the hub, and has since its log began; use it only where that is so."""


class Operation(StrEnum):
    """This is what the person with the number is about to do."""

    LOG_IN = "log_in"
    RECOVER = "recover"
    """The person gets into an account, or sets a new password, with the number as the proof."""

    CHANGE_KEY_FACT = "change_key_fact"
    """The person changes a password, an e-mail address, a bank card or the number itself."""

    PAY = "pay"


class Signals(NamedTuple):
    """This is what the platform itself sees: a device, or a place, from which this account was never used."""

    new_device: bool = False
    new_place: bool = False


class Recycled(StrEnum):
    """This says whether the number went to somebody else, or is on the way there, since the account was bound to it."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Advice(StrEnum):
    """This says what to do about the person who has just shown that the number is in their hands."""

    PROCEED = "proceed"
    STEP_UP = "step_up"
    """Ask for another proof than the number; a person without one may begin a new account, and the old one is kept."""

    TREAT_AS_NEW_USER = "treat_as_new_user"
    """Take the number off the old account, keep that for its owner's other proof, and begin a new one."""


class Reason(StrEnum):
    """This says why the answer is what it is."""

    REISSUED = "reissued"
    """The answer is yes: the number is back in the pool, or with somebody else."""

    GIVEN_UP = "given_up"
    """The answer is yes: its owner gave the number up, and may still have it restored; nobody else holds it yet."""

    SAME_OWNER = "same_owner"
    """The answer is no: nobody gave the number up since."""

    AGE_UNKNOWN = "age_unknown"
    """The answer is unknown: the platform does not know when the account was bound. `stage` is given if there is a
    doubt."""

    BEFORE_EVIDENCE = "before_evidence"
    """The answer is unknown: the account was bound before the evidence begins; the number may have changed hands in
    between."""

    ADAPTER_BEHIND = "adapter_behind"
    """The answer is unknown: the adapter has not heard all notices."""

    NOT_SERVED = "not_served"
    """The answer is unknown: no operator that tells the hub serves this number."""

    NOT_A_NUMBER = "not_a_number"
    """The answer is unknown: it is not written as a valid number."""

    AMBIGUOUS = "ambiguous"
    """The answer is unknown: it is written so that it may be one of several numbers. `stage` is given if there is a
    doubt about one of them."""

    BETWEEN_OWNERS = "between_owners"
    """The answer is unknown: it was bound after one owner gave the number up and before the next had it; it may be
    either's."""

    HANDOVER_WITHDRAWN = "handover_withdrawn"
    """The answer is unknown: the operator withdrew the case after it had handed the number over; either of two people
    may hold it."""

    BOUND_IN_FUTURE = "bound_in_future"
    """The answer is unknown: `bound_since` lies in the future, so it is in another unit, or means something else."""


RECYCLED: dict[Reason, Recycled] = {
    Reason.REISSUED: Recycled.YES,
    Reason.GIVEN_UP: Recycled.YES,
    Reason.SAME_OWNER: Recycled.NO,
    Reason.AGE_UNKNOWN: Recycled.UNKNOWN,
    Reason.BEFORE_EVIDENCE: Recycled.UNKNOWN,
    Reason.ADAPTER_BEHIND: Recycled.UNKNOWN,
    Reason.NOT_SERVED: Recycled.UNKNOWN,
    Reason.NOT_A_NUMBER: Recycled.UNKNOWN,
    Reason.AMBIGUOUS: Recycled.UNKNOWN,
    Reason.BETWEEN_OWNERS: Recycled.UNKNOWN,
    Reason.HANDOVER_WITHDRAWN: Recycled.UNKNOWN,
    Reason.BOUND_IN_FUTURE: Recycled.UNKNOWN,
}
"""This gives the answer that each reason stands for."""


class Words(NamedTuple):
    """This is one sentence in both languages of the product, for the staff who look at an answer."""

    en: str
    zh: str


MEANS: dict[Reason, Words] = {
    Reason.REISSUED: Words(
        "The number is back in the pool or with somebody else.", "该号码已回到号码池，或已归他人使用。"
    ),
    Reason.GIVEN_UP: Words(
        "Its owner gave the number up and may still have it restored; nobody else holds it yet.",
        "原机主已弃用该号码，仍可能恢复；目前尚无他人持有。",
    ),
    Reason.SAME_OWNER: Words("Nobody gave the number up since.", "自绑定以来，该号码未被弃用。"),
    Reason.AGE_UNKNOWN: Words(
        "It is not known when the account was bound, so nobody can tell.", "不知道账号何时绑定该号码，因此无法判断。"
    ),
    Reason.BEFORE_EVIDENCE: Words(
        "The account was bound before the evidence begins; the number may have changed hands in between.",
        "账号绑定早于证据起点；其间号码可能已易主。",
    ),
    Reason.ADAPTER_BEHIND: Words(
        "The adapter has not heard all notices, so nobody can tell at the moment.",
        "适配器尚未收到全部通知，暂时无法判断。",
    ),
    Reason.NOT_SERVED: Words(
        "No operator that tells the hub serves this number.", "为该号码服务的运营商均未接入枢纽。"
    ),
    Reason.NOT_A_NUMBER: Words("It is not written as a valid number.", "所写内容不是有效的电话号码。"),
    Reason.AMBIGUOUS: Words(
        "It is written so that it may be one of several numbers; write it with + and its country code.",
        "该写法可能对应多个号码，无法确定是哪一个；请写成 + 加国家代码的形式。",
    ),
    Reason.BETWEEN_OWNERS: Words(
        "It was bound while nobody held the number, as far as was heard; it may be either owner's.",
        "据已收到的通知，绑定时该号码无人持有；账号可能属于前后任一机主。",
    ),
    Reason.HANDOVER_WITHDRAWN: Words(
        "The operator took back that the number was handed over; either of two people may hold it.",
        "运营商撤回了该号码的易主；持有者可能是前后两任机主之一。",
    ),
    Reason.BOUND_IN_FUTURE: Words(
        "The time of the binding lies in the future, so it means something else.", "绑定时间在将来，其含义有误。"
    ),
}
"""This says what each reason means, to people."""


class Answer(NamedTuple):
    """This is the answer about one number and one binding. Times are UTC milliseconds, None where nothing is known.

    `stage` is that of the case that speaks against the binding. From `evidence_from` on everything about the number's
    partition was heard. At `as_of` the adapter had heard everything there was.
    """

    reason: Reason
    stage: Stage | None = None
    evidence_from: int | None = None
    as_of: int | None = None

    @property
    def recycled(self) -> Recycled:
        """Return yes, no or unknown."""
        return RECYCLED[self.reason]

    @property
    def words(self) -> Words:
        """Return what the reason means, to people."""
        return MEANS[self.reason]
