"""This module looks at a case again because of a report, and carries out a test case of a platform's own number.

It is pure. For example, a report about case 7-120033 finds an account that is still bound: it is unbound, and UNBOUND
of 7-120033 is acknowledged again.

Rules:
1. Looking again does what the case's present stage asks for, to the accounts that are bound now. The answer is about
   all accounts the case ever touched, as always, and is acknowledged whether or not it changed. The fuse counts as
   always.
2. A test case goes through `TRIAL_STAGES`. Its position lies outside every partition; it acknowledges nothing and does
   not count for the fuse. What a store or the platform declines or fails is shown, and not tried again.
3. A test case is declined where a real case holds a freeze on an account, because ending the test would lift it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hub.core.lifecycle import UNDONE
from hub.core.model import SEGMENT, Outcome, ReleaseNotice, Source, Stage, Trial, TrialStep
from hub.sdk.accounts import Done, HeardNotice, Held, Known, Waiting, Wanted
from hub.sdk.adapter.acting import Plan, Rules, Work
from hub.sdk.adapter.fuse import FUSE_HOURS, hour_of
from hub.sdk.deeds import AskKey

TRIAL_PARTITION = 2**31 - 1
"""The positions of test cases lie in this partition: no `releases` has so many partitions."""

TRIAL_STAGES = (Stage.COOLING, Stage.SCHEDULED, Stage.WITHDRAWN)
"""A test case freezes, unbinds and puts back."""

Refusals = Mapping[AskKey, Done]


class Looked(NamedTuple):
    """This is the result of looking again: what to write, and the answer."""

    plan: Plan
    outcome: Outcome


class _Again(Work):
    """This handles one case again.

    Args:
        report: the id, in hex, of the report that asks for it; what was done for the case before is then asked for
            again.
    """

    def __init__(self, known: Known, rules: Rules, refused: Refusals, report: str = "") -> None:
        super().__init__(known, rules, 0, refused, report)

    def look(self, case: Source, notice: ReleaseNotice) -> None:
        """Do what the notice's stage asks for."""
        self._asking.position = case
        self._answer(case, notice, answered=True)

    def heed_no_life(self) -> None:
        """Do to an account in use what is asked: a test case is about an account of one's own, and is put back."""
        self._heeds_life = False

    def put_back(self, case: Source, notice: ReleaseNotice) -> Outcome | None:
        """Undo what the case holds; return the outcome, or None if it held nothing."""
        held = self._holdings.held_by(case)
        undone = [self._put_back(touch, notice) for touch in held]
        if not held:
            return None
        return Outcome.REINSTATED if all(undone) else Outcome.FAILED

    def stage_of(self, case: Source) -> Stage | None:
        return self._stages.of(case)

    def answer_of(self, case: Source) -> Outcome:
        return self._holdings.answer(case) or Outcome.NOT_BOUND

    def say(self, opener: HeardNotice, outcome: Outcome) -> None:
        """Acknowledge an outcome, whether or not it was said before."""
        case = opener.position
        self._sayings.say(case, outcome)
        self._waiting[case.partition] = Waiting(case.offset, opener.digest, opener.notice.published_at)

    def plan(self) -> Plan:
        changes = self.changes()._replace(asked_of=frozenset(ask.key.case for ask in self.asks))
        return Plan(changes, self.counts, self.asks)


def wanted_again(opener: HeardNotice) -> Wanted:
    """Return what looking at a case again needs to know of the store."""
    case = opener.position
    return Wanted(
        partitions=frozenset({case.partition}),
        segments=frozenset({(case.partition, case.offset // SEGMENT)}),
        numbers=frozenset({opener.notice.subject.value}),
        cases=frozenset({case}),
        since_hour=hour_of(opener.notice) - FUSE_HOURS,
        operators=frozenset({opener.notice.operator}),
    )


def look_again(opener: HeardNotice, report: str, known: Known, rules: Rules, refused: Refusals) -> Looked:
    """Look at a case again.

    Args:
        report: the id, in hex, of the report that asks for it.
        opener: the notice that opened it, as it lies in `releases`; it was handled before.
        known: what the store knows of `wanted_again(opener)`.
        refused: as for `hub.sdk.adapter.acting.handle`.
    """
    case, work = opener.position, _Again(known, rules._replace(retries=None), refused, report)
    stage = work.stage_of(case) or opener.notice.stage
    if stage not in UNDONE:
        work.look(case, opener.notice._replace(stage=stage))
    outcome = work.answer_of(case)
    work.say(opener, outcome)
    return Looked(work.plan(), outcome)


def trial_case(trial: Trial) -> Source:
    """Return the position that names a test case."""
    return Source(TRIAL_PARTITION, int.from_bytes(trial.trial_id[:7], "big"))


def wanted_for(trial: Trial) -> Wanted:
    """Return what a test case needs to know of the store."""
    numbers, cases = frozenset({trial.subject.value}), frozenset({trial_case(trial)})
    return Wanted(frozenset(), frozenset(), numbers, cases, since_hour=0)


def trial_step(trial: Trial, stage: Stage, known: Known, rules: Rules, refused: Refusals) -> tuple[Plan, TrialStep]:
    """Carry out one stage of a test case; return what to write, and the result.

    Args:
        known: what the store knows of `wanted_for(trial)`.
    """
    case = trial_case(trial)
    work = _Again(known, Rules(rules.act, freeze_at=rules.freeze_at), refused)
    work.heed_no_life()
    foreign = {one.account_id for one in known.touches.values() if one.held is Held.FREEZE and one.case != case}
    if foreign and stage not in UNDONE:
        return work.plan(), TrialStep(stage, Outcome.DECLINED, len(foreign))
    notice = _notice(trial, stage)
    if stage in UNDONE:
        outcome = work.put_back(case, notice)
    else:
        work.look(case, notice)
        outcome = work.answer_of(case)
    plan = work.plan()
    changes = plan.changes._replace(said={}, spent={}, waiting={}, held={})
    if stage in UNDONE and outcome is not Outcome.FAILED:
        changes = changes._replace(done_with=frozenset({case}))
    return plan._replace(changes=changes), TrialStep(stage, outcome, len(changes.touches))


def _notice(trial: Trial, stage: Stage) -> ReleaseNotice:
    at = trial.asked_at
    return ReleaseNotice(
        stage=stage,
        opened_at=None,
        subject=trial.subject,
        operator="",
        occurred_at=at,
        published_at=at,
        bound_before=at,
        cooling_until=None,
        reissue_not_before=None,
        reminders=0,
        event_id=trial.trial_id,
        event_digest=bytes(32),
        source=trial_case(trial),
        log_id=bytes(16),
    )
