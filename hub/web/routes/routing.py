"""This module makes routes, each with its roles (`hub.web.access.who`), its limits and its problems in OpenAPI.

For example, `@routes.get("/v1/lookups")` makes a route that refuses every token whose role is not auditor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from hub.clock import system_clock
from hub.core.model import Role
from hub.problems import MEDIA_TYPE, Problem
from hub.web.access.auth import Caller
from hub.web.access.who import WHO
from hub.web.parts import Parts
from hub.web.routes.csv_out import as_csv
from hub.web.shapes import ProblemDetails

BEARER = HTTPBearer(auto_error=False, description="A JSON Web Token; see `unbind-hub token`.")
PROBLEM_WHY = {
    400: "The request cannot be read.",
    401: "No token, or one that does not hold.",
    403: "The token's role may not ask this.",
    404: "There is no such thing, or it is not the asker's to see.",
    409: "It does not follow from how things stand.",
    413: "Too large.",
    422: "The request does not fit.",
    429: "Too many requests, or too many numbers.",
    503: "The hub or its archive cannot answer now.",
}
PAGE_WORD = r"^[0-9]{1,18}-[0-9]{1,9}-[0-9]{1,18}$"
Before = Annotated[str | None, Query(pattern=PAGE_WORD, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1_000)]
CSV_TYPE = "text/csv; charset=utf-8"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problems of a route for its OpenAPI entry."""
    schema = ProblemDetails.model_json_schema()
    return {
        one: {"description": PROBLEM_WHY[one], "content": {MEDIA_TYPE: {"schema": schema}}}
        for one in (400, 401, 403, 413, 422, 429, 503, *statuses)
    }


class Routes:
    """Adds routes to an app. `made` lists those that were added."""

    def __init__(self, app: FastAPI, parts: Parts) -> None:
        self.app = app
        self.parts = parts
        self.made: list[str] = []

    def get(self, path: str, *more: int, **options: Any) -> Callable[[Any], Any]:
        """Make a route that changes nothing. `more` are statuses of problems beside the usual ones."""
        return self._route("GET", path, more, options)

    def post(self, path: str, *more: int, **options: Any) -> Callable[[Any], Any]:
        """Make a route that asks with a body, or that sends something."""
        return self._route("POST", path, more, options)

    def _route(self, method: str, path: str, more: Sequence[int], options: dict[str, Any]) -> Callable[[Any], Any]:
        name = f"{method} {path}"
        roles = WHO[name]
        self.made.append(name)
        said = ", ".join(sorted(role.lower() for role in roles))
        return self.app.api_route(
            path,
            methods=[method],
            responses=problems(*more) | options.pop("responses", {}),
            openapi_extra={"x-roles": sorted(roles)} | options.pop("openapi_extra", {}),
            tags=[f"for {said}" if roles != frozenset(Role) else "for everybody"],
            dependencies=[Security(BEARER), Depends(self._guard(name))],
            **options,
        )

    def _guard(self, name: str) -> Callable[..., Any]:
        parts, roles = self.parts, WHO[name]

        async def guard(request: Request) -> None:
            caller = await _admitted(parts, request)
            if caller.role not in roles:
                todo = f"Ask as one of {', '.join(sorted(role.lower() for role in roles))}."
                raise Problem(403, "NOT_FOR_THIS_ROLE", f"this is not for the role {caller.role.lower()}", todo)
            parts.limits.request(caller.counted_as, time.monotonic())
            request.state.caller = caller

        return guard


async def _admitted(parts: Parts, request: Request) -> Caller:
    """Return who asks. An address from which many requests without a valid token came is refused for a while."""
    proof = request.headers.get("authorization", "")
    address, now_s = request.client.host if request.client else "", time.monotonic()
    parts.strangers.let_in(address, proof, now_s)
    try:
        caller = await parts.doorman.admit(proof, system_clock())
    except Problem:
        parts.strangers.failed(address, now_s)
        raise
    parts.strangers.held(proof)
    return caller


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Asker = Annotated[Caller, Depends(_caller)]
"""The caller; the route's guard, which FastAPI runs before the route, has admitted it."""


def wants_csv(request: Request) -> bool:
    """Say whether a table is asked for as CSV, by `format=csv` or by `Accept`."""
    return request.query_params.get("format") == "csv" or request.headers.get("accept", "").startswith("text/csv")


def table(request: Request, whole: BaseModel, kind: type[BaseModel], rows: Sequence[BaseModel]) -> Any:
    """Return a table as JSON, or its rows as CSV if the request asks for that."""
    return Response(as_csv(kind, rows), media_type=CSV_TYPE) if wants_csv(request) else whole


TABLE: dict[str, Any] = {
    "responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The table."}},
    "openapi_extra": {
        "parameters": [
            {
                "name": "format",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "enum": ["json", "csv"]},
                "description": "The table as CSV.",
            }
        ]
    },
}
"""The options of a route that also answers in CSV."""
