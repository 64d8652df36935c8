"""This module holds the accounts of a batch and what cases hold of them, and changes both notice by notice.

It is pure. Every change is gathered twice: as the account's final state (`effects`, of which the last one counts) and
as the case's own record of it (`touched`). See `hub.sdk.adapter.acting` for the rules. For example, if case 7-120033
freezes account "u1" and then unbinds it in one batch, "u1" has one effect, UNBOUND, and one touch of 7-120033.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import NamedTuple

from hub.core.model import Outcome, ReleaseNotice, Source, Stage
from hub.sdk.accounts import Account, Binding, Effect, Held, Touch
from hub.sdk.deeds import Deed
from hub.sdk.ledger import TouchLedger


class Answers(NamedTuple):
    """What an outcome is to the accounts of a case.

    `rank`: several accounts answer together, by the one with the lowest; None: it is no answer of an account in force.
    `left_bound`: the account kept its number; also where another case has the freeze by now.
    """

    rank: int | None
    left_bound: bool = False


ANSWERS: dict[Outcome, Answers] = {
    Outcome.FAILED: Answers(0, left_bound=True),
    Outcome.DECLINED: Answers(1, left_bound=True),
    Outcome.FROZEN: Answers(2, left_bound=True),
    Outcome.UNBOUND: Answers(3),
    Outcome.NOT_BOUND: Answers(None),
    Outcome.REINSTATED: Answers(None),
}
_RANKS = {one: answers.rank for one, answers in ANSWERS.items() if answers.rank is not None}
ANSWER_ORDER = tuple(sorted(_RANKS, key=_RANKS.__getitem__))
SETTLED = frozenset({Held.NOTHING, Held.TAKEN})
"""What a case holds so, there is nothing left to undo of."""

LEFT_BOUND = frozenset(one for one, answers in ANSWERS.items() if answers.left_bound)


def deed_for(notice: ReleaseNotice, account: Account, freeze_at: Set[Stage], *, brake: bool = False) -> Deed:
    """Return what a notice asks for an account of the old owner (rule 3 of `hub.sdk.adapter.acting`).

    Args:
        brake: a fuse does not let the notice unbind.
    """
    freeze = brake or notice.stage is Stage.COOLING or notice.stage in freeze_at or account.bound_at is None
    return Deed.FREEZE if freeze else Deed.UNBIND


class Holdings:
    """This holds accounts by id and by number, touches by case, and which case holds which freeze."""

    def __init__(self, accounts: Iterable[Account], touches: Iterable[Touch]) -> None:
        self.effects: dict[str, Effect] = {}
        self.touched: dict[tuple[Source, str], Touch] = {}
        self._accounts = {account.account_id: account for account in accounts}
        self._bound: dict[str, set[str]] = {}
        self._ledger = TouchLedger()
        for account in self._accounts.values():
            numbers = account.may_be if account.may_be or account.number is None else {account.number}
            for number in numbers:
                self._bound.setdefault(number, set()).add(account.account_id)
        for touch in touches:
            self._ledger.put(touch)

    def old_owners(self, notice: ReleaseNotice) -> list[Account]:
        """Return the accounts, by id, bound to the number strictly before `bound_before` or at an unknown time.

        Accounts that are AMBIGUOUS are among them if they may be bound to the number.
        """
        bound = (self._accounts[one] for one in sorted(self._bound.get(notice.subject.value, ())))
        return [one for one in bound if one.bound_at is None or one.bound_at < notice.bound_before]

    def is_bound(self, number: str) -> bool:
        """Return whether any account is bound to a number."""
        return bool(self._bound.get(number))

    def answer(self, case: Source) -> Outcome | None:
        """Return what all accounts that a case ever touched answer together, or None if there are none."""
        outcomes = {touch.outcome for touch in self._ledger.of(case).values()}
        return next((one for one in ANSWER_ORDER if one in outcomes), None)

    def touch_of(self, case: Source, account: Account) -> Touch | None:
        """Return what a case did to an account before, or None."""
        return self._ledger.of(case).get(account.account_id)

    def held_by(self, case: Source) -> list[Touch]:
        """Return what a case still holds, by account."""
        touches = self._ledger.of(case)
        return [touches[name] for name in sorted(touches) if touches[name].held not in SETTLED]

    def refused(self, case: Source, notice: ReleaseNotice, account: Account, outcome: Outcome) -> None:
        """Note that the platform failed at an account or declined it; the account stays as it is."""
        touch = self.touch_of(case, account) or _first_touch(case, notice, account)
        self._put(touch._replace(outcome=outcome))

    def take(self, case: Source, notice: ReleaseNotice, account: Account, deed: Deed) -> None:
        """Freeze or unbind an account; take over a freeze that an earlier case holds on it."""
        touch = _first_touch(case, notice, account)
        frozen_by = self._ledger.freeze_on(account.account_id)
        if frozen_by is not None:
            touch = touch._replace(snapshot=frozen_by.snapshot)
            if frozen_by.case != case:
                self._put(frozen_by._replace(held=Held.NOTHING))
        if deed is Deed.FREEZE:
            touch = touch._replace(outcome=Outcome.FROZEN, held=Held.FREEZE)
            self._leave(touch, Binding.FROZEN)
        else:
            touch = touch._replace(outcome=Outcome.UNBOUND, held=Held.UNBINDING)
            self._leave(touch, Binding.UNBOUND)
        self._put(touch)

    def vanished(self, case: Source, present: set[str]) -> list[Touch]:
        """Return what a case had touched, did not unbind, and is no longer the old owner's."""
        return [
            touch
            for name, touch in sorted(self._ledger.of(case).items())
            if name not in present and (touch.held is Held.FREEZE or touch.outcome in LEFT_BOUND)
        ]

    def still_frozen(self, touch: Touch) -> bool:
        """Return whether a freeze of this touch is left to lift."""
        return touch.held is Held.FREEZE and touch.account_id in self._accounts

    def note_vanished(self, touch: Touch) -> None:
        """Count as unbound what vanished, and lift a freeze on it."""
        if self.still_frozen(touch):
            self._leave(touch, Binding.THAWED)
        self._put(touch._replace(outcome=Outcome.UNBOUND, held=Held.VANISHED))

    def forget(self, case: Source) -> None:
        """Drop what an undone case touched, because it holds nothing now; what was put back without a number stays."""
        kept = [touch for touch in self._ledger.of(case).values() if touch.held is Held.TAKEN]
        self._ledger.forget(case)
        for key in [key for key in self.touched if key[0] == case]:
            del self.touched[key]
        for touch in kept:
            self._put(touch)

    def wants_number(self, touch: Touch) -> bool:
        """Return whether undoing a touch is to put a number on the account: the case took it, and it has none since."""
        account = self._accounts.get(touch.account_id)
        return account is not None and touch.held is Held.UNBINDING and account.number is None

    def beside(self, touch: Touch) -> tuple[str, ...]:
        """Return the other accounts that a touch's case found on its number."""
        return tuple(sorted(self._ledger.of(touch.case).keys() - {touch.account_id}))

    def is_taken(self, touch: Touch, at_ms: int | None, *, handed_on: bool) -> bool:
        """Return whether somebody else holds a touch's number by now.

        An account that the case itself had found on the number, and that is bound since the same time, is no somebody
        else: accounts of one owner come back together.

        Args:
            at_ms: accounts that are bound later than this (UTC milliseconds) are not there yet; with None all are.
            handed_on: the number may have gone to somebody else in the case. Then an account of unknown age may be
                theirs.
        """
        siblings = self._ledger.of(touch.case)
        for name in self._bound.get(touch.number, set()) - {touch.account_id}:
            sibling, bound_at = siblings.get(name), self._accounts[name].bound_at
            if at_ms is not None and bound_at is not None and bound_at > at_ms:
                continue
            if sibling is None or sibling.bound_at != bound_at or (bound_at is None and handed_on):
                return True
        return False

    def put_back(self, touch: Touch, *, taken: bool) -> None:
        """Undo a touch, but never overwrite what the account's owner has done with it since.

        Args:
            taken: somebody else holds the number; the account is put back without it, if it was to have it.
        """
        account, held = self._accounts.get(touch.account_id), Held.NOTHING
        if account is not None and touch.held is Held.FREEZE:
            self._leave(touch, Binding.AS_BEFORE if account.number == touch.number else Binding.THAWED)
        elif self.wants_number(touch):
            self._leave(touch, Binding.WITHOUT_NUMBER if taken else Binding.AS_BEFORE)
            held = Held.TAKEN if taken else held
        self._put(touch._replace(outcome=Outcome.REINSTATED, held=held))

    def _leave(self, touch: Touch, binding: Binding) -> None:
        name = touch.account_id
        self.effects[name] = Effect(name, binding, touch.snapshot, touch.number, touch.bound_at)
        account = self._accounts[name]
        if binding in (Binding.UNBOUND, Binding.WITHOUT_NUMBER):
            self._bound.get(touch.number, set()).discard(name)
            account = account._replace(number=None)
        elif binding is not Binding.THAWED:
            self._bound.setdefault(touch.number, set()).add(name)
            account = account._replace(number=touch.number, bound_at=touch.bound_at)
        if binding is not Binding.FROZEN:
            account = account._replace(snapshot=touch.snapshot)
        self._accounts[name] = account

    def _put(self, touch: Touch) -> None:
        self._ledger.put(touch)
        self.touched[touch.case, touch.account_id] = touch


def _first_touch(case: Source, notice: ReleaseNotice, account: Account) -> Touch:
    return Touch(
        case=case,
        account_id=account.account_id,
        outcome=Outcome.FAILED,
        held=Held.NOTHING,
        number=notice.subject.value,
        bound_at=account.bound_at,
        snapshot=account.snapshot,
    )
