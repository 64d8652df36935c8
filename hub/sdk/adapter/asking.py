"""This module asks the platform for deeds, and gathers those that the store has it do. It is pure.

For example, for the deed FREEZE of account "u1" it asks `Rules.act`; if that allows it and the store is not known to
refuse it, the deed is among `asks`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.model import Outcome, ReleaseNotice, Source
from hub.sdk.accounts import Account, Done, Touch
from hub.sdk.adapter.plans import Counts, Rules
from hub.sdk.adapter.retrying import Retries
from hub.sdk.deeds import Ask, AskKey, Deed

REFUSED: dict[Done, Outcome] = {
    Done.FAILED: Outcome.FAILED,
    Done.DECLINED: Outcome.DECLINED,
    Done.TAKEN: Outcome.FAILED,  # where no number is put back, this answer has no meaning
}
NOTHING_REFUSED: Mapping[AskKey, Done] = {}


class Asking:
    """This asks for the deeds of one batch, in order.

    Args:
        refused: what the store is known to fail at or decline, although `rules.act` allowed it.
        report: the id, in hex, of the report that asks for the deeds; it is empty without one.
    """

    def __init__(
        self, rules: Rules, refused: Mapping[AskKey, Done], counts: Counts, retries: Retries, report: str = ""
    ) -> None:
        self.asks: list[Ask] = []
        self.position = Source(0, 0)
        """The position of the notice that asks."""

        self._rules = rules
        self._refusals = refused
        self._counts = counts
        self._retries = retries
        self._report = report

    def ask(
        self,
        deed: Deed,
        case: Source,
        notice: ReleaseNotice,
        binding: Account | Touch,
        *,
        rebind: bool = False,
        beside: tuple[str, ...] = (),
    ) -> Done:
        """Ask for a deed; return the platform's answer, or the store's if that is known to be another.

        Args:
            rebind: reinstating is to put the number back.
            beside: these accounts come back to the number, too.
        """
        if isinstance(binding, Account) and binding.may_be:  # nobody is unbound, or said to be not bound, on a guess
            self._retries.failed(case)
            return Done.FAILED
        key = AskKey(case, binding.account_id, deed, self._report)
        done = self._rules.act(deed, binding.account_id, notice)
        if done is Done.DONE:
            done = self._refusals.get(key, done)
        if done is Done.TAKEN and not rebind and deed is Deed.REINSTATE:
            done = Done.DONE
        if done is Done.DONE:
            about = (notice.subject.value, binding.bound_at, binding.snapshot)
            self.asks.append(Ask(key, *about, self.position, rebind, beside))
        if done is Done.FAILED:
            self._retries.failed(case)
        return done

    def refused(self, done: Done) -> Outcome:
        """Count what the platform failed at or declined; return the outcome."""
        self._counts.failed += done is Done.FAILED
        self._counts.declined += done is Done.DECLINED
        return REFUSED[done]
