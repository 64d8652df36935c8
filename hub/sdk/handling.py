"""One batch through a store: load, decide, have done, save, in one transaction.

What the platform's own code (`Act`) has nothing against is then done by the store, which may have a word of its own: a
procedure that fails, a service that declines, a constraint that forbids. Then the transaction is rolled back and the
batch decided anew with that known, so that accounts, records and what is acknowledged always agree.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.model import ReleaseNotice, Source
from hub.errors import PlatformError
from hub.sdk.accounts import AccountStore, Batch, Deed, Done
from hub.sdk.acting import Act, Plan, Rules, handle, wanted
from hub.sdk.asking import AccountsRefused, AskKey

ROUNDS_MAX = 20
"""Each round but the last learns of at least one more refusal; stores tell all they have at once, so two will do."""


class _Refused(Exception):
    """The store has a word of its own on some deeds."""

    def __init__(self, answers: Mapping[AskKey, Done]) -> None:
        super().__init__(f"{len(answers)} deeds")
        self.answers = answers


def carry_out(store: AccountStore, batch: Batch, rules: Rules, now_ms: int = 0) -> Plan:
    """Handle a batch; when this returns it is committed, up to where the fuse stopped it (`Plan.blown`).

    Args:
        now_ms: by the platform's clock; see `hub.sdk.acting.handle`.

    Raises:
        PlatformError: as `hub.sdk.acting.handle`; nothing of the batch was committed.
    """
    refused: dict[AskKey, Done] = {}
    steady = rules._replace(act=_remembered(rules.act))
    for _ in range(ROUNDS_MAX):
        try:
            return _attempt(store, batch, steady, now_ms, refused)
        except _Refused as said:
            refused |= said.answers
    raise PlatformError(
        f"the store refuses other accounts each time, {len(refused)} so far",
        todo="Look at the constraints and triggers of the accounts' table; nothing of the batch was done.",
    )


def _attempt(store: AccountStore, batch: Batch, rules: Rules, now_ms: int, refused: Mapping[AskKey, Done]) -> Plan:
    with store.transaction() as session:
        plan = handle(batch, session.load(wanted(batch)), rules, now_ms, refused)
        answers = session.ask(plan.asks)
        if answers:
            raise _Refused(answers)
        try:
            session.save(plan.changes)
        except AccountsRefused as wrong:
            answers = {ask.key: Done.FAILED for ask in plan.asks if ask.key.account_id in wrong.account_ids}
            if not answers:
                raise
            raise _Refused(answers) from wrong
    return plan


def _remembered(act: Act) -> Act:
    """The platform's word, asked once a batch."""
    said: dict[tuple[Deed, str, Source], Done] = {}

    def ask(deed: Deed, account_id: str, notice: ReleaseNotice) -> Done:
        key = (deed, account_id, notice.source)
        if key not in said:
            said[key] = act(deed, account_id, notice)
        return said[key]

    return ask
