"""A small API with the real shapes, for what the dashboard must show in states that are hard to reach with a real hub.

`python -m tests.dashboard.simulator --port 8800` serves it for a person who works on the dashboard; the tests start it
in a thread and change its world. Tokens are `sim-<role>`.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import json
import threading
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from hub.core.model import Role
from hub.local.machine import free_port
from hub.web import shapes
from hub.web.routes.pages import mount_dashboard
from tests.dashboard import answers
from tests.dashboard.world import DAYS_MAX, World, now_ms

ROLES = {f"sim-{role.lower()}": role for role in Role}
MOVE_S = 1.0
START_S = 10.0


class Simulator:
    """The world and who listens to it. `moving`: whether it steps by itself once a second."""

    def __init__(self, world: World, *, moving: bool = False) -> None:
        self.world = world
        self.moving = moving
        self.live = True
        self.broken = False
        self.asked: list[str] = []
        """Method and path of every request, as a proxy's log would have it."""
        self.app = make_app(self)
        self.port = free_port()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve in a thread until `stop`; again at the same address if it was stopped."""
        options = uvicorn.Config(
            self.app, host="127.0.0.1", port=self.port, log_level="error", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(options)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until = time.monotonic() + START_S
        while not self._server.started:
            assert time.monotonic() < until, "the simulator does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """Be down: nothing listens any more."""
        assert self._server is not None
        assert self._thread is not None
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(START_S)


def _role(authorization: Annotated[str, Header()] = "") -> Role:
    role = ROLES.get(authorization.removeprefix("Bearer "))
    if role is None:
        raise HTTPException(401, "no token of this hub")
    return role


Asker = Annotated[Role, Depends(_role)]


def make_app(sim: Simulator) -> FastAPI:
    """The routes the dashboard asks, and the dashboard."""
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def note(request: Request, go_on: Any) -> Any:
        sim.asked.append(f"{request.method} {request.url.path}?{request.url.query}")
        if sim.broken and request.url.path.startswith("/v1/"):
            return _problem(503, "The hub is starting", "Try again in a minute.")
        return await go_on(request)

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), "Check what was asked.")

    _add_board(app, sim)
    _add_operators(app, sim)
    _add_cases(app, sim)
    _add_live(app, sim)
    mount_dashboard(app)
    return app


def _problem(status: int, title: str, todo: str) -> JSONResponse:
    body = {"type": "about:blank", "title": title, "status": status, "todo": todo, "reason": "SIMULATED"}
    return JSONResponse(body, status, media_type="application/problem+json")


def _answer(request: Request, body: shapes.Shape, rows: list[Any]) -> Any:
    """JSON, or the rows as CSV if that was asked for."""
    if request.query_params.get("format") != "csv" and "text/csv" not in request.headers.get("accept", ""):
        return JSONResponse(body.model_dump(mode="json"))
    text = io.StringIO()
    flat = [
        {k: v if isinstance(v, str) else json.dumps(v) for k, v in row.model_dump(mode="json").items()} for row in rows
    ]
    writer = csv.DictWriter(text, flat[0].keys() if flat else [])
    writer.writeheader()
    writer.writerows(flat)
    return PlainTextResponse(text.getvalue(), media_type="text/csv")


def _add_board(app: FastAPI, sim: Simulator) -> None:
    @app.get("/v1/me")
    def me(role: Asker) -> shapes.Me:
        return shapes.Me(subject="sim", role=role, expires_at=now_ms() + 3_600_000)

    @app.get("/v1/overview")
    def overview(_: Asker) -> shapes.Overview:
        return answers.overview(sim.world)

    @app.get("/v1/platforms")
    def platforms(request: Request, _: Asker) -> Any:
        found = answers.platforms(sim.world)
        return _answer(request, found, found.platforms)

    @app.get("/v1/platforms/heatmap")
    def heatmap(_: Asker, days: int = 14) -> shapes.Heatmap:
        return answers.heatmap(sim.world, min(days, DAYS_MAX))

    @app.get("/v1/platforms/{name}")
    def platform(name: str, _: Asker) -> shapes.PlatformDetail:
        for one in sim.world.sketches:
            if one.id == name:
                return answers.platform(sim.world, one)
        raise HTTPException(404, "no such platform")

    @app.get("/v1/blind-spots")
    def blind(request: Request, _: Asker) -> Any:
        found = answers.blind_spots(sim.world)
        return _answer(request, found, found.spots)


def _add_operators(app: FastAPI, sim: Simulator) -> None:
    @app.get("/v1/operators")
    def operators(request: Request, _: Asker) -> Any:
        found = answers.operators(sim.world)
        return _answer(request, found, found.operators)

    @app.get("/v1/operators/{name}/breaches")
    def breaches(name: str, _: Asker) -> shapes.BreachPage:
        return answers.breaches(sim.world, name)

    @app.get("/v1/refusals")
    def refusals(request: Request, _: Asker) -> Any:
        found = answers.refusals(sim.world)
        return _answer(request, found, found.refusals)

    @app.get("/v1/pipeline")
    def pipeline(role: Asker) -> shapes.Pipeline:
        if role is Role.VIEWER:
            raise HTTPException(403, "not for viewers")
        return answers.pipeline(sim.world)


def _add_cases(app: FastAPI, sim: Simulator) -> None:
    @app.post("/v1/cases/lookup")
    def lookup(question: shapes.NumberQuestion, role: Asker) -> shapes.Cases:
        return answers.cases(sim.world, role, question.number == answers.NUMBER)

    @app.get("/v1/cases/{position}")
    def case(position: str, role: Asker) -> shapes.Cases:
        if position != answers.CASE:
            raise HTTPException(404, "no such case")
        return answers.cases(sim.world, role, True)


def _add_live(app: FastAPI, sim: Simulator) -> None:
    @app.get("/v1/live")
    async def live(_: Asker) -> StreamingResponse:
        if not sim.live:
            raise HTTPException(503, "no live updates")

        async def events() -> AsyncIterator[str]:
            yield ": beat\n\n"
            seen, moved_at = sim.world.step, time.monotonic()
            while sim.live:
                await asyncio.sleep(0.05)
                if sim.moving and time.monotonic() - moved_at > MOVE_S:
                    sim.world.step, moved_at = sim.world.step + 1, time.monotonic()
                if sim.world.step != seen:
                    seen = sim.world.step
                    data = json.dumps({"what": ["coverage"], "as_of": now_ms()})
                    yield f"event: moved\ndata: {data}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--lagging", action="store_true")
    chosen = parser.parse_args()
    sim = Simulator(World(cases=0 if chosen.empty else World.cases, behind=1_204 if chosen.lagging else 0), moving=True)
    sim.port = chosen.port or sim.port
    sim.start()
    print(f"{sim.url}/#token=sim-auditor", flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
