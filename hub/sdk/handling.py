"""One batch through a store: load, decide, save, in one transaction."""

from __future__ import annotations

from hub.sdk.accounts import AccountStore, Batch
from hub.sdk.acting import Plan, Rules, handle, wanted


def carry_out(store: AccountStore, batch: Batch, rules: Rules) -> Plan:
    """Handle a batch; when this returns it is committed, up to where the fuse stopped it (`Plan.blown`).

    Raises:
        PlatformError: as `hub.sdk.acting.handle`; nothing of the batch was committed.
    """
    with store.transaction() as session:
        plan = handle(batch, session.load(wanted(batch)), rules)
        session.save(plan.changes)
    return plan
