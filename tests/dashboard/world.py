"""The simulator's world: the API's shapes filled with figures that agree with each other and move with each step."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from hub.core.model import DAY_MS, HOUR_MS, GapClass, Outcome, PlatformState, Stage
from hub.core.standing import Standing
from hub.web import shapes

CASES = 48_210
DAYS_MAX = 92
STEP_SHARE = 0.0006
"""What of the open pairs of connected platforms is resolved in a step."""


class Sketch(NamedTuple):
    """A platform in a line. `bound`: bindings per 10,000 cases; `quality`: how much of what it is told it resolves."""

    id: str
    zh: str
    en: str
    sector: str
    tier: int
    state: PlatformState = PlatformState.CONNECTED
    quality: float = 0.97
    bound: float = 180.0
    standing: Standing | None = Standing.HEALTHY
    must: bool = False
    users: int | None = 40_000_000


UNCONNECTED = PlatformState.KNOWN_UNCONNECTED
SKETCHES = (
    Sketch("oakpurse", "橡袋支付", "OakPurse", "payment", 1, quality=0.995, bound=3_100, users=610_000_000),
    Sketch("tidebank", "潮汐银行", "Tide Bank", "bank", 1, quality=0.99, bound=1_420, users=180_000_000),
    Sketch("cloudnook", "云角网盘", "CloudNook", "cloud_drive", 1, quality=0.93, bound=960),
    Sketch("quillmail", "羽毛邮箱", "QuillMail", "mail", 1, quality=0.88, bound=510, standing=Standing.RECOVERING),
    Sketch("penniloan", "铜板贷", "PenniLoan", "lending", 1, UNCONNECTED, must=True, users=52_000_000),
    Sketch("swiftlend", "迅捷借", "SwiftLend", "lending", 1, UNCONNECTED, must=True, users=9_000_000),
    Sketch("plumchat", "梅子聊", "PlumChat", "social", 2, quality=0.985, bound=4_400, users=890_000_000),
    Sketch("cartwheel", "车轮购", "Cartwheel", "shopping", 2, quality=0.71, bound=2_200, standing=Standing.DEGRADED),
    Sketch("wayfarer", "行路人", "Wayfarer", "travel", 2, quality=0.96, bound=700),
    Sketch("mosstrade", "苔藓商城", "MossTrade", "shopping", 2, quality=0.9, bound=4, standing=Standing.HEALTHY),
    Sketch("kitehop", "风筝出行", "KiteHop", "travel", 2, UNCONNECTED, users=31_000_000),
    Sketch("lanternfeed", "灯笼社区", "LanternFeed", "social", 2, PlatformState.ONBOARDING, users=75_000_000),
    Sketch("bowlfast", "碗碗外卖", "BowlFast", "delivery", 3, quality=0.94, bound=1_050),
    Sketch("pixelden", "像素窝", "PixelDen", "games", 3, PlatformState.SUSPENDED, users=12_000_000),
    Sketch("reedradio", "芦苇电台", "Reed Radio", "media", 3, UNCONNECTED, users=None),
    Sketch("civicdesk", "政务一窗", "Civic Desk", "government", 3, PlatformState.EXEMPT, users=200_000_000),
    Sketch("oldmarket", "旧集市", "Old Market", "shopping", 2, PlatformState.LEFT, quality=0.5, users=4_000_000),
    Sketch("herbclinic", "百草诊所", "Herb Clinic", "health", 3, quality=0.99, bound=140),
)
HOSTILE = Sketch("hostile", '<img src=x onerror="hacked=1">', '<img src=x onerror="hacked=1">', "other", 3, UNCONNECTED)
BLIND = {UNCONNECTED, PlatformState.ONBOARDING, PlatformState.SUSPENDED, PlatformState.LEFT}


def now_ms() -> int:
    """The hub's time."""
    return int(time.time() * 1000)


def count_pairs(sketch: Sketch, in_force: int, done: float, salt: int) -> shapes.Pairs:
    """The pairs of a platform with so many cases in force, `done` of its work done."""
    chance = random.Random(f"{sketch.id}/{salt}")
    if sketch.state is PlatformState.EXEMPT or in_force == 0:
        return shapes.Pairs(in_force=0, resolved=0, takeover_safe=0)
    if sketch.state in BLIND:
        resolved = round(in_force * 0.3) if sketch.state in {PlatformState.LEFT, PlatformState.SUSPENDED} else 0
        blind = in_force - resolved
        return shapes.Pairs(
            in_force=in_force,
            resolved=resolved,
            takeover_safe=resolved,
            outcomes={Outcome.NOT_BOUND: resolved} if resolved else {},
            gaps={GapClass.NOT_CONNECTED: blind},
            overdue=round(blind * 0.8),
            exposed=round(blind * 0.22),
            incident=round(blind * 0.09),
        )
    resolved = min(in_force, round(in_force * done))
    unbound = min(resolved, round(in_force * sketch.bound / 10_000))
    open_pairs = in_force - resolved
    frozen = round(open_pairs * 0.45)
    declined, failed = round(open_pairs * 0.05), round(open_pairs * 0.04)
    unheard = round(open_pairs * (0.3 if sketch.standing is Standing.DEGRADED else 0.1))
    gaps = {GapClass.FROZEN: frozen, GapClass.DECLINED: declined, GapClass.FAILED: failed}
    gaps |= {GapClass.NOT_RECEIVED: unheard, GapClass.NO_OUTCOME: open_pairs - frozen - declined - failed - unheard}
    outcomes = {Outcome.UNBOUND: unbound, Outcome.NOT_BOUND: resolved - unbound, Outcome.FROZEN: frozen}
    outcomes |= {Outcome.DECLINED: declined, Outcome.FAILED: failed}
    return shapes.Pairs(
        in_force=in_force,
        resolved=resolved,
        takeover_safe=resolved + frozen,
        outcomes={one: n for one, n in outcomes.items() if n},
        gaps={one: n for one, n in gaps.items() if n > 0},
        overdue=round(open_pairs * 0.2),
        exposed=round(open_pairs * 0.08),
        incident=round(open_pairs * 0.01),
        restore_pending=chance.randrange(9),
        disputes=chance.randrange(4),
    )


def add_pairs(all_of: list[shapes.Pairs]) -> shapes.Pairs:
    """The sum of pairs."""
    plain = ("in_force", "resolved", "takeover_safe", "overdue", "exposed", "incident", "restore_pending", "disputes")
    outcomes = {one: sum(each.outcomes.get(one, 0) for each in all_of) for one in Outcome}
    gaps = {one: sum(each.gaps.get(one, 0) for each in all_of) for one in GapClass}
    return shapes.Pairs(
        outcomes={one: n for one, n in outcomes.items() if n},
        gaps={one: n for one, n in gaps.items() if n},
        **{name: sum(getattr(each, name) for each in all_of) for name in plain},
    )


@dataclass
class World:
    """A hub at a step. `cases`: how many are in force; `hostile`: whether a platform has markup for a name;
    `many`: how many made-up platforms there are besides; `behind`, `unheard`: how the reader fares."""

    cases: int = CASES
    hostile: bool = False
    many: int = 0
    behind: int = 0
    unheard: bool = False
    step: int = 0
    began_ms: int = field(default_factory=now_ms)

    @cached_property
    def sketches(self) -> tuple[Sketch, ...]:
        """The roster."""
        made_up = [
            one._replace(id=f"p{number:04d}", zh=f"{one.zh}{number}", en=f"{one.en} {number}")
            for number in range(self.many)
            for one in [SKETCHES[number % len(SKETCHES)]]
        ]
        return (*SKETCHES, *made_up, *([HOSTILE] if self.hostile else []))

    def as_of(self) -> shapes.AsOf:
        """When it is, and how far the reader is behind."""
        late = self.behind > 0 or self.unheard
        return shapes.AsOf(
            now_ms=now_ms(), read_at=now_ms(), behind_messages=self.behind, behind_ms=self.behind * 80, stale=late
        )

    def done(self, sketch: Sketch) -> float:
        """How much of its work a platform has done by this step."""
        return sketch.quality + (1 - sketch.quality) * min(0.5, self.step * STEP_SHARE)

    def in_force(self, sketch: Sketch) -> int:
        """How many cases count for a platform by this step."""
        if sketch.state is PlatformState.EXEMPT:
            return 0
        cases = self.cases + (self.step * 3 if self.cases else 0)
        return cases // 8 if sketch.state is PlatformState.LEFT else cases

    def pairs(self, sketch: Sketch) -> shapes.Pairs:
        """The pairs of a platform."""
        return count_pairs(sketch, self.in_force(sketch), self.done(sketch), 0)

    def row(self, sketch: Sketch) -> shapes.PlatformRow:
        """A platform's row."""
        connected = sketch.state is PlatformState.CONNECTED
        late = sketch.standing in {Standing.DEGRADED, Standing.RECOVERING} and connected and self.cases > 0
        return shapes.PlatformRow(
            id=sketch.id,
            name=shapes.Name(zh=sketch.zh, en=sketch.en),
            sector=sketch.sector,
            tier=sketch.tier,
            state=sketch.state,
            standing=sketch.standing if connected else None,
            channel=("file" if sketch.tier == 3 else "kafka") if connected else None,
            must_connect=sketch.must,
            pairs=self.pairs(sketch),
            waiting_since=self.began_ms - 5 * HOUR_MS if late else None,
            hours_to_effect_median=self.hours(sketch, 0) if connected and self.cases else None,
            bound_per_10000=sketch.bound if connected and self.cases else None,
            outlier=sketch.id == "mosstrade" and self.cases > 0,
            coverage_at=now_ms(),
        )

    def hours(self, sketch: Sketch, day: int) -> float:
        """Hours from notice to effect on a day."""
        return round(float(random.Random(f"{sketch.id}{day}").uniform(0.4, 9) / (1.02 - sketch.quality) ** 0.35), 2)

    def days(self, wanted: int) -> list[str]:
        """The last days, oldest first."""
        today = datetime.fromtimestamp(now_ms() / 1000, UTC).date()
        return [(today - timedelta(days=back)).isoformat() for back in reversed(range(wanted))]

    def cells(self, sketch: Sketch, wanted: int) -> list[shapes.Cell | None]:
        """A platform's days, oldest first; the newest have had the least time."""
        found: list[shapes.Cell | None] = []
        for back in reversed(range(wanted)):
            opened = random.Random(f"cases{back}").randrange(500, 900) if self.cases else 0
            if self.in_force(sketch) == 0 or (sketch.state is PlatformState.LEFT and back < 9) or not opened:
                found.append(None)
                continue
            shake = random.Random(f"{sketch.id}{back}").uniform(0.75, 1.04)
            silent = sketch.id == "cartwheel" and back < 4
            age = min(1.0, 0.35 + back * 0.16)
            done = 0.02 if silent else min(1.0, max(0.0, self.done(sketch) * shake * age))
            pairs = count_pairs(sketch, opened, done, back)
            said = sketch.state is PlatformState.CONNECTED and not silent
            found.append(
                shapes.Cell(
                    in_force=pairs.in_force,
                    resolved=pairs.resolved,
                    takeover_safe=pairs.takeover_safe,
                    outcomes=pairs.outcomes,
                    hours_to_effect_median=self.hours(sketch, back) if said else None,
                )
            )
        return found

    def guide(self, sketch: Sketch) -> shapes.Guide:
        """How a person unbinds there."""
        if sketch.users is None:
            return shapes.Guide()
        return shapes.Guide(
            url=f"https://example.com/{sketch.id}/unbind",
            steps=["设置 → 账号与安全 → 手机号", "选择“换绑或解绑”", "用邮箱或证件确认"],
            contact=f"privacy@{sketch.id}.example",
        )

    def case_counts(self) -> dict[Stage, int]:
        """Cases by stage."""
        shares = {Stage.COOLING: 0.61, Stage.SCHEDULED: 0.08, Stage.RELEASED: 0.19, Stage.REASSIGNED: 0.12}
        counts = {stage: round(self.in_force(SKETCHES[0]) * part) for stage, part in shares.items()}
        return {**counts, Stage.RESTORED: self.cases // 90, Stage.WITHDRAWN: self.cases // 800}

    def day_ms(self, days: float) -> int:
        """A time so many days away from when the world began."""
        return self.began_ms + round(days * DAY_MS)
