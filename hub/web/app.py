"""The API and the dashboard as one app.

Annotations are evaluated here (no `from __future__`): FastAPI reads them.
"""

import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from hub import problems
from hub.errors import HubError, OperatorError
from hub.platform.problems import BodyLimit
from hub.problems import Problem
from hub.web import shapes
from hub.web.access.who import WHO
from hub.web.parts import Parts
from hub.web.routes.board import add_board
from hub.web.routes.history import add_history
from hub.web.routes.live import add_live
from hub.web.routes.numbers import add_numbers
from hub.web.routes.operator import add_operator
from hub.web.routes.pages import HEADERS, mount_dashboard
from hub.web.routes.roster import add_roster
from hub.web.routes.routing import Routes

BODY_BYTES_MAX = 1024 * 1024
GZIP_BYTES_MIN = 1_000
ABOUT = """Operators decide whether a number may be handed out, regulators see where the blind spots are, an owner
learns what is left. Times are UTC milliseconds. Every error is a problem (RFC 9457) with what to do. Numbers come in
bodies alone, and every question about one is recorded."""


def web_app(parts: Parts) -> FastAPI:
    """The app. Every route of `hub.web.access.who` is made, and none that is not there."""
    app = FastAPI(
        title="The unbind hub",
        version=version("unbind-hub"),
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.add_exception_handler(Problem, problems.answer)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_such)
    app.add_exception_handler(OperatorError, _asker_fault)
    for fault in (HubError, KafkaError):
        app.add_exception_handler(fault, _hub_fault)
    app.add_exception_handler(Exception, _broken)
    app.middleware("http")(_measured(parts))
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN)
    app.add_middleware(BodyLimit, most=BODY_BYTES_MAX, refusal=_too_large)

    @app.get("/healthz", include_in_schema=False)
    async def health() -> shapes.Health:
        """That it serves, and how far it is behind; for a load balancer."""
        as_of = parts.live.as_of()
        return shapes.Health(status="ok", behind_messages=as_of.behind_messages, stale=as_of.stale)

    routes = Routes(app, parts)
    for add in (add_live, add_board, add_history, add_numbers, add_operator, add_roster):
        add(routes)
    missing = WHO.keys() - set(routes.made)
    assert not missing, f"routes without code: {sorted(missing)}"
    mount_dashboard(app)
    return app


async def _invalid(request: Request, wrong: Exception) -> Response:
    """What FastAPI finds wrong with a path, a query or a body, without quoting it."""
    assert isinstance(wrong, RequestValidationError), "registered for this class alone"
    where = "; ".join(f"{_place(one['loc'])}: {one['type']}" for one in wrong.errors()[:5])
    return problems.answer(request, Problem(422, "BAD_REQUEST", where, "See /openapi.json."))


def _place(loc: tuple[Any, ...]) -> str:
    """Where, by positions and known names; a name the sender made up may be anything."""
    known = {name for one in vars(shapes).values() if hasattr(one, "model_fields") for name in one.model_fields}
    known |= {"body", "query", "path", "header", "from", "limit", "before", "days", "platform_id", "case_id"}
    return ".".join(str(one) if isinstance(one, int) or one in known else "(unknown field)" for one in loc)


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    """A body over the bound."""
    refused = Problem(413, "TOO_LARGE", f"more than {BODY_BYTES_MAX} bytes", "Send less at once.")
    await problems.answer(Request(scope), refused)(scope, receive, send)


async def _no_such(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, HTTPException), "registered for this class alone"
    word = {404: "NO_SUCH_PAGE", 405: "NO_SUCH_METHOD", 400: "BAD_REQUEST"}.get(wrong.status_code, "REFUSED")
    answer = problems.answer(request, Problem(wrong.status_code, word, "not here", "See /openapi.json."))
    answer.headers.update(wrong.headers or {})
    return answer


async def _asker_fault(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, OperatorError), "registered for this class alone"
    return problems.answer(request, Problem(422, "BAD_REQUEST", wrong.message, wrong.todo))


async def _hub_fault(request: Request, wrong: Exception) -> Response:
    detail, todo = type(wrong).__name__, "Ask again in a minute; nothing is lost."
    if isinstance(wrong, HubError):
        detail, todo = wrong.message, wrong.todo
    return problems.answer(request, Problem(503, "HUB_AWAY", detail, todo, retry_after_s=30))


async def _broken(request: Request, wrong: Exception) -> Response:
    """A mistake of ours. Its text might quote what was asked; its kind does not."""
    todo = "Tell the hub's staff when it happened."
    return problems.answer(request, Problem(500, "HUB_FAULT", type(wrong).__name__, todo))


def _measured(parts: Parts) -> Callable[..., Awaitable[Response]]:
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        began = time.monotonic()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "none") or "/"
        parts.metrics.requests.labels(route, response.status_code).inc()
        parts.metrics.seconds.labels(route).observe(time.monotonic() - began)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.url.path.startswith("/v1/"):
            response.headers.setdefault("cache-control", "no-store")
        return response

    return measure
