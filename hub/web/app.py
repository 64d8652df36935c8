"""This module makes one app of the API and the dashboard.

FastAPI reads the annotations, so they are evaluated here (there is no `from __future__`).
"""

import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version

from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request, Response
from starlette.middleware.gzip import GZipMiddleware

from hub import problems
from hub.errors import HubError, OperatorError
from hub.problems import BodyLimit, Problem, answer_with_problems
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

GZIP_BYTES_MIN = 1_000
GZIP_LEVEL = 6
ABOUT = """Operators decide whether a number may be handed out, regulators see where the blind spots are, an owner
learns what is left. Times are UTC milliseconds. Every error is a problem (RFC 9457) with what to do. Numbers come in
bodies alone, and every question about one is recorded."""


def web_app(parts: Parts) -> FastAPI:
    """Return the app. It has every route of `hub.web.access.who`, and no other.

    Raises:
        LookupError: a route of that table has no code.
    """
    app = FastAPI(
        title="The unbind hub",
        version=version("unbind-hub"),
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    answer_with_problems(app)
    app.add_exception_handler(OperatorError, _asker_fault)
    for fault in (HubError, KafkaError):
        app.add_exception_handler(fault, _hub_fault)
    app.middleware("http")(_measured(parts))
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=GZIP_LEVEL)
    app.add_middleware(BodyLimit)

    @app.get("/healthz", include_in_schema=False)
    async def health() -> shapes.Health:
        """Say that the web serves, and how far it is behind; this is for a load balancer."""
        as_of = parts.live.as_of()
        return shapes.Health(status="ok", behind_messages=as_of.behind_messages, stale=as_of.stale)

    routes = Routes(app, parts)
    for add in (add_live, add_board, add_history, add_numbers, add_operator, add_roster):
        add(routes)
    missing = WHO.keys() - set(routes.made)
    if missing:
        raise LookupError(f"routes without code: {sorted(missing)}")
    mount_dashboard(app)
    return app


async def _asker_fault(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, OperatorError), "registered for this class alone"
    return problems.answer(request, Problem(422, "BAD_REQUEST", wrong.message, wrong.todo))


async def _hub_fault(request: Request, wrong: Exception) -> Response:
    detail, todo = type(wrong).__name__, "Ask again in a minute; nothing is lost."
    if isinstance(wrong, HubError):
        detail, todo = wrong.message, wrong.todo
    return problems.answer(request, Problem(503, "HUB_AWAY", detail, todo, retry_after_s=30))


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
