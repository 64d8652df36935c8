"""This module answers a refused HTTP request with problem details (RFC 9457), each with what to do next. It never
repeats what was sent.

`answer_with_problems` gives an app these answers for everything that can go wrong before or in its routes. For example,
a path that does not exist is answered 404 with the reason NO_SUCH_PAGE.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
BODY_BYTES_MAX = 1024 * 1024
SEE_OPENAPI = "See /openapi.json."
ERRORS_MAX = 20
"""How many errors are listed: as many as a person reads. A body of a megabyte can have a hundred thousand."""


class Problem(Exception):
    """A refused request.

    Args:
        reason: a word for programs; for an acknowledgement it is the hub's own reason.
        detail: says what is wrong, without anything personal.
        todo: says what the caller should do next.
        more: further members of the problem object.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        todo: str,
        *,
        retry_after_s: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.todo = todo
        self.retry_after_s = retry_after_s
        self.more = more or {}


def answer(_: Request, problem: Exception) -> JSONResponse:
    """Return the response of a problem."""
    assert isinstance(problem, Problem), "registered for this class alone"
    body = {
        "type": f"urn:unbind-hub:problem:{problem.reason}",
        "title": problem.reason,
        "status": problem.status,
        "detail": problem.detail,
        "reason": problem.reason,
        "todo": problem.todo,
        **problem.more,
    }
    headers = {} if problem.retry_after_s is None else {"retry-after": str(problem.retry_after_s)}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def answer_with_problems(app: FastAPI) -> None:
    """Have an app answer with problems to requests that do not fit, to missing paths, and to its own faults."""
    app.add_exception_handler(Problem, answer)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, _no_such)
    app.middleware("http")(_own_faults)


def invalid(request: Request, wrong: Exception) -> JSONResponse:
    """Return what FastAPI finds wrong in a path, a query or a body, by place and rule, without quoting it."""
    assert isinstance(wrong, RequestValidationError), "registered for this class alone"
    known = _words(request.app.openapi())
    errors = [{"at": _place(one["loc"], known), "what": _what(one)} for one in wrong.errors()[:ERRORS_MAX]]
    detail = "; ".join(f"{one['at']}: {one['what']}" for one in errors[:3])
    return answer(request, Problem(422, "BAD_REQUEST", detail, SEE_OPENAPI, more={"errors": errors}))


def _words(document: Any) -> set[str]:
    """Return the names of fields and parameters in an OpenAPI document. Other names in an error may be anything."""
    if isinstance(document, list):
        return set().union(*map(_words, document)) if document else set()
    if not isinstance(document, dict):
        return set()
    found = set(document.get("properties", ())) if isinstance(document.get("properties"), dict) else set()
    if isinstance(document.get("name"), str) and "in" in document:
        found.add(document["name"])
    return found.union(*map(_words, document.values()))


def _place(loc: Iterable[Any], known: set[str]) -> str:
    parts = [str(part) if isinstance(part, int) or part in known else "(unknown field)" for part in list(loc)[1:]]
    return ".".join(parts) or "body"


def _what(error: Mapping[str, Any]) -> str:
    """Return Pydantic's words, except for the two errors that quote what was sent."""
    quoting = {"json_invalid": "is not JSON", "union_tag_invalid": "is no known kind"}
    return quoting.get(error["type"], str(error["msg"]))


def _no_such(request: Request, wrong: Exception) -> JSONResponse:
    """Answer what Starlette refuses by itself: a path or a method that does not exist, a body that cannot be read."""
    assert isinstance(wrong, HTTPException), "registered for this class alone"
    word = {404: "NO_SUCH_PAGE", 405: "NO_SUCH_METHOD", 400: "BAD_REQUEST"}.get(wrong.status_code, "REFUSED")
    found = answer(request, Problem(wrong.status_code, word, "not here", SEE_OPENAPI))
    found.headers.update(wrong.headers or {})
    return found


async def _own_faults(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Answer and log our own mistakes by kind and place only, because their text might quote the request."""
    try:
        return await call_next(request)
    except Exception as wrong:  # noqa: BLE001 - any error is answered and logged without its text
        kind, route = type(wrong).__name__, getattr(request.scope.get("route"), "path", "none")
        frames = traceback.extract_tb(wrong.__traceback__)
        log.error("%s in %s: %s", kind, route, " < ".join(f"{one.filename}:{one.lineno}" for one in frames[::-1]))
        return answer(request, Problem(500, "HUB_FAULT", kind, "Tell the hub's staff when it happened."))


class BodyLimit:
    """Bounds the size of a request's body before an ASGI app, whether or not the size is declared."""

    def __init__(self, app: ASGIApp, most: int = BODY_BYTES_MAX) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on unless its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                too_large = Problem(413, "TOO_LARGE", f"more than {self._most} bytes", "Send less at once.")
                await answer(Request(scope), too_large)(scope, receive, send)
                return
        await self._app(scope, _replay(bytes(body), receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
