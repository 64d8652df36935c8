"""This module decides which cases of a batch are tried again, and when (rule 9 of `hub.sdk.adapter.acting`).

It is pure. For example, a case that failed for the first time is due after `RetryPlan.first_ms`, which is one minute.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.model import Source
from hub.sdk.deeds import Retry, RetryPlan


class Retries:
    """This holds the retries of a batch's cases, and changes them notice by notice."""

    def __init__(self, known: Mapping[Source, Retry], plan: RetryPlan | None, now_ms: int) -> None:
        self.changed: dict[Source, Retry | None] = {}
        self._retries = dict(known)
        self._plan = plan
        self._now_ms = now_ms
        self._failed: set[Source] = set()
        self._waits: dict[Source, int] = {}

    def at(self, case: Source, position: Source) -> Retry | None:
        """Return the retry of a case if it is for the notice at this position, else None."""
        retry = self._retries.get(case)
        return retry if retry is not None and retry.position == position else None

    def failed(self, case: Source) -> None:
        """Note that something failed since the case was last settled."""
        self._failed.add(case)

    def wait(self, case: Source, until_ms: int) -> None:
        """Note that something of a case is to be done at a time (UTC ms), the latest if there are several."""
        self._waits[case] = max(until_ms, self._waits.get(case, until_ms))

    def settle(self, case: Source, position: Source, attempts: int) -> None:
        """Have a case heard again if something failed, or is to be done later; otherwise remove its retry.

        Args:
            position: that of the notice just heard.
            attempts: how often it was heard again by the clock.
        """
        plan, retry = self._plan, None
        if plan is not None and case in self._failed and attempts < plan.attempts_max:
            retry = Retry(case, position, attempts, self._now_ms + plan.after(attempts))
        elif plan is not None and case in self._waits:
            retry = Retry(case, position, 0, self._waits[case])
        self._failed.discard(case)
        self._waits.pop(case, None)
        if retry is not None:
            self._retries[case] = self.changed[case] = retry
        elif case in self._retries:
            del self._retries[case]
            self.changed[case] = None
