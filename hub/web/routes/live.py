"""This module sends server-sent events (WHATWG HTML, 9.2) that say which pages changed, but never what changed.

For example, `event: moved` with `{"what": ["overview"], …}` tells the dashboard to ask for the overview again.
FastAPI reads the annotations, so they are evaluated here (there is no `from __future__`).
"""

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from hub.clock import system_clock
from hub.problems import Problem
from hub.web import shapes
from hub.web.access.auth import Caller
from hub.web.parts import Parts
from hub.web.routes.routing import Asker, Routes

BEAT_S = 15.0
PACE_S = 1.0
"""There is at most one event a second, so that a reader asks for a page once for all changes of that second."""

STREAM = {
    "responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events."}}
}


def add_live(routes: Routes) -> None:
    """Add the route that says who asks, and the stream."""
    parts = routes.parts

    @routes.get("/v1/me")
    async def me(asker: Asker) -> shapes.Me:
        """Return who you are by your token."""
        return shapes.Me(subject=asker.subject, role=asker.role, expires_at=asker.expires_at)

    @routes.get("/v1/live", response_class=Response, **STREAM)
    async def live(request: Request, asker: Asker) -> StreamingResponse:
        """Send `event: moved` with the pages that changed, at most once a second, until the token expires."""
        stream = _counted(parts, asker, request)
        beat = await anext(stream)  # the stream is counted from here on, or refused
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(_whole(beat, stream), media_type="text/event-stream", headers=headers)


async def _whole(beat: str, stream: AsyncIterator[str]) -> AsyncIterator[str]:
    yield beat
    async for one in stream:
        yield one


async def _counted(parts: Parts, asker: Caller, request: Request) -> AsyncIterator[str]:
    settings, held = parts.settings, parts.streams
    if sum(held.values()) >= settings.streams_max or held.get(asker.counted_as, 0) >= settings.streams_each_max:
        todo = "Close other pages; ask for the pages themselves now and then."
        raise Problem(429, "TOO_MANY_STREAMS", "too many live streams", todo, retry_after_s=30)
    held[asker.counted_as] = held.get(asker.counted_as, 0) + 1
    parts.metrics.streams.inc()
    try:
        async for one in _events(parts, asker):
            yield one
            if await request.is_disconnected():
                return
    finally:
        parts.metrics.streams.dec()
        held[asker.counted_as] -= 1
        if not held[asker.counted_as]:
            del held[asker.counted_as]


async def _events(parts: Parts, asker: Caller) -> AsyncIterator[str]:
    version = parts.live.board.version
    yield ": beat\n\n"
    while system_clock() < asker.expires_at and not parts.stopping.is_set():
        try:
            async with asyncio.timeout(BEAT_S):
                version, pages = await parts.live.news(after=version)
        except TimeoutError:
            yield ": beat\n\n"
            continue
        data = json.dumps({"what": pages, "as_of": parts.live.now_ms()})
        yield f"event: moved\ndata: {data}\n\n"
        await asyncio.sleep(PACE_S)
