"""This module makes the page of a case: the clearance fold gives its state now, the archive what happened. It is pure.

For example, if bank said UNBOUND and drive has not answered, the case's word is pending; once drive says NOT_BOUND, it
is cleared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.archive.answers import CaseFacts, CaseHistory, Effects
from hub.core.cases import Case
from hub.core.model import DAY_MS, GapClass, Outcome, Platform, PlatformState, Stage
from hub.core.pairs import PairNow
from hub.web import shapes
from hub.web.board.platform_pages import guide, name

CLEARED, PENDING, REFUSED = "cleared", "pending", "refused"


def facts_of(case: Case) -> CaseFacts:
    """Return what the fold of `releases` knows of a number's last case, in the form of the archive."""
    return CaseFacts(
        position=case.position,
        operator=case.operator,
        opened_as=case.opened_as,
        stage=case.stage,
        opened_at=case.published_at,
        moved_at=case.last_at,
        bound_before=case.bound_before,
        cooling_until=case.cooling_until,
        reissue_not_before=case.reissue_not_before,
        reminders=case.reminders,
    )


def case_page(history: CaseHistory, pairs: Sequence[PairNow], stage: Stage, now_ms: int) -> shapes.Case:
    """Return the whole page of a case. `pairs` holds every platform of the roster; `stage` is the case's stage now."""
    facts = history.case
    said: dict[str, list[Effects]] = {}
    for one in history.effects:
        said.setdefault(one.platform, []).append(one)
    counted = [one for one in pairs if one.in_force or one.shown is not None]
    effects = [_effect(one, said.get(one.platform.id, []), stage, now_ms) for one in counted]
    statuses = statuses_of(pairs)
    reissue = facts.reissue_not_before
    return shapes.Case(
        id=str(facts.position),
        operator=facts.operator,
        stage=stage,
        opened_at=facts.opened_at,
        cooling_until=facts.cooling_until,
        reissue_not_before=reissue,
        bound_before=facts.bound_before,
        days_to_reissue=None if reissue is None else round((reissue - now_ms) / DAY_MS, 1),
        cleared=statuses.count(CLEARED),
        pending=statuses.count(PENDING),
        refused=statuses.count(REFUSED),
        unconnected=unconnected(pairs),
        effects=effects,
        moments=_moments(history, now_ms),
        status=word_of(pairs),
    )


def statuses_of(pairs: Iterable[PairNow]) -> list[str]:
    """Return the status of a case at each platform that is connected now. What a platform said that is suspended now or
    has left is shown as an effect, but does not count here."""
    return [status_of(one) for one in pairs if one.in_force and one.platform.state is PlatformState.CONNECTED]


def unconnected(pairs: Iterable[PairNow]) -> list[str]:
    """Return the platforms that nobody hears from, if the case is in force there. Like `hub.core.clearance.unconnected`
    this uses the roster and the opener alone: a gap would tell whether such a platform had said anything before."""
    return [one.platform.id for one in pairs if one.in_force and one.platform.state is not PlatformState.CONNECTED]


def word_of(pairs: Iterable[PairNow]) -> str:
    """Return one word for all connected platforms: pending if any may still act, else refused if any, else cleared."""
    found = set(statuses_of(pairs))
    return next((one for one in (PENDING, REFUSED) if one in found), CLEARED)


def status_of(pair: PairNow) -> str:
    """Return the status of a pair: cleared if the binding is gone or never was, refused if it is kept, else pending."""
    if pair.gap is None:
        return CLEARED
    return REFUSED if pair.gap is GapClass.DECLINED else PENDING


def _effect(pair: PairNow, said: Sequence[Effects], stage: Stage, now_ms: int) -> shapes.Effect:
    platform: Platform = pair.platform
    gap, shown = pair.gap, pair.shown
    blind = platform.state is not PlatformState.CONNECTED
    return shapes.Effect(
        platform=platform.id,
        name=name(platform),
        tier=platform.tier,
        state=platform.state,
        status=status_of(pair),
        shown=shown,
        gap=gap,
        overdue=gap is not None and now_ms >= pair.deadline_at,
        exposed=gap is not None and stage is Stage.RELEASED,
        incident=gap is not None and stage is Stage.REASSIGNED,
        disputed=pair.disputed,
        restore_pending=pair.restore_pending,
        received=pair.received,
        first_said_at=min((one.first_at for one in said), default=None),
        last_said_at=max((one.last_at for one in said), default=None),
        deadline_at=pair.deadline_at if gap is not None else None,
        guide=guide(platform) if blind and gap is not None else None,
    )


def _moments(history: CaseHistory, now_ms: int) -> list[shapes.Moment]:
    happened = [
        shapes.Moment(
            at=one.at, kind=one.kind, what=one.what, who=one.who, breaches=list(one.breaches), source=one.source
        )
        for one in history.happened
        if one.at <= now_ms
    ]
    effects = [
        shapes.Moment(
            at=one.first_at, kind="effect", what=str(one.outcome), who=one.platform, source=str(one.first_ack)
        )
        for one in history.effects
        if one.outcome is not Outcome.NOT_BOUND
    ]
    return sorted(happened + effects, key=lambda one: one.at)
