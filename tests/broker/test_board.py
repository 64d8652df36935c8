"""The board over a real run: what its pages show is what the recount says, and a second board shows the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.core.model import Outcome
from hub.local.replay import Replay
from hub.local.up import LocalHub
from hub.local.worlds import make_world
from hub.recount.check import Truth
from hub.recount.reading import read_logs
from hub.stream.log import read_hub_log, reader_settings
from hub.web.board.blind_spots import blind_spots
from hub.web.board.following import LiveBoard
from hub.web.board.operator_pages import operators, pipeline
from hub.web.board.platform_pages import overview, platform, platforms
from hub.web.board.sight import Sight
from hub.web.shapes import Pairs
from tests.broker.scene import Scene, mobile_numbers

pytestmark = pytest.mark.broker

CAUGHT_UP_S = 60.0
MOMENTARY = {"as_of", "followers", "topics", "coverage_age_ms"}
"""What a page says of the moment it was made at."""


@asynccontextmanager
async def live_board(servers: str) -> AsyncIterator[LiveBoard]:
    """A board that has read everything there is."""
    settings = reader_settings(servers)
    live = LiveBoard(settings, await read_hub_log(settings))
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
