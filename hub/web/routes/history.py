"""This module adds the routes of history: breaches, refusals, lookups and clean-ups, in pages, newest first.

All come from the archive. FastAPI reads the annotations, so they are evaluated here (there is no `from __future__`).
"""

from typing import Annotated, Any

from fastapi import Path, Request

from hub.archive.answers import LookupFound
from hub.core.model import REFUSAL_TODO, Role, Source
from hub.core.pairs import PairNow
from hub.problems import Problem
from hub.web import shapes
from hub.web.access import seen
from hub.web.access.who import STAFF
from hub.web.board import operator_pages
from hub.web.routes.case_pages import unconnected, word_of
from hub.web.routes.numbers import record_search
from hub.web.routes.routing import TABLE, Asker, Before, Limit, Routes, table
from hub.wire import contracts

WRITTEN: dict[Role, tuple[str, ...]] = {
    Role.OPERATOR: (contracts.EVENTS, contracts.REPORTS),
    Role.PLATFORM: (contracts.ACKS, contracts.ANSWERS),
}
"""The topics that each role writes to; they are needed as an operator and a platform may have the same id."""

OperatorId = Annotated[str, Path(max_length=200)]


def add_history(routes: Routes) -> None:
    """Add the lists of history."""
    _add_breaches(routes)
    _add_clean_ups(routes)
    _add_lookups(routes)
    live, archive = routes.parts.live, routes.parts.archive

    @routes.get("/v1/refusals", response_model=shapes.RefusalPage, **TABLE)
    async def refusals(request: Request, asker: Asker, before: Before = None, limit: Limit = 100) -> Any:
        """Return refused messages without their content: all for the hub's staff, the caller's own for others."""
        sender, topics = (None, ()) if asker.role in STAFF else (asker.subject, WRITTEN[asker.role])
        found = await archive.ask(
            lambda history: history.refusals(sender=sender, topics=topics, before=before, limit=limit)
        )
        rows = [
            shapes.RefusalRow(
                at=one.at,
                topic=one.topic,
                source=str(one.source),
                sender=one.sender,
                reason=one.reason,
                todo=REFUSAL_TODO[one.reason],
            )
            for one in found.refusals
        ]
        page = seen.refusals(shapes.RefusalPage(as_of=live.as_of(), refusals=rows, next=found.next), asker)
        return table(request, page, shapes.RefusalRow, page.refusals)


def _add_lookups(routes: Routes) -> None:
    parts, archive = routes.parts, routes.parts.archive

    @routes.get("/v1/lookups", response_model=shapes.LookupPage, **TABLE)
    async def lookups(request: Request, before: Before = None, limit: Limit = 100) -> Any:
        """Return who asked about numbers, but never the numbers."""
        found = await archive.ask(lambda history: history.lookups(before=before, limit=limit))
        rows = [_lookup(one) for one in found.lookups]
        page = shapes.LookupPage(as_of=parts.live.as_of(), lookups=rows, next=found.next)
        return table(request, page, shapes.LookupRow, rows)

    @routes.post("/v1/lookups/search")
    async def search(question: shapes.NumberQuestion, asker: Asker, limit: Limit = 100) -> shapes.LookupPage:
        """Return who asked about a number or about a case of it, newest first. This question is recorded too."""
        await record_search(parts, question.number, asker)
        found = await archive.ask(lambda history: history.lookups_of_number(question.number, limit=limit))
        return shapes.LookupPage(as_of=parts.live.as_of(), lookups=[_lookup(one) for one in found])


def _lookup(found: LookupFound) -> shapes.LookupRow:
    return shapes.LookupRow(**{**found._asdict(), "kind": str(found.kind)})


def _add_breaches(routes: Routes) -> None:
    live, archive = routes.parts.live, routes.parts.archive

    @routes.get("/v1/operators/{operator_id}/breaches", 404, response_model=shapes.BreachPage, **TABLE)
    async def breaches(
        request: Request, operator_id: OperatorId, asker: Asker, before: Before = None, limit: Limit = 100
    ) -> Any:
        """Return an operator's breaches, newest first; the breaches of whole days are on the first page."""
        own = asker.role in STAFF or asker.subject == operator_id
        daily = operator_pages.daily_breaches(live.sight(), operator_id) if own else None
        if daily is None:
            raise Problem(404, "NO_OPERATOR", "no such operator to be shown", "See /v1/operators for those there are.")
        found = await archive.ask(lambda history: history.breaches(operator_id, before=before, limit=limit))
        rows = [
            shapes.BreachRow(breach=one.breach, at=one.at, case=_text(one.case), source=str(one.source))
            for one in found.breaches
        ]
        if before is None:
            rows = sorted(rows + daily, key=lambda one: -one.at)
        page = shapes.BreachPage(as_of=live.as_of(), operator=operator_id, breaches=rows, next=found.next)
        return table(request, page, shapes.BreachRow, rows)


def _add_clean_ups(routes: Routes) -> None:
    live, archive, pairs = routes.parts.live, routes.parts.archive, routes.parts.answerer.pairs

    @routes.get("/v1/clean-ups")
    async def clean_ups(asker: Asker, before: Before = None, limit: Limit = 100) -> shapes.CleanUps:
        """Return the operator's clean-ups of numbers that have a new owner, and how far each is."""
        found = await archive.ask(lambda history: history.clean_ups(asker.subject, before=before, limit=limit))
        rows = [
            shapes.CleanUp(
                case=str(one.case), asked_at=one.asked_at, stage=one.stage, **progress_of(pairs.pairs(one.case))
            )
            for one in found.clean_ups
        ]
        return shapes.CleanUps(as_of=live.as_of(), clean_ups=rows, next=found.next)


def progress_of(pairs: list[PairNow]) -> dict[str, Any]:
    """Return how far a case is, as its operator may know it: one word for the connected platforms, and how many others
    there are."""
    return {"status": word_of(pairs), "unconnected": len(unconnected(pairs))}


def _text(position: Source | None) -> str | None:
    return None if position is None else str(position)
