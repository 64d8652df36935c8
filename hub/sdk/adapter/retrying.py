"""Which cases of a batch are to be tried again, and when. Pure; the rule is number 9 of `hub.sdk.adapter.acting`."""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.model import Source
from hub.sdk.deeds import Retry, RetryPlan


class Retries:
    """The retries of a batch's cases, moving as the batch goes."""

    def __init__(self, known: Mapping[Source, Retry], plan: RetryPlan | None, now_ms: int) -> None:
        self.changed: dict[Source, Retry | None] = {}
        self._retries = dict(known)
        self._plan = plan
        self._now_ms = now_ms
        self._failed: set[Source] = set()

    def at(self, case: Source, position: Source) -> Retry | None:
        """The retry of a case, if it is for the notice at this position."""
        retry = self._retries.get(case)
        return retry if retry is not None and retry.position == position else None

    def failed(self, case: Source) -> None:
        """Something failed since the case was last settled."""
        self._failed.add(case)

    def settle(self, case: Source, position: Source, attempts: int) -> None:
        """Have a case heard again if something failed, otherwise no more.

        Args:
            position: of the notice just heard.
            attempts: how often it was heard again by the clock.
        """
        plan, retry = self._plan, None
        if plan is not None and case in self._failed and attempts < plan.attempts_max:
            retry = Retry(case, position, attempts, self._now_ms + plan.after(attempts))
        self._failed.discard(case)
        if retry is not None:
            self._retries[case] = self.changed[case] = retry
        elif case in self._retries:
            del self._retries[case]
            self.changed[case] = None
