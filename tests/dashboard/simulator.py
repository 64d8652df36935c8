"""A small API with the real shapes, for what the dashboard must show in states that are hard to reach with a real hub.

`python -m tests.dashboard.simulator --port 8800` serves it for a person who works on the dashboard; the tests start it
in a thread and change its world. Tokens are `sim-<role>`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import StreamingResponse

from hub.core.model import Role
from hub.local.machine import free_port
from hub.problems import Problem, answer, answer_with_problems
from hub.web import shapes
from hub.web.access import seen
from hub.web.access.auth import Caller
from hub.web.access.who import WHO
from hub.web.board.board import PAGES
from hub.web.routes.pages import mount_dashboard
from hub.web.routes.routing import table
from hub.wire.contracts import COVERAGE
from tests.dashboard import answers
from tests.dashboard.world import DAYS_MAX, World, now_ms

ROLES = {f"sim-{role.lower()}": role for role in Role}
MOVED = sorted(PAGES[COVERAGE])
MOVE_S = 1.0
TOKEN_MS = 3_600_000
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


def _caller(request: Request, authorization: Annotated[str, Header()] = "") -> Caller:
    role = ROLES.get(authorization.removeprefix("Bearer "))
    if role is None:
        raise Problem(401, "BAD_TOKEN", "no token of this hub", "Use one of this hub.")
    if role not in WHO[f"{request.method} {request.scope['route'].path}"]:
        raise Problem(403, "NOT_FOR_THIS_ROLE", f"not for {role.lower()}s", "Ask as another.")
    return Caller("sim", role, now_ms() + TOKEN_MS)


Asker = Annotated[Caller, Depends(_caller)]


def make_app(sim: Simulator) -> FastAPI:
    """The routes the dashboard asks, and the dashboard."""
    app = FastAPI(title="simulator")

    @app.middleware("http")
    async def note(request: Request, go_on: Any) -> Any:
        sim.asked.append(f"{request.method} {request.url.path}?{request.url.query}")
        if sim.broken and request.url.path.startswith("/v1/"):
            return answer(request, Problem(503, "HUB_AWAY", "the hub is starting", "Try again in a minute."))
        return await go_on(request)

    answer_with_problems(app)
    _add_board(app, sim)
    _add_operators(app, sim)
    _add_cases(app, sim)
    _add_live(app, sim)
    mount_dashboard(app)
    return app


def _missing(what: str, detail: str) -> Problem:
    return Problem(404, f"NO_{what}", detail, "See what there is.")


def _add_board(app: FastAPI, sim: Simulator) -> None:
    @app.get("/v1/me")
    def me(asker: Asker) -> shapes.Me:
        return shapes.Me(subject=asker.subject, role=asker.role, expires_at=asker.expires_at)

    @app.get("/v1/overview")
    def overview(asker: Asker) -> shapes.Overview:
        return seen.overview(answers.overview(sim.world), asker)

    @app.get("/v1/platforms", response_model=shapes.Platforms)
    def platforms(request: Request, asker: Asker) -> Any:
        found = seen.platforms(answers.platforms(sim.world), asker)
        return table(request, found, shapes.PlatformRow, found.platforms)

    @app.get("/v1/platforms/heatmap")
    def heatmap(asker: Asker, days: int = 30) -> shapes.Heatmap:
        return seen.heatmap(answers.heatmap(sim.world, min(days, DAYS_MAX)), asker)

    @app.get("/v1/platforms/{platform_id}")
    def platform(platform_id: str, asker: Asker, days: int = 30) -> shapes.PlatformDetail:
        for one in sim.world.sketches:
            if one.id == platform_id:
                found = seen.platform(answers.platform(sim.world, one, min(days, DAYS_MAX)), asker)
                if found is not None:
                    return found
        raise _missing("PLATFORM", "no such platform")

    @app.get("/v1/blind-spots", response_model=shapes.BlindSpots)
    def blind(request: Request, asker: Asker) -> Any:
        found = seen.blind_spots(answers.blind_spots(sim.world), asker)
        return table(request, found, shapes.BlindSpot, found.spots)


def _add_operators(app: FastAPI, sim: Simulator) -> None:
    @app.get("/v1/operators", response_model=shapes.Operators)
    def operators(request: Request, asker: Asker) -> Any:
        found = seen.operators(answers.operators(sim.world), asker)
        return table(request, found, shapes.OperatorRow, found.operators)

    @app.get("/v1/operators/{operator_id}/breaches", response_model=shapes.BreachPage)
    def breaches(request: Request, operator_id: str, _: Asker) -> Any:
        if operator_id not in {one.id for one in answers.operators(sim.world).operators}:
            raise _missing("OPERATOR", "no such operator")
        found = answers.breaches(sim.world, operator_id)
        return table(request, found, shapes.BreachRow, found.breaches)

    @app.get("/v1/refusals", response_model=shapes.RefusalPage)
    def refusals(request: Request, asker: Asker) -> Any:
        found = seen.refusals(answers.refusals(sim.world), asker)
        return table(request, found, shapes.RefusalRow, found.refusals)

    @app.get("/v1/pipeline")
    def pipeline(_: Asker) -> shapes.Pipeline:
        return answers.pipeline(sim.world)


def _add_cases(app: FastAPI, sim: Simulator) -> None:
    @app.post("/v1/cases/lookup")
    def lookup(question: shapes.NumberQuestion, asker: Asker) -> shapes.Cases:
        found = [seen.case(answers.case(sim.world), asker)] if question.number == answers.NUMBER else []
        return shapes.Cases(as_of=sim.world.as_of(), lookup_id=f"l-{now_ms()}", cases=found)

    @app.get("/v1/cases/{case_id}")
    def case(case_id: str, asker: Asker) -> shapes.Cases:
        if case_id != answers.CASE:
            raise _missing("CASE", "no such case")
        found = [seen.case(answers.case(sim.world), asker)]
        return shapes.Cases(as_of=sim.world.as_of(), lookup_id=f"l-{now_ms()}", cases=found)


def _add_live(app: FastAPI, sim: Simulator) -> None:
    @app.get("/v1/live")
    async def live(_: Asker) -> StreamingResponse:
        if not sim.live:
            raise Problem(503, "HUB_AWAY", "no live updates", "Ask for the pages.")

        async def events() -> AsyncIterator[str]:
            yield ": beat\n\n"
            seen, moved_at = sim.world.step, time.monotonic()
            while sim.live:
                await asyncio.sleep(0.05)
                if sim.moving and time.monotonic() - moved_at > MOVE_S:
                    sim.world.step, moved_at = sim.world.step + 1, time.monotonic()
                if sim.world.step != seen:
                    seen = sim.world.step
                    data = json.dumps({"what": MOVED, "as_of": now_ms()})
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
