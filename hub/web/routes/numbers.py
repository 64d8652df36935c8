"""This module adds the routes about numbers: cases, clearance and notices.

Numbers come only in request bodies, and every question is recorded. A number that the caller may not see is answered
like one that nobody ever gave up, with the same content and after the same work. For example, carrier-b asks about a
number of carrier-a and gets no cases, as for a number without any.
FastAPI reads the annotations, so they are evaluated here (there is no `from __future__`).
"""

import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, NamedTuple

from fastapi import Path

from hub.archive.answers import CaseFacts, CaseHistory
from hub.core.lifecycle import UNDONE
from hub.core.model import DAY_MS, ClearanceAnswer, LookedUp, Lookup, LookupKind, Positions, Role, Source, Stage
from hub.core.numbers import in_ranges, is_e164
from hub.core.pairs import PairNow
from hub.problems import Problem
from hub.web import shapes
from hub.web.access import seen
from hub.web.access.auth import Caller
from hub.web.access.who import STAFF
from hub.web.parts import Parts
from hub.web.routes import notices
from hub.web.routes.case_pages import CLEARED, PENDING, REFUSED, case_page, facts_of, word_of
from hub.web.routes.clearances import clearance_shape, policy_shape
from hub.web.routes.routing import Asker, Routes

RECORDED = {CLEARED: ClearanceAnswer.CLEAR, PENDING: ClearanceAnswer.BLOCKED, REFUSED: ClearanceAnswer.BLOCKED}
"""What the record of a question holds for the word of a case."""

NO_NUMBER = ""
"""What the record of a question holds as the number if the case id names no case."""

CaseId = Annotated[str, Path(max_length=24, description="A case's position, such as 7-120033.")]


class Told(NamedTuple):
    """A case as it was at the log positions that the record of the question holds."""

    history: CaseHistory
    stage: Stage
    pairs: list[PairNow]


class Found(NamedTuple):
    """What the caller may see. `recorded` is the lookup's id in hex."""

    cases: list[Told]
    recorded: str
    as_of: shapes.AsOf


def add_numbers(routes: Routes) -> None:
    """Add the routes about numbers."""
    _add_cases(routes)
    _add_clearance(routes)
    _add_notices(routes)


def _add_cases(routes: Routes) -> None:
    parts = routes.parts

    @routes.post("/v1/cases/lookup")
    async def lookup(question: shapes.NumberQuestion, asker: Asker) -> shapes.Cases:
        """Return a number's cases, newest first, with what happened in each and its state at every platform."""
        found = await look_up(parts, question.number, asker, LookupKind.CASE)
        return _pages(found, asker)

    @routes.get("/v1/cases/{case_id}", 404)
    async def case(case_id: CaseId, asker: Asker) -> shapes.Cases:
        """Return a case by its id, which is the position of its opening notice."""
        position = Source.read(case_id)
        found = None if position is None else await look_at(parts, position, asker)
        if found is None or not found.cases:
            todo = "Give the position of the case's opening notice; an operator sees its own cases."
            raise Problem(404, "NO_CASE", "no such case to be shown", todo)
        return _pages(found, asker)


def _add_clearance(routes: Routes) -> None:
    parts = routes.parts

    @routes.get("/v1/clearance/policy")
    async def policy() -> shapes.Policy:
        """Return the policy by which clearances are decided."""
        return policy_shape(parts.answerer.policy)

    @routes.post("/v1/clearance")
    async def clearance(question: shapes.ClearanceQuestion, asker: Asker) -> shapes.Clearance:
        """Say whether numbers may be handed out; answers are in the order asked, each with a signed `clearance_id`."""
        for one in question.numbers:
            _check(one)
        _take(parts, asker, LookupKind.CLEARANCE, len(question.numbers))
        return clearance_shape(await parts.answerer.answer(question.numbers, asker.subject, asker.role))


def _add_notices(routes: Routes) -> None:
    parts = routes.parts

    def told(notice: shapes.PersonalNotice, found: Found | None = None) -> shapes.PersonalNotice:
        as_of, lookup_id = (parts.live.as_of(), None) if found is None else (found.as_of, found.recorded)
        return notice.model_copy(update={"as_of": as_of, "lookup_id": lookup_id})

    @routes.post("/v1/notices/before-cancelling")
    async def before_cancelling() -> shapes.PersonalNotice:
        """Return what to unbind, and how, before a number is given up (解绑指引). This needs no number."""
        return told(notices.before_cancelling(parts.answerer.pairs.platforms))

    @routes.post("/v1/notices/after-cancelling")
    async def after_cancelling(question: shapes.NumberQuestion, asker: Asker) -> shapes.PersonalNotice:
        """Return the notice for the old owner: what is still bound, and how much time is left."""
        found = await look_up(parts, question.number, asker, LookupKind.LEFTOVERS)
        return told(notices.after_cancelling(_ended(found), names=asker.role in STAFF), found)

    @routes.post("/v1/notices/new-owner")
    async def new_owner(question: shapes.NumberQuestion, asker: Asker) -> shapes.PersonalNotice:
        """Return the notice for the new owner before activation: the number is recycled, and who is not done yet."""
        found = await look_up(parts, question.number, asker, LookupKind.NEW_OWNER)
        return told(notices.new_owner(_ended(found)), found)


async def look_up(parts: Parts, number: str, asker: Caller, kind: LookupKind) -> Found:
    """Return the cases of a number that the caller may see. The question is durable before anything is answered.

    Raises:
        Problem: 503, the hub is behind, and a notice to a person cannot be made then.
    """
    _check(number)
    _take(parts, asker, kind, 1)
    reached = await parts.answerer.pairs.reach(parts.settings.reach_s)
    if not reached and kind is not LookupKind.CASE:
        raise Problem(503, "BEHIND", "the hub is behind its logs", "Ask again in a minute.", retry_after_s=30)
    theirs = partial(_may_see, parts, number, asker)
    visible = await _kept(parts, number, theirs)
    last = parts.answerer.pairs.case_of(number)
    fresh = None if last is None else facts_of(last)
    if fresh is not None and theirs(fresh) and all(one.case.position != fresh.position for one in visible):
        visible = [CaseHistory(fresh, (), ()), *visible]  # the archive has not reached this case yet
    return await _told(parts, number, visible, asker, kind, reached=reached)


async def look_at(parts: Parts, position: Source, asker: Caller) -> Found:
    """Return the case of a position, if the caller may see it. The question is durable before it is answered."""
    _take(parts, asker, LookupKind.CASE, 1)
    reached = await parts.answerer.pairs.reach(parts.settings.reach_s)
    history = await parts.archive.ask(lambda archive: archive.case(position))
    place = None if history is None else history.case.position
    number = NO_NUMBER if place is None else await parts.archive.ask(lambda archive: archive.number_at(place))
    visible = [history] if history is not None and _may_see(parts, number, asker, history.case) else []
    return await _told(parts, number, visible, asker, LookupKind.CASE, reached=reached)


async def _told(
    parts: Parts, number: str, visible: Sequence[CaseHistory], asker: Caller, kind: LookupKind, *, reached: bool
) -> Found:
    """Record the question, then return the answer. Between reading the positions and the last pair nothing is awaited,
    so that they belong together."""
    pairs = parts.answerer.pairs
    positions = pairs.positions()
    cases = [_stands(parts, one) for one in visible]
    if kind is LookupKind.NEW_OWNER:  # the owner before is the one who last gave it up for good
        cases = [one for one in cases if one.stage not in UNDONE] or cases
    if kind is not LookupKind.CASE:
        cases = cases[:1]
    as_of = parts.live.as_of()
    as_of = as_of.model_copy(update={"now_ms": positions.now_ms, "stale": as_of.stale or not reached})
    recorded = await _record(parts, asker, kind, looked_up(number, cases), positions)
    return Found(cases, recorded, as_of)


async def record_search(parts: Parts, number: str, asker: Caller) -> None:
    """Record that somebody asked who asked about a number; the record names no case."""
    _check(number)
    _take(parts, asker, LookupKind.CASE, 1)
    asked = (LookedUp(number, None, None),)
    await _record(parts, asker, LookupKind.CASE, asked, parts.answerer.pairs.positions())


async def _record(
    parts: Parts, asker: Caller, kind: LookupKind, asked: tuple[LookedUp, ...], positions: Positions
) -> str:
    lookup_id = uuid.uuid4().bytes
    who = (lookup_id, kind, asker.subject, asker.role, positions.now_ms)
    await parts.answerer.write(Lookup(*who, asked, None, positions))
    return lookup_id.hex()


def looked_up(number: str, cases: Sequence[Told]) -> tuple[LookedUp, ...]:
    """Return what the record says was answered: every case with its word, or that there was no case to show."""
    if not cases:
        return (LookedUp(number, None, ClearanceAnswer.UNKNOWN),)
    return tuple(LookedUp(number, one.history.case.position, RECORDED[word_of(one.pairs)]) for one in cases)


def _stands(parts: Parts, history: CaseHistory) -> Told:
    pairs, position = parts.answerer.pairs, history.case.position
    now = pairs.case_at(position)
    return Told(history, history.case.stage if now is None else now.stage, pairs.pairs(position))


def _may_see(parts: Parts, number: str, asker: Caller, case: CaseFacts) -> bool:
    """Say whether the caller may see a case: the staff sees all, an operator its own and those of its ranges."""
    operator = parts.answerer.pairs.operator(asker.subject) if asker.role is Role.OPERATOR else None
    in_range = operator is not None and in_ranges(number, operator.ranges)
    return asker.role in STAFF or in_range or case.operator == asker.subject


def _check(number: str) -> None:
    if not is_e164(number):
        raise Problem(422, "INVALID_NUMBER", "not a valid number", "Write numbers in E.164, such as +8613…")


def _take(parts: Parts, asker: Caller, kind: LookupKind, numbers: int) -> None:
    parts.limits.numbers(asker.counted_as, numbers, time.monotonic())
    parts.metrics.numbers.labels(str(kind)).inc(numbers)


async def _kept(parts: Parts, number: str, theirs: Callable[[CaseFacts], bool]) -> list[CaseHistory]:
    """Return the cases in the archive that the caller may see; there are none in a hub that keeps no history."""
    if not parts.archive.is_there:
        return []
    return await parts.archive.ask(lambda history: history.cases_of_number(number, theirs))


def _pages(found: Found, asker: Caller) -> shapes.Cases:
    whole = [case_page(one.history, one.pairs, one.stage, found.as_of.now_ms) for one in found.cases]
    cases = [seen.case(one, asker) for one in whole]
    return shapes.Cases(as_of=found.as_of, lookup_id=found.recorded, cases=cases)


def _ended(found: Found) -> notices.Ended | None:
    """Return the case that a notice describes; None for a number without a case."""
    if not found.cases:
        return None
    one = found.cases[0]
    reissue = one.history.case.reissue_not_before
    days = None if reissue is None else (reissue - found.as_of.now_ms) / DAY_MS
    return notices.Ended(one.stage, one.pairs, days)
