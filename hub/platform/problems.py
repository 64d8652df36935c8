"""Errors over HTTP as RFC 9457 problems, and a bound on what is read. Nothing of what was sent is said back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 1024 * 1024
"""A thousand questions are a fifth of it."""


def problem(status: int, detail: str, **more: Any) -> JSONResponse:
    """A problem (RFC 9457, section 3); its type is `about:blank`, so its title is the status's."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


def faults(errors: Iterable[Mapping[str, Any]], known: Iterable[str]) -> list[dict[str, str]]:
    """What is wrong where, without a word of what was sent.

    Args:
        errors: pydantic's.
        known: names of fields; others in an error's place are the sender's own, and may be anything.
    """
    names = set(known)
    return [{"at": _place(one["loc"], names), "what": _what(one)} for one in errors]


def _place(loc: Iterable[Any], known: set[str]) -> str:
    parts = [str(part) if isinstance(part, int) or part in known else "(unknown field)" for part in list(loc)[1:]]
    return ".".join(parts) or "body"


def _what(error: Mapping[str, Any]) -> str:
    return "is not JSON" if error["type"] == "json_invalid" else str(error["msg"])


async def no_such_page(_: Request, wrong: Exception) -> JSONResponse:
    """What Starlette refuses by itself: a path or a method that is not there."""
    return problem(getattr(wrong, "status_code", 500), "See /openapi.json for what there is.")


class BodyLimit:
    """An ASGI app behind a bound on the request's body, declared or not."""

    def __init__(self, app: ASGIApp, most: int = BODY_BYTES_MAX, refusal: ASGIApp | None = None) -> None:
        self._app = app
        self._most = most
        self._refusal = refusal or problem(413, f"At most {most} bytes.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on unless its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parts: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
            if sum(map(len, parts)) > self._most:
                await self._refusal(scope, receive, send)
                return
        await self._app(scope, _replay(b"".join(parts), receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
