"""The demo: a made-up world through a real hub, in the terminal and on one local page, at a speed one can watch."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hub.core.model import DAY_MS, GapClass
from hub.local.replay import Replay
from hub.local.worlds import make_world

HOST = "127.0.0.1"
FRAME_S = 0.5
BAR_CELLS = 20
CASES = 600
SEED = 7
WATCH_S = 75.0
"""How long the made-up world takes when nothing says otherwise."""

PAGE = Path(__file__).with_name("demo_page.html")


class Demo:
    """One run of the demo. `duration_s`: end by itself after about so long, with a summary."""

    def __init__(self, data_dir: Path, duration_s: float | None) -> None:
        world = data_dir / "world"
        make_world(world, seed=SEED, cases=CASES)
        self.replay = Replay(world, data_dir)
        days = (self.replay.world.ends_at - self.replay.world.starts_at) / DAY_MS
        self.replay.days_per_second = days / (duration_s or WATCH_S)
        self.url = ""
        self._console = Console()

    async def run(self) -> dict[str, Any]:
        """Run until the world ends; the report."""
        runner = web.AppRunner(self._site())
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        self.url = f"http://{HOST}:{runner.addresses[0][1]}/"
        self._console.print(f"Live page: {self.url}")
        drawing = asyncio.create_task(self._draw())
        try:
            return await self.replay.run()
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)
            await runner.cleanup()

    def _site(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/snapshot", self._snapshot)
        return app

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=PAGE.read_text(encoding="utf-8"), content_type="text/html")

    async def _snapshot(self, _: web.Request) -> web.Response:
        return web.json_response(snapshot(self.replay))

    async def _draw(self) -> None:
        with Live(console=self._console, refresh_per_second=4) as live:
            while True:
                live.update(Group(*draw(snapshot(self.replay))))
                await asyncio.sleep(FRAME_S)


def snapshot(replay: Replay) -> dict[str, Any]:
    """What is shown of a running replay: plain data for the page and the terminal."""
    watch = replay.watch
    if watch is None:
        return {"date": _day(replay.now_ms), "starting": True, "platforms": [], "operators": []}
    platforms: list[dict[str, Any]] = []
    for platform, _ in replay.world.platforms:
        coverage = watch.coverage.get(platform.id)
        if coverage is None:
            continue
        platforms.append(
            {
                "id": platform.id,
                "name": platform.name._asdict(),
                "tier": platform.tier,
                "state": str(coverage.state),
                "in_force": coverage.in_force,
                "resolved": coverage.resolved,
                "gaps": {str(one.gap): one.pairs for one in coverage.gaps},
                "overdue": coverage.overdue,
                "exposed": coverage.exposed,
                "incident": coverage.incident,
            }
        )
    return {
        "date": _day(replay.now_ms),
        "starting": False,
        "events": replay.sent,
        "notices": watch.notices,
        "acks": watch.acks,
        "cases": watch.cases_report(),
        "platforms": platforms,
        "operators": [
            {"id": one.id, **watch.operator_report(one.id, len(replay.world.unreadable.get(one.id, ())), replay.now_ms)}
            for one in replay.world.operators
        ],
        "gaps": dict(_sum([one["gaps"] for one in platforms])),
        "refused": dict(watch.refused.most_common()),
    }


def draw(shown: dict[str, Any]) -> list[Any]:
    """A snapshot for the terminal."""
    if shown["starting"]:
        return [Text("Starting Kafka and a worker …")]
    head = f"{shown['date']}  events {shown['events']:,}  notices {shown['notices']:,}  acks {shown['acks']:,}"
    table = Table(box=None, pad_edge=False)
    for name in ("platform", "state", "coverage", "in force", "overdue", "incidents"):
        is_count = name in {"in force", "overdue", "incidents"}
        table.add_column(name, justify="right" if is_count else "left", no_wrap=True)
    table.add_column("gaps", no_wrap=True, overflow="ellipsis")
    for one in shown["platforms"]:
        gaps = ", ".join(f"{name.lower()} {count}" for name, count in one["gaps"].items())
        table.add_row(
            one["name"]["en"],
            one["state"].lower().replace("known_", ""),
            _bar(one),
            f"{one['in_force']:,}",
            str(one["overdue"] or ""),
            str(one["incident"] or ""),
            gaps,
        )
    breaches = _sum([one["breaches"] for one in shown["operators"]])
    return [
        Text(head, style="bold"),
        table,
        Text("breaches  " + _counts(breaches)),
        Text("refused   " + _counts(Counter(shown["refused"]))),
    ]


def _bar(one: dict[str, Any]) -> Text:
    """Resolved in green, frozen in yellow, what nobody answered for in red."""
    total = one["in_force"]
    if not total:
        return Text("·" * BAR_CELLS, style="dim")
    resolved = one["resolved"] * BAR_CELLS // total
    frozen = one["gaps"].get(GapClass.FROZEN, 0) * BAR_CELLS // total
    rest = BAR_CELLS - resolved - frozen
    return Text.assemble(("█" * resolved, "green"), ("█" * frozen, "yellow"), ("░" * rest, "red"))


def _counts(counts: Counter[str]) -> str:
    return "  ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def _sum(counts: list[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def summary(report: dict[str, Any]) -> str:
    """The end of a demo, in a few lines."""
    platforms = report["platforms"]
    connected = {name: one for name, one in platforms.items() if one["state"] == "CONNECTED"}
    blind = {name: one for name, one in platforms.items() if "not_connected" in one["gaps"]}
    in_force = sum(one["in_force"] for one in connected.values())
    resolved = sum(one["resolved"] for one in connected.values())
    lines = [
        f"Cases: {json.dumps(report['cases'])}",
        f"Connected platforms: {resolved:,} of {in_force:,} pairs resolved"
        + (f" ({resolved / in_force:.1%})" if in_force else ""),
        f"Blind spot: {len(blind)} platforms nobody hears from, "
        f"{sum(one['gaps']['not_connected'] for one in blind.values()):,} pairs, "
        f"{sum(one['incident'] for one in blind.values()):,} of numbers already in new hands",
    ]
    return "\n".join(lines)
