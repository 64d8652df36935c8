"""This module adds the routes of the board: overview, platforms, blind spots, operators and pipeline.

FastAPI reads the annotations, so they are evaluated here (there is no `from __future__`).
"""

from typing import Annotated, Any

from fastapi import Path, Query, Request

from hub.clock import system_clock
from hub.problems import Problem
from hub.web import shapes
from hub.web.access import seen
from hub.web.access.auth import Caller
from hub.web.board import blind_spots, operator_pages, platform_pages
from hub.web.board.archive_rows import archive_rows
from hub.web.board.snapshot import Sight
from hub.web.routes.routing import TABLE, Asker, Routes, table

Days = Annotated[int, Query(ge=1, le=platform_pages.DAYS_MAX)]
PlatformId = Annotated[str, Path(max_length=200)]


def _no_platform() -> Problem:
    return Problem(404, "NO_PLATFORM", "no such platform to be shown", "See /v1/platforms for those there are.")


def add_board(routes: Routes) -> None:
    """Add the pages of the board, as each role sees them."""
    live = routes.parts.live

    def sight(asker: Caller) -> Sight:
        return seen.sight(live.sight(), asker)

    @routes.get("/v1/overview")
    async def overview(asker: Asker) -> shapes.Overview:
        """Return everything at a glance."""
        return seen.overview(platform_pages.overview(sight(asker)), asker)

    @routes.get("/v1/platforms", response_model=shapes.Platforms, **TABLE)
    async def platforms(request: Request, asker: Asker) -> Any:
        """Return every platform on the roster, connected or not."""
        found = seen.platforms(platform_pages.platforms(sight(asker)), asker)
        return table(request, found, shapes.PlatformRow, found.platforms)

    @routes.get("/v1/platforms/heatmap")
    async def heatmap(asker: Asker, days: Days = 30) -> shapes.Heatmap:
        """Return the figures of each platform by the day on which cases opened."""
        return seen.heatmap(platform_pages.heatmap(sight(asker), days), asker)

    @routes.get("/v1/platforms/{platform_id}", 404)
    async def platform(platform_id: PlatformId, asker: Asker, days: Days = 30) -> shapes.PlatformDetail:
        """Return one platform with its days and its states."""
        found = platform_pages.platform(sight(asker), platform_id, days)
        shown = None if found is None else seen.platform(found, asker)
        if shown is None:
            raise _no_platform()
        return shown

    @routes.get("/v1/blind-spots", response_model=shapes.BlindSpots, **TABLE)
    async def spots(request: Request, asker: Asker) -> Any:
        """Return the platforms that nobody hears from; the one with the most stale bindings comes first."""
        found = seen.blind_spots(blind_spots.blind_spots(sight(asker)), asker)
        return table(request, found, shapes.BlindSpot, found.spots)

    @routes.get("/v1/operators", response_model=shapes.Operators, **TABLE)
    async def operators(request: Request, asker: Asker) -> Any:
        """Return the operators, with what each sent and its breaches."""
        found = seen.operators(operator_pages.operators(sight(asker)), asker)
        return table(request, found, shapes.OperatorRow, found.operators)

    @routes.get("/v1/pipeline")
    async def pipeline() -> shapes.Pipeline:
        """Return how the hub itself is doing."""
        found = operator_pages.pipeline(live.sight())
        return found.model_copy(update={"followers": [*found.followers, *await _archive_places(routes)]})


async def _archive_places(routes: Routes) -> list[shapes.FollowerRow]:
    """Return how far the archive is; nothing if its database does not answer, and the page then shows no archive."""
    parts = routes.parts
    if not parts.archive.is_there:
        return []
    try:
        places = await parts.archive.ask(lambda history: history.places())
    except Problem:
        return []
    return archive_rows(places, parts.live.gauge.ends, parts.live.now_ms(), system_clock())
