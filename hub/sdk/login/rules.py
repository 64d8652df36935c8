"""This module decides whether a number was recycled since an account was bound to it, and what to do. It is pure.

The date is named by its meaning. `bound_since` is the moment from which the platform knows the number to have been its
user's: when it was bound, or last proven by a code. (A "date" alone is read in two opposite ways: as the day of the
consent that is to be checked, or as the day the new contract began.)

The first of these rules that applies gives the answer:
1. If the text is not a number, the answer is unknown. It is unknown too if the text may be one of several numbers,
   with the stage of a case that speaks against the binding if one of these has one.
2. If there is no `bound_since`, it is unknown, with the stage of a case in force, if the number has one.
3. If `bound_since` is strictly before the `bound_before` of a case in force, it is yes. It is REISSUED if the case is
   released or handed over, or is not the last; it is GIVEN_UP if the case is cooling or scheduled. This is said however
   far the adapter is behind.
4. If `bound_since` is in the future, it is unknown, because the value cannot be what it says.
5. If the number's last case was withdrawn after it came to REASSIGNED, a binding older than that handover is unknown:
   the number may still be with whoever received it.
6. If `bound_since` is after a `bound_before`, but before the next owner had the number, as far as was heard, it is
   unknown, because nobody held the number then.
7. If no operator who tells the hub serves the number, it is unknown.
8. If `bound_since` is before the evidence of the number's partition begins, it is unknown.
9. If the adapter was not at the end of the log lately, or its clock is too far ahead, it is unknown.
10. Otherwise it is no.

So no is said only where everything since `bound_since` was heard, up to a moment ago. What an operator has not told
yet is not heard: it has 24 hours for that (`Breach.LATE_EVENT`). For example, a number in COOLING with `bound_before`
on 1 March gives yes, GIVEN_UP, for an account bound in February.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hub.core.lifecycle import LIVE
from hub.core.model import HOUR_MS, Stage
from hub.sdk.last_cases import LastCase
from hub.sdk.login.words import Advice, Answer, Operation, Reason, Recycled, Signals

FUTURE_MS = HOUR_MS
"""Clocks differ by less than this."""

GIVEN_UP = frozenset({Stage.COOLING, Stage.SCHEDULED})


class Knowledge(NamedTuple):
    """This is what the record knows. `last` is the number's last case.

    `since` is when the evidence of the number's partition begins, None if it never did. `caught_up_at` is when the
    adapter last had heard everything. Both are UTC milliseconds.
    """

    last: LastCase | None
    since: int | None
    caught_up_at: int | None


def answer(bound_since: int | None, known: Knowledge, now_ms: int, behind_max_ms: int, *, served: bool) -> Answer:
    """Return the answer about a valid number, by the rules above.

    Args:
        bound_since: UTC milliseconds, None if the platform does not know.
        served: whether an operator who tells the hub serves the number.
    """

    def say(reason: Reason, stage: Stage | None = None) -> Answer:
        return Answer(reason, stage, known.since, known.caught_up_at)

    stage = against(bound_since, known.last)
    if bound_since is None:
        return say(Reason.AGE_UNKNOWN, stage)
    if stage is not None:
        return say(Reason.GIVEN_UP if stage in GIVEN_UP else Reason.REISSUED, stage)
    if bound_since > now_ms + FUTURE_MS:
        return say(Reason.BOUND_IN_FUTURE)
    if known.last is not None and known.last.handover_withdrawn and bound_since < (known.last.free_until or 0):
        return say(Reason.HANDOVER_WITHDRAWN)
    if _between_owners(bound_since, known.last):
        return say(Reason.BETWEEN_OWNERS)
    if not served:
        return say(Reason.NOT_SERVED)
    if known.since is not None and bound_since < known.since:
        return say(Reason.BEFORE_EVIDENCE)
    if known.since is None or known.caught_up_at is None:
        return say(Reason.ADAPTER_BEHIND)
    if abs(now_ms - known.caught_up_at) > behind_max_ms:
        return say(Reason.ADAPTER_BEHIND)
    return say(Reason.SAME_OWNER)


def against(bound_since: int | None, last: LastCase | None) -> Stage | None:
    """Return the stage of the case that speaks against a binding; any case in force does if the age is unknown."""
    if last is None:
        return None
    since = float("-inf") if bound_since is None else bound_since
    if last.earlier_before is not None and since < last.earlier_before:
        return Stage.REASSIGNED
    return last.stage if last.in_force and since < last.bound_before else None


def _between_owners(bound_since: int, last: LastCase | None) -> bool:
    """Return whether nobody had the number at `bound_since`, as far as was heard; `against` has found no case."""
    if last is None:
        return False
    if last.stage in LIVE or (last.in_force and last.free_until is not None and bound_since < last.free_until):
        return True
    return last.earlier_until is not None and bound_since < last.earlier_until


class Relation(StrEnum):
    """This is how an account relates to the person with its number; the advice depends on it."""

    TRUSTED = "trusted"
    """The answer is no: the number is still its user's."""

    UNCERTAIN = "uncertain"
    """The answer is unknown, and nothing is known against the binding."""

    DOUBTED = "doubted"
    """The age is unknown, and the number did change hands, or is about to: this may be either owner's account."""

    GIVEN_UP = "given_up"
    """The account is the old owner's; nobody else can hold the number yet."""

    REISSUED = "reissued"
    """The account is the old owner's, and the number is not."""


P, S, N = Advice.PROCEED, Advice.STEP_UP, Advice.TREAT_AS_NEW_USER

ADVICE: dict[Relation, dict[Operation, tuple[Advice, Advice, Advice, Advice]]] = {
    # Signals:                      none, new place, new device, both
    # These are ordinary people, nearly all of them nearly always: no login is held up, whatever phone they bought.
    # What cannot be undone asks for more where everything is new, because an operator may tell a day late.
    Relation.TRUSTED: {
        Operation.LOG_IN: (P, P, P, P),
        Operation.RECOVER: (P, P, P, S),
        Operation.CHANGE_KEY_FACT: (P, P, S, S),
        Operation.PAY: (P, P, P, S),
    },
    # There is no evidence either way: this holds for most accounts in a hub's first years, and for all while an adapter
    # is down. The device they always use is itself a proof; a stranger has a new one and the number alone. Changing
    # what the account is known by would shut the owner out for good, so it always asks.
    Relation.UNCERTAIN: {
        Operation.LOG_IN: (P, P, S, S),
        Operation.RECOVER: (P, S, S, S),
        Operation.CHANGE_KEY_FACT: (S, S, S, S),
        Operation.PAY: (P, S, S, S),
    },
    # It may be the new owner's own account, so nobody is made a new user by force; it may be the old owner's, so the
    # number opens nothing. The adapter has frozen it and says so in the platform's name: no signal overrides that.
    Relation.DOUBTED: {
        Operation.LOG_IN: (S, S, S, S),
        Operation.RECOVER: (S, S, S, S),
        Operation.CHANGE_KEY_FACT: (S, S, S, S),
        Operation.PAY: (S, S, S, S),
    },
    # The number is out of service: a person who reads a code is the owner, who has it back before the hub heard of it,
    # or somebody who should not be able to. The owner gives another proof and goes on; taking the number off the
    # account would undo what the operator may restore tomorrow; and letting the number in would make FROZEN a lie.
    Relation.GIVEN_UP: {
        Operation.LOG_IN: (S, S, S, S),
        Operation.RECOVER: (S, S, S, S),
        Operation.CHANGE_KEY_FACT: (S, S, S, S),
        Operation.PAY: (S, S, S, S),
    },
    # The person with the number is somebody else, and on a device the account has never seen this is nearly certain:
    # they get an account of their own, at once and without a question they could not answer. On the account's own
    # device it may be the owner after all, who got the number back: they are asked, and not shut out. A person who is
    # in already and pays or changes is asked: no session is turned into a new user's in the middle of a payment.
    Relation.REISSUED: {
        Operation.LOG_IN: (S, S, N, N),
        Operation.RECOVER: (S, S, N, N),
        Operation.CHANGE_KEY_FACT: (S, S, S, S),
        Operation.PAY: (S, S, S, S),
    },
}
"""This is the whole advice. A platform that knows nothing of devices gives `new_device`: it is better to ask once too
often."""


def relation_of(of: Answer) -> Relation:
    """Return the relation of an account, from the answer about it."""
    if of.recycled is Recycled.NO:
        return Relation.TRUSTED
    if of.recycled is Recycled.YES:
        return Relation.GIVEN_UP if of.reason is Reason.GIVEN_UP else Relation.REISSUED
    return Relation.UNCERTAIN if of.stage is None else Relation.DOUBTED


MAY_BEGIN_ANEW = frozenset({Relation.UNCERTAIN, Relation.DOUBTED, Relation.REISSUED})
"""In these relations a person without another proof may begin a new account with the number. It is not so where the
account is theirs, nor while its owner may still have the number restored and should find the account as it was."""


def may_begin_anew(of: Answer) -> bool:
    """Return whether a person who is asked for another proof and has none may begin a new account with the number."""
    return relation_of(of) in MAY_BEGIN_ANEW


def advise(operation: Operation, signals: Signals, of: Answer) -> Advice:
    """Return what to do about the person who has just shown that the number is in their hands."""
    return ADVICE[relation_of(of)][operation][signals.new_place + 2 * signals.new_device]
