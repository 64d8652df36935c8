"""This module keeps what cases hold of accounts: every touch by its case, and the one freeze in force by account.

It is pure. For example, if case 7-120033 froze account "u1", `of` gives its touch of "u1", and `freeze_on("u1")` the
same touch, until another case takes the freeze over.
"""

from __future__ import annotations

from hub.core.model import Source
from hub.sdk.accounts import Held, Touch


class TouchLedger:
    """This holds the touches of cases, and changes as the cases do."""

    def __init__(self) -> None:
        self._touches: dict[Source, dict[str, Touch]] = {}
        self._freezes: dict[str, Touch] = {}

    def put(self, touch: Touch) -> None:
        """Replace the touch that this case had of this account."""
        self._touches.setdefault(touch.case, {})[touch.account_id] = touch
        holder = self._freezes.get(touch.account_id)
        if touch.held is Held.FREEZE:
            self._freezes[touch.account_id] = touch
        elif holder is not None and holder.case == touch.case:
            del self._freezes[touch.account_id]

    def of(self, case: Source) -> dict[str, Touch]:
        """Return a case's touches by account."""
        return self._touches.get(case, {})

    def freeze_on(self, account_id: str) -> Touch | None:
        """Return the touch that holds the freeze on an account, or None if there is none."""
        return self._freezes.get(account_id)

    def forget(self, case: Source) -> None:
        """Drop the touches of a case, and what they held."""
        for account_id in self._touches.pop(case, {}):
            holder = self._freezes.get(account_id)
            if holder is not None and holder.case == case:
                del self._freezes[account_id]
