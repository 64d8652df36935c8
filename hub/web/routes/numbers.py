"""Routes about numbers: cases, clearance, notices. Numbers come in bodies alone, and every question is recorded.

A number that is not the asker's is answered as one that nobody ever gave up: the same content, after the same work.
Annotations are evaluated here (no `from __future__`): FastAPI reads them.
"""

import time
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import Path

from hub.archive.answers import CaseHistory
from hub.core.model import DAY_MS, LookedUp, Lookup, LookupKind, Role, Source
from hub.core.numbers import in_ranges, is_e164
from hub.core.pairs import PairNow
from hub.problems import Problem
from hub.web import shapes
from hub.web.access import seen
from hub.web.access.who import STAFF
from hub.web.parts import Caller, Parts
from hub.web.routes import notices
from hub.web.routes.case_pages import case_page, facts_of
from hub.web.routes.routing import Asker, Routes
from hub.web.standings.clearance_desk import policy_shape

CaseId = Annotated[str, Path(max_length=24, description="A case's position, such as 7-120033.")]


class Found(NamedTuple):
    """A number as its asker may see it. `recorded`: the lookup's id, in hex."""

    histories: list[CaseHistory]
    recorded: str


def add_numbers(routes: Routes) -> None:
    """The routes."""
    _add_cases(routes)
    _add_clearance(routes)
    _add_notices(routes)


def _add_cases(routes: Routes) -> None:
    parts = routes.parts

    @routes.post("/v1/cases/lookup")
    async def lookup(question: shapes.NumberQuestion, asker: Asker) -> shapes.Cases:
        """A number's cases, newest first, with what happened in each and how it stands at every platform."""
        found = await look_up(parts, question.number, asker, LookupKind.CASE)
        cases = [_page(parts, one, asker) for one in found.histories]
        return shapes.Cases(as_of=parts.live.as_of(), lookup_id=found.recorded, cases=cases)

    @routes.get("/v1/cases/{case_id}", 404)
    async def case(case_id: CaseId, asker: Asker) -> shapes.Case:
        """A case by its id: the position of its opening notice."""
        position = Source.read(case_id)
        history = None if position is None else await _by_position(parts, position)
        if history is None or not (asker.role in STAFF or history.case.operator == asker.subject):
            todo = "Give the position of the case's opening notice; an operator sees its own cases."
            raise Problem(404, "NO_CASE", "no such case to be shown", todo)
        return _page(parts, history, asker)


def _add_clearance(routes: Routes) -> None:
    parts = routes.parts

    @routes.get("/v1/clearance/policy")
    async def policy() -> shapes.Policy:
        """By what clearances are decided."""
        return policy_shape(parts.desk.policy)

    @routes.post("/v1/clearance")
    async def clearance(question: shapes.ClearanceQuestion, asker: Asker) -> shapes.Clearance:
        """Whether numbers may be handed out; each answer with its signed `clearance_id`, in the order asked."""
        for one in question.numbers:
            _check(one)
        _take(parts, asker, LookupKind.CLEARANCE, len(question.numbers))
        return await parts.desk.answer(question.numbers, asker.subject, asker.role)


def _add_notices(routes: Routes) -> None:
    parts = routes.parts

    @routes.post("/v1/notices/before-cancelling")
    async def before_cancelling() -> shapes.PersonalNotice:
        """What to unbind, and how, before a number is given up (解绑指引). Needs no number."""
        return notices.before_cancelling(_platforms(parts))

    @routes.post("/v1/notices/after-cancelling")
    async def after_cancelling(question: shapes.NumberQuestion, asker: Asker) -> shapes.PersonalNotice:
        """For the old owner: what is left, and for how long."""
        found = await look_up(parts, question.number, asker, LookupKind.LEFTOVERS)
        pairs, days = _last_pairs(parts, found)
        made = notices.after_cancelling(_platforms(parts), pairs, days, names=asker.role in STAFF)
        return made.model_copy(update={"lookup_id": found.recorded})

    @routes.post("/v1/notices/new-owner")
    async def new_owner(question: shapes.NumberQuestion, asker: Asker) -> shapes.PersonalNotice:
        """For the new owner, before activation: that the number is recycled, and who is not clear yet."""
        found = await look_up(parts, question.number, asker, LookupKind.NEW_OWNER)
        pairs, _ = _last_pairs(parts, found)
        return notices.new_owner(_platforms(parts), pairs).model_copy(update={"lookup_id": found.recorded})


async def look_up(parts: Parts, number: str, asker: Caller, kind: LookupKind) -> Found:
    """A number's cases, as far as they are the asker's. The question is durable before anything is answered."""
    _check(number)
    _take(parts, asker, kind, 1)
    standings = parts.desk.standings
    await standings.reach(parts.settings.reach_s)
    positions = standings.positions()
    last = standings.case_of(number)
    kept = await _kept(parts, number)
    if last is not None and all(one.case.position != last.position for one in kept):
        kept = [CaseHistory(facts_of(last), (), ()), *kept]  # the archive is not that far yet
    histories = [one for one in kept if _may_see(parts, number, one, asker)]
    lookup_id = uuid.uuid4().bytes
    newest = histories[0].case.position if histories else None
    looked_up = (LookedUp(number, newest, None),)
    asked_at = positions.now_ms
    await parts.desk.write(Lookup(lookup_id, kind, asker.subject, asker.role, asked_at, looked_up, None, positions))
    return Found(histories, lookup_id.hex())


def _may_see(parts: Parts, number: str, history: CaseHistory, asker: Caller) -> bool:
    """The staff sees every case; an operator its own, and those of numbers in its ranges."""
    operator = parts.desk.standings.operator(asker.subject) if asker.role is Role.OPERATOR else None
    in_range = operator is not None and in_ranges(number, operator.ranges)
    return asker.role in STAFF or in_range or history.case.operator == asker.subject


def _check(number: str) -> None:
    if not is_e164(number):
        raise Problem(422, "INVALID_NUMBER", "not a valid number", "Write numbers in E.164, such as +8613…")


def _take(parts: Parts, asker: Caller, kind: LookupKind, numbers: int) -> None:
    parts.limits.numbers(asker.counted_as, numbers, time.monotonic())
    parts.metrics.numbers.labels(str(kind)).inc(numbers)


async def _kept(parts: Parts, number: str) -> list[CaseHistory]:
    """What the archive keeps of a number; nothing in a hub that keeps no history."""
    if not parts.archive.is_there:
        return []
    return await parts.archive.ask(lambda history: history.cases_of_number(number))


async def _by_position(parts: Parts, position: Source) -> CaseHistory | None:
    return await parts.archive.ask(lambda history: history.case(position))


def _page(parts: Parts, history: CaseHistory, asker: Caller) -> shapes.Case:
    standings = parts.desk.standings
    position = history.case.position
    now = standings.case_at(position)
    stage = history.case.stage if now is None else now.stage
    made = case_page(history, standings.pairs(position), stage, standings.positions().now_ms)
    return seen.case(made, asker)


def _platforms(parts: Parts) -> list[Any]:
    return list(parts.desk.standings.platforms)


def _last_pairs(parts: Parts, found: Found) -> tuple[Sequence[PairNow], float | None]:
    """How the newest case stands, and the days left to reissue; nothing of a number without one."""
    if not found.histories:
        return [], None
    facts = found.histories[0].case
    standings = parts.desk.standings
    reissue = facts.reissue_not_before
    days = None if reissue is None else (reissue - standings.positions().now_ms) / DAY_MS
    return standings.pairs(facts.position), days
