"""This module tells whether an account gives signs of life that speak against a case. It is pure.

In cooling nobody receives a code. So a code that was sent to the number, and entered on a device that the account had
used before, proves that its user still has the number, whatever an operator says. For example, an account proven on 3
March is not touched by a case whose COOLING occurred on 1 March.

Rules:
1. A proof after the case began speaks against the case: the account is neither frozen nor unbound. A case that opened
   at REASSIGNED needs no cooling, so there a proof of the 7 days before counts too.
2. A case begins at the opener's `occurred_at`, and never later than when the opener was recorded: no operator can put
   the beginning so late that no proof lies after it.
3. An account proven within the last 7 days is not unbound at all; it is frozen until the 7 days are over. The time is
   that of the record, which no operator chooses.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.model import DAY_MS, ReleaseNotice, Source, Stage
from hub.sdk.accounts import Account

PROOF_MS = 7 * DAY_MS
"""India lets nobody port a number for 7 days after a change of SIM, for the same reason."""


class Life:
    """This holds from when on proofs speak against the cases of one batch.

    Args:
        known: what is known of cases that opened before.
        now_ms: the time by the platform's clock.
    """

    def __init__(self, known: Mapping[Source, int], now_ms: int) -> None:
        self.changed: dict[Source, int] = {}
        self._since = dict(known)
        self._now_ms = now_ms

    def open(self, case: Source, notice: ReleaseNotice, *, anyone: bool) -> None:
        """Note when a case began, at its opening notice.

        Args:
            anyone: an account is bound to the number. Otherwise this is not kept for later notices.
        """
        began = min(notice.occurred_at, notice.published_at)
        self._since[case] = began - PROOF_MS if notice.stage is Stage.REASSIGNED else began
        if anyone:
            self.changed[case] = self._since[case]

    def speaks_against(self, case: Source, notice: ReleaseNotice, account: Account) -> bool:
        """Return whether an account was proven since a case began.

        Nobody was on the number when a case opened of which nothing is known; then `bound_before`, which is earlier,
        stands for it.
        """
        since = self._since.get(case, min(notice.bound_before, notice.published_at))
        return account.proven_at is not None and account.proven_at > since

    def spared_until(self, notice: ReleaseNotice, account: Account, *, again: bool) -> int | None:
        """Return until when an account is not to be unbound (UTC milliseconds), or None if it may be now.

        Args:
            again: the notice was heard before, and time has passed since it was recorded.
        """
        if account.proven_at is None:
            return None
        until = account.proven_at + PROOF_MS
        return until if until > (self._now_ms if again else notice.published_at) else None
