"""This module takes one batch through a store: it loads, decides, has the deeds done and saves, in one transaction.

What the platform's own code (`Act`) allows is then done by the store, which may refuse too: a procedure fails, a
service declines, a constraint forbids. Then the transaction is rolled back and the batch is decided again with that
known, so that accounts, records and what is acknowledged always agree. For example, if a trigger forbids to freeze
account "u1", the second round says FAILED for its case, and the rest of the batch is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hub.core.model import ReleaseNotice, Source, Stage, Trial, TrialStep
from hub.errors import PlatformError
from hub.sdk.accounts import AccountStore, Batch, Done, HeardNotice, Known, Place, Wanted
from hub.sdk.adapter.acting import Act, Plan, Rules, handle, wanted
from hub.sdk.adapter.again import Looked, look_again, trial_step, wanted_again, wanted_for
from hub.sdk.deeds import AccountsRefused, AskKey, Deed

ROUNDS_MAX = 20
"""Each round but the last learns at least one more refusal; a store tells all it has at once, so two mostly suffice."""


NOTHING_COMMITTED: Mapping[int, int] = {}


class _Refused(Exception):
    """The store failed at or declined some deeds."""

    def __init__(self, answers: Mapping[AskKey, Done]) -> None:
        super().__init__(f"{len(answers)} deeds")
        self.answers = answers


def carry_out(
    store: AccountStore, batch: Batch, rules: Rules, now_ms: int = 0, committed: Mapping[int, int] = NOTHING_COMMITTED
) -> Plan:
    """Handle a batch; when this returns it is committed, up to where the fuse stopped it (`Plan.blown`).

    Args:
        now_ms: the time by the platform's clock; see `hub.sdk.adapter.acting.handle`.
        committed: as for `check_not_gone_back`.

    Raises:
        PlatformError: as `hub.sdk.adapter.acting.handle`, or because the store has gone back; nothing of the batch was
            committed.
    """
    steady, asked = rules._replace(act=_remembered(rules.act)), wanted(batch)

    def decide(known: Known, refused: Mapping[AskKey, Done]) -> Plan:
        check_not_gone_back(known.places, {one: committed[one] for one in asked.partitions if one in committed})
        return handle(batch, known, steady, now_ms, refused)

    return _carry_out(store, asked, decide)


def check_not_gone_back(places: Mapping[int, Place], committed: Mapping[int, int]) -> None:
    """Refuse a store that knows less than was committed to it: a replica that was behind, or a backup, took over.

    An adapter that starts again reads what the store lost, from where the store is; one that went on would skip it.

    Args:
        committed: by partition, the next offset as of the last commit.

    Raises:
        PlatformError: it has gone back.
    """
    for partition, offset in committed.items():
        found = places.get(partition, Place()).next_offset
        if found < offset:
            raise PlatformError(
                f"the store has gone back: releases {partition}-{offset - 1} was committed, and now ends at {found}",
                todo="Start the adapter again: it reads on where the store is. A database that fails over should lose "
                "nothing it has committed.",
            )


def look(store: AccountStore, opener: HeardNotice, report: str, rules: Rules) -> Looked:
    """Look at a case again (`hub.sdk.adapter.again`), because of a report; when this returns it is committed."""
    steady, looked = rules._replace(act=_remembered(rules.act)), list[Looked]()

    def decide(known: Known, refused: Mapping[AskKey, Done]) -> Plan:
        looked.append(look_again(opener, report, known, steady, refused))
        return looked[-1].plan

    _carry_out(store, wanted_again(opener), decide)
    return looked[-1]


def try_out(store: AccountStore, trial: Trial, stage: Stage, rules: Rules) -> TrialStep:
    """Carry out one stage of a test case (`hub.sdk.adapter.again`); when this returns it is committed."""
    steady, steps = rules._replace(act=_remembered(rules.act)), list[TrialStep]()

    def decide(known: Known, refused: Mapping[AskKey, Done]) -> Plan:
        plan, step = trial_step(trial, stage, known, steady, refused)
        steps.append(step)
        return plan

    _carry_out(store, wanted_for(trial), decide)
    return steps[-1]


def _carry_out(store: AccountStore, wanted: Wanted, decide: Callable[[Known, Mapping[AskKey, Done]], Plan]) -> Plan:
    refused: dict[AskKey, Done] = {}
    for _ in range(ROUNDS_MAX):
        try:
            return _attempt(store, wanted, decide, refused)
        except _Refused as said:
            refused |= said.answers
    raise PlatformError(
        f"the store refuses other accounts each time, {len(refused)} so far",
        todo="Look at the constraints and triggers of the accounts' table; nothing of the batch was done.",
    )


def _attempt(
    store: AccountStore,
    wanted: Wanted,
    decide: Callable[[Known, Mapping[AskKey, Done]], Plan],
    refused: Mapping[AskKey, Done],
) -> Plan:
    with store.transaction() as session:
        plan = decide(session.load(wanted), refused)
        answers = session.ask(plan.asks)
        if answers:
            raise _Refused(answers)
        try:
            session.save(plan.changes)
        except AccountsRefused as wrong:
            answers = {ask.key: Done.FAILED for ask in plan.asks if ask.key.account_id in wrong.account_ids}
            answers |= {ask.key: Done.TAKEN for ask in plan.asks if ask.rebind and ask.key.account_id in wrong.taken}
            if not answers:
                raise
            raise _Refused(answers) from wrong
    return plan


def _remembered(act: Act) -> Act:
    """Return an `Act` that asks the platform only once for each deed of a batch."""
    said: dict[tuple[Deed, str, Source], Done] = {}

    def ask(deed: Deed, account_id: str, notice: ReleaseNotice) -> Done:
        key = (deed, account_id, notice.source)
        if key not in said:
            said[key] = act(deed, account_id, notice)
        return said[key]

    return ask
