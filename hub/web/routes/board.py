"""Routes of the board: overview, platforms, blind spots, operators, pipeline.

Annotations are evaluated here (no `from __future__`): FastAPI reads them.
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
    """The pages of the board, as each role sees them."""
    live = routes.parts.live

    def sight(asker: Caller) -> Sight:
        return seen.sight(live.sight(), asker)

    @routes.get("/v1/overview")
    async def overview(asker: Asker) -> shapes.Overview:
        """Everything at a glance."""
        return seen.overview(platform_pages.overview(sight(asker)), asker)

    @routes.get("/v1/platforms", response_model=shapes.Platforms, **TABLE)
    async def platforms(request: Request, asker: Asker) -> Any:
        """Every platform on the roster, connected or not."""
        found = seen.platforms(platform_pages.platforms(sight(asker)), asker)
        return table(request, found, shapes.PlatformRow, found.platforms)

    @routes.get("/v1/platforms/heatmap")
    async def heatmap(asker: Asker, days: Days = 30) -> shapes.Heatmap:
        """Platforms by the day cases opened."""
        return seen.heatmap(platform_pages.heatmap(sight(asker), days), asker)

    @routes.get("/v1/platforms/{platform_id}", 404)
    async def platform(platform_id: PlatformId, asker: Asker, days: Days = 30) -> shapes.PlatformDetail:
        """One platform, with its days and its states."""
        found = platform_pages.platform(sight(asker), platform_id, days)
        shown = None if found is None else seen.platform(found, asker)
        if shown is None:
            raise _no_platform()
        return shown

    @routes.get("/v1/blind-spots", response_model=shapes.BlindSpots, **TABLE)
    async def spots(request: Request, asker: Asker) -> Any:
        """Platforms nobody hears from, the most stale bindings first."""
        found = seen.blind_spots(blind_spots.blind_spots(sight(asker)), asker)
        return table(request, found, shapes.BlindSpot, found.spots)

    @routes.get("/v1/operators", response_model=shapes.Operators, **TABLE)
    async def operators(request: Request, asker: Asker) -> Any:
        """Operators: what each sent, and duties not met."""
        found = seen.operators(operator_pages.operators(sight(asker)), asker)
        return table(request, found, shapes.OperatorRow, found.operators)

    @routes.get("/v1/pipeline")
    async def pipeline() -> shapes.Pipeline:
        """How the hub itself fares."""
        found = operator_pages.pipeline(live.sight())
        return found.model_copy(update={"followers": [*found.followers, *await _archive_places(routes)]})


async def _archive_places(routes: Routes) -> list[shapes.FollowerRow]:
    """How far the archive is. Nothing where its database cannot say: the page shows its absence."""
    parts = routes.parts
    if not parts.archive.is_there:
        return []
    try:
        places = await parts.archive.ask(lambda history: history.places())
    except Problem:
        return []
    return archive_rows(places, parts.live.gauge.ends, parts.live.now_ms(), system_clock())
