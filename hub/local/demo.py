"""This module runs the demo: a made-up world in a whole hub, shown in the terminal and on the dashboard.

It is slow enough to watch: the first part of the world, eight months, passes in about a minute; after that a day takes
four minutes, and `hub.local.living` makes things happen. All times are the world's, also the dashboard's "today" and
every lag.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hub.core.model import DAY_MS, GapClass, Platform, Role
from hub.local.beside import Beside
from hub.local.living import ASKING, JOINING, LATE, SILENT, Living
from hub.local.pace import Pace
from hub.local.replay import Replay
from hub.local.worlds import Crowd, make_world

FRAME_S = 0.5
BAR_CELLS = 20
CASES = 600
SEED = 7
FIRST_DAYS = 243
CROWD = Crowd(days=30, lives_a_day=150)
"""The cases that begin after the first part; with so many, something happens every second or two, for two hours."""

WATCH_S = 75.0
"""How long the first part takes, unless an option says otherwise."""

FIRST_PART = 0.6
"""The share of the first part in a demo that ends by itself."""

DAYS_A_SECOND = 1 / 240
SILENT_OPERATOR = "vale"
SILENT_DAYS = 2
HURRY_S = 120.0
"""If a demo has less than this time after its first part, things happen faster in it."""


class About(NamedTuple):
    """What the demo's roster says, beside the name, of a platform that nobody hears from."""

    users: int
    must_connect: bool
    contact: str


UNCONNECTED = {
    "penniloan": About(42_000_000, True, "recycling@penniloan.invalid"),
    "kerbpal": About(9_000_000, False, "hello@kerbpal.invalid"),
    "oldboard": About(3_500_000, False, "admin@oldboard.invalid"),
    "chalkly": About(18_000_000, True, "privacy@chalkly.invalid"),
    "cliffbank": About(27_000_000, True, "numbers@cliffbank.invalid"),
}
CONNECTED_USERS = 30_000_000
STEPS = (
    "打开“我的”，再打开“账号与安全” · Open Me, then Account and security",
    "更换或注销手机号 · Change or remove the number",
)


class Demo:
    """One run of the demo.

    Args:
        data_dir: the folder of the world and the hub.
        duration_s: the demo ends by itself after about this time, with a summary.
        speed: how many times faster than usual the first part passes and things happen after it; without it, a demo
            that ends by itself fits them into its time. The length of a day after the first part does not change.
    """

    def __init__(
        self,
        data_dir: Path,
        duration_s: float | None,
        *,
        speed: float | None = None,
        web: bool = True,
        web_port: int = 0,
    ) -> None:
        world = data_dir / "world"
        make_world(world, seed=SEED, cases=CASES, days=FIRST_DAYS, crowd=CROWD)
        options = ("--port", str(web_port)) if web else None
        self.replay = Replay(world, data_dir, beside=Beside(archive=web, web=options), on_start=self._begin)
        self._people_the_roster()
        first_s, hurry = _haste(duration_s, speed)
        turn_ms = self.replay.world.starts_at + FIRST_DAYS * DAY_MS
        self.replay.pace = Pace(turn_ms, FIRST_DAYS / first_s, DAYS_A_SECOND)
        self.replay.ends_after_s = duration_s
        self.replay.apart = (LATE, SILENT, JOINING)
        self._living = Living(self.replay, turn_ms, hurry)
        self._console = Console()

    def _people_the_roster(self) -> None:
        """Add users, contacts and unbinding steps, which a world does not have, and an operator without reports."""
        world = self.replay.world
        world.platforms = [(_about(platform), behaviour) for platform, behaviour in world.platforms]
        first = (world.starts_at + FIRST_DAYS * DAY_MS) // DAY_MS
        world.silent_days[SILENT_OPERATOR] |= set(range(first - SILENT_DAYS, first + CROWD.days))

    async def run(self) -> dict[str, Any]:
        """Run until the world ends; return the report."""
        drawing = asyncio.create_task(self._draw())
        try:
            return await self.replay.run()
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)

    def _begin(self, _run: Replay) -> None:
        """When the hub serves, print where, and start what happens in the world besides its events."""
        for name, where in self.replay.hub.describe().items():
            self._console.print(f"{name:18} {where}", soft_wrap=True)
        beside = self.replay.hub.beside
        if "web" in beside.running:
            self._living.token = beside.token(Role.OPERATOR, ASKING)
        self.replay.meanwhile.append(asyncio.create_task(self._living.go_on()))

    async def _draw(self) -> None:
        with Live(console=self._console, refresh_per_second=4) as live:
            while True:
                live.update(Group(*draw(snapshot(self.replay))))
                await asyncio.sleep(FRAME_S)


def _haste(duration_s: float | None, speed: float | None) -> tuple[float, float]:
    """Return how long the first part takes, in seconds, and how many times faster things happen after it."""
    if speed is not None:
        return WATCH_S / speed, speed
    if duration_s is None:
        return WATCH_S, 1.0
    first_s = duration_s * FIRST_PART
    return first_s, max(1.0, HURRY_S / (duration_s - first_s))


def _about(platform: Platform) -> Platform:
    about = UNCONNECTED.get(platform.id)
    if about is None:
        return platform._replace(users_estimate=CONNECTED_USERS // platform.tier)
    return platform._replace(
        users_estimate=about.users, must_connect=about.must_connect, contact=about.contact, guide_steps=STEPS
    )


def snapshot(replay: Replay) -> dict[str, Any]:
    """Return what is shown of a running replay, as plain data for the page and the terminal."""
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
    """Draw a snapshot for the terminal."""
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
    """Draw a bar with resolved pairs in green, frozen ones in yellow and all others in red."""
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
    """Return a summary of a demo's report, in a few lines."""
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
