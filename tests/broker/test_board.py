"""The board over a real run: what its pages show is what the recount says, and a second board shows the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.clearance.pairs import PairsNow, following_pairs
from hub.core.model import DAY_MS, Outcome, Stage
from hub.kafka.clients import reader_settings
from hub.kafka.newest import read_hub_log
from hub.local.replay import Replay
from hub.local.up import LocalHub
from hub.local.worlds import make_world
from hub.recount.check import Truth
from hub.recount.reading import read_logs
from hub.settings import WorkerSettings
from hub.web.board.blind_spots import blind_spots
from hub.web.board.cohorts import PairCohorts
from hub.web.board.following import LiveBoard
from hub.web.board.operator_pages import operators, pipeline
from hub.web.board.platform_pages import DAYS_MAX, heatmap, overview, platform, platforms
from hub.web.board.snapshot import Sight
from hub.web.shapes import Pairs
from tests.broker.scene import Scene, mobile_numbers

pytestmark = pytest.mark.broker

CAUGHT_UP_S = 60.0
MOMENTARY = {"as_of", "followers", "topics", "coverage_age_ms"}
"""What a page says of the moment it was made at."""


@asynccontextmanager
async def live_board(servers: str, standings: PairsNow | None = None) -> AsyncIterator[LiveBoard]:
    """A board that has read everything there is; with effects if somebody folds them."""
    settings = reader_settings(servers)
    effects = None if standings is None else PairCohorts(standings)
    live = LiveBoard(settings, await read_hub_log(settings), effects)
    await live.start()
    running = asyncio.create_task(live.run())
    try:
        async with asyncio.timeout(CAUGHT_UP_S):
            await live.caught_up()
        yield live
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await live.stop()


def pages(sight: Sight) -> dict[str, Any]:
    """Every page, without what only says when it was made."""
    found = {
        "overview": overview(sight),
        "platforms": platforms(sight),
        "blind spots": blind_spots(sight),
        "operators": operators(sight),
        "pipeline": pipeline(sight),
    }
    for one in sight.board.roster.platforms:
        detail = platform(sight, one)
        assert detail is not None
        found[f"platform {one}"] = detail
    return {name: page.model_dump(mode="json", exclude=MOMENTARY) for name, page in found.items()}


def of_truth(figures: Any) -> Pairs:
    """The recount's figures of one platform, in the page's shape."""
    gaps = {gap: count for gap, count in figures["gaps"].items() if count}
    return Pairs(
        **{name: figures[name] for name in ("in_force", "resolved", "overdue", "exposed", "incident")},
        restore_pending=figures["restore_pending"],
        disputes=figures["disputes"],
        takeover_safe=figures["resolved"] + gaps.get("FROZEN", 0),
        outcomes={one: figures["outcomes"][one] for one in Outcome if figures["outcomes"].get(one)},
        gaps=gaps,
    )


@asynccontextmanager
async def standing(servers: str, folder: Path) -> AsyncIterator[PairsNow]:
    """Every pair, once it has folded everything there is."""
    settings = WorkerSettings(servers, folder, "web-1")
    async with following_pairs(settings, await read_hub_log(settings)) as standings:
        assert await standings.reach(CAUGHT_UP_S)
        yield standings


def day_of(name: str) -> int:
    """An ISO date in days since 1970-01-01."""
    return (date.fromisoformat(name) - date(1970, 1, 1)).days


def cell_of_truth(figures: Any) -> tuple[Any, ...] | None:
    """The recount's figures of one day's cases, as a cell of the heat map shows them."""
    if figures is None or not figures["in_force"]:
        return None
    pairs = of_truth(figures)
    return pairs.in_force, pairs.resolved, pairs.takeover_safe, pairs.outcomes


def check_days(sight: Sight, truth: Truth) -> None:
    """Every cell of the heat map, cases by stage and the notices of today are what the recount says."""
    shown = heatmap(sight, DAYS_MAX)
    filled = 0
    for row in shown.rows:
        days = truth.days(row.id, sight.board.coverage[row.id].as_of)
        for name, cell in zip(shown.days, row.cells, strict=True):
            told = None if cell is None else (cell.in_force, cell.resolved, cell.takeover_safe, cell.outcomes)
            assert told == cell_of_truth(days.get(day_of(name))), (row.id, name)
            filled += cell is not None
    assert filled > len(shown.rows)
    cases = truth.cases(next(iter(sight.board.coverage.values())).as_of)
    page = overview(sight)
    assert page.cases == Counter(Stage(one.stage) for one in cases)
    today = sight.now_ms // DAY_MS
    moves = Counter(stage for one in cases for stage, at in one.moves if at // DAY_MS == today)
    assert page.today.opened == sum(one.published_at // DAY_MS == today for one in cases)
    assert (page.today.scheduled, page.today.released) == (moves["SCHEDULED"], moves["RELEASED"])
    assert page.today.undone == moves["RESTORED"] + moves["WITHDRAWN"]


def check_blind_spots(sight: Sight, truth: Truth) -> None:
    """What connecting a platform would close, and what is exposed behind it, is what the recount says."""
    spots = {one.id: (one.would_close, one.exposed, one.incident) for one in blind_spots(sight).spots if one.id}
    assert spots
    for platform_id, shown in spots.items():
        figures = truth.figures(platform_id, sight.board.coverage[platform_id].as_of)
        told = (figures["gaps"].get("NOT_CONNECTED", 0), figures["exposed"], figures["incident"])
        assert shown == told, platform_id


async def test_every_figure_is_the_recounts_and_a_second_board_shows_the_same(tmp_path: Path) -> None:
    """On a finished world platforms and overview equal other code's figures, and a restart changes no page."""
    make_world(tmp_path / "world", seed=5, cases=300)
    seen: list[dict[str, Any]] = []

    async def look(run: Replay) -> None:
        servers = run.hub.address.bootstrap_servers
        truth = Truth(await read_logs(servers))
        async with live_board(servers) as first:
            sight = first.sight()
            assert not sight.as_of.stale
            assert sight.as_of.behind_messages == 0
            assert sight.now_ms == run.world.ends_at
            rows = {one.id: one.pairs for one in platforms(sight).platforms}
            expected = {one: of_truth(truth.figures(one, sight.board.coverage[one].as_of)) for one in truth.platforms()}
            assert rows == expected
            shown = overview(sight)
            for name in ("in_force", "resolved", "takeover_safe", "overdue", "exposed", "incident", "restore_pending"):
                assert getattr(shown.pairs, name) == sum(getattr(one, name) for one in expected.values()), name
                assert getattr(shown.pairs, name) == getattr(shown.connected, name) + getattr(shown.unconnected, name)
            report = run.report()
            assert {stage.lower(): count for stage, count in shown.cases.items()} == report["cases"]
            for one in operators(sight).operators:
                mine = report["operators"][one.id]
                assert one.accepted + one.noted == mine["accepted"], one.id
                assert {str(breach): count for breach, count in one.breaches.items()} == mine["breaches"], one.id
                assert {str(why): count for why, count in one.rejected.items()} == mine["rejected"], one.id
            workers = [one for one in pipeline(sight).followers if one.reader == "workers"]
            assert {one.topic: one.behind for one in workers} == dict.fromkeys(
                ("events", "acks", "reports", "answers"), 0
            )
            seen.append(pages(sight))
        async with live_board(servers) as second:
            seen.append(pages(second.sight()))
        async with standing(servers, tmp_path / "web") as standings, live_board(servers, standings) as third:
            check_days(third.sight(), truth)
            check_blind_spots(third.sight(), truth)

    replay = Replay(tmp_path / "world", tmp_path / "run", recount=True, at_end=look)
    await replay.run()
    assert replay.differences == []
    assert len(seen) == 2
    assert seen[0] == seen[1]


async def test_new_operators_are_followed_and_a_silent_cluster_is_said(tmp_path: Path) -> None:
    """The receipts of an operator that comes later count; when the cluster is gone, what is shown is called stale."""
    hub = LocalHub(tmp_path / "hub", partitions=2)
    async with hub:
        scene = Scene(hub, await read_hub_log(reader_settings(hub.address.bootstrap_servers)))
        async with live_board(hub.address.bootstrap_servers) as live:
            assert operators(live.sight()).operators == []
            version = live.board.version
            await asyncio.to_thread(scene.put_operator, "north", "+86135")
            cases = await asyncio.to_thread(scene.open_cases, mobile_numbers(3))
            async with asyncio.timeout(CAUGHT_UP_S):
                while not live.board.books["north"].decisions:
                    version, pages_moved = await live.news(version)
                    assert pages_moved
                await live.caught_up()
            (row,) = operators(live.sight()).operators
            assert row.accepted == len(cases) == 3
            assert overview(live.sight()).today.opened == 3
            assert not live.sight().as_of.stale
            await asyncio.to_thread(scene.close)
            await hub.stop()
            async with asyncio.timeout(CAUGHT_UP_S):
                while not live.sight().as_of.stale:
                    await asyncio.sleep(0.2)
