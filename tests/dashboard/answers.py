"""The simulator's answers: every shape the dashboard asks for, made from the world at its step."""

from __future__ import annotations

from hub.core.model import REFUSAL_TODO, Breach, GapClass, Limit, Outcome, PlatformState, Refusal, Stage
from hub.core.standing import Standing
from hub.web import shapes
from tests.dashboard.world import BLIND, Sketch, World, add_pairs

CASE = "7-120033"
NUMBER = "+8613400001234"
OPERATORS = (
    ("northtel", "北电", "NorthTel", True),
    ("delta", "三角移动", "Delta Mobile", True),
    ("isle", "屿通", "IsleCom", False),
)
REFUSED = {Refusal.BAD_SIGNATURE: 41, Refusal.WRONG_PARTITION: 12, Refusal.BEYOND_LOG: 7, Refusal.UNDECODABLE: 3}


def overview(world: World) -> shapes.Overview:
    """Everything at a glance."""
    of = {one: world.pairs(one) for one in world.sketches}
    blind = [pairs for one, pairs in of.items() if one.state in BLIND]
    connected = [pairs for one, pairs in of.items() if one.state is PlatformState.CONNECTED]
    states = [one.state for one in world.sketches]
    some = world.cases > 0
    return shapes.Overview(
        as_of=world.as_of(),
        pairs=add_pairs(list(of.values())),
        connected=add_pairs(connected),
        unconnected=add_pairs(blind),
        platforms={state: states.count(state) for state in PlatformState if state in states},
        degraded=sum(one.standing is Standing.DEGRADED for one in world.sketches) if some else 0,
        cases=world.case_counts() if some else {},
        today=shapes.Today(
            opened=612 + world.step * 3,
            scheduled=88,
            released=141,
            reassigned=97,
            undone=6,
            reports=14,
            refused=9,
            acknowledgements=18_402 + world.step * 211,
            breaches=23,
        )
        if some
        else shapes.Today(),
        hours_to_effect_median=30.4 if some else None,
    )


def platforms(world: World) -> shapes.Platforms:
    """Every platform."""
    return shapes.Platforms(as_of=world.as_of(), platforms=[world.row(one) for one in world.sketches])


def heatmap(world: World, days: int) -> shapes.Heatmap:
    """Platforms by days."""
    rows = [
        shapes.HeatmapRow(
            id=one.id,
            name=shapes.Name(zh=one.zh, en=one.en),
            tier=one.tier,
            state=one.state,
            cells=world.cells(one, days),
        )
        for one in world.sketches
    ]
    return shapes.Heatmap(as_of=world.as_of(), days=world.days(days), rows=rows)


def platform(world: World, sketch: Sketch, days: int = 30) -> shapes.PlatformDetail:
    """One platform."""
    history = [shapes.StateAt(at=world.day_ms(-200), state=PlatformState.KNOWN_UNCONNECTED, note="seen in reports")]
    if sketch.state is not PlatformState.KNOWN_UNCONNECTED:
        history += [shapes.StateAt(at=world.day_ms(-60), state=sketch.state, note="by the registrar")]
    return shapes.PlatformDetail(
        as_of=world.as_of(),
        platform=world.row(sketch),
        history=history,
        received_behind=[0] * 8 + [3 if sketch.standing is Standing.DEGRADED else 0] * 4,
        days=world.days(days),
        cells=world.cells(sketch, days),
        users_estimate=sketch.users,
        guide=world.guide(sketch),
    )


def blind_spots(world: World) -> shapes.BlindSpots:
    """Unconnected platforms, and a name that people report and nobody knows."""
    spots = []
    for one in (one for one in world.sketches if one.state in BLIND and world.cases):
        pairs = world.pairs(one)
        expected = None if one.users is None else round(one.users / 1e6 * world.cases / 900, 1)
        spots.append(
            shapes.BlindSpot(
                id=one.id,
                name=shapes.Name(zh=one.zh, en=one.en),
                sector=one.sector,
                tier=one.tier,
                state=one.state,
                must_connect=one.must,
                users_estimate=one.users,
                reported=len(one.id) * 3,
                expected=expected,
                low=(expected or 0) * 0.55,
                high=None if expected is None else expected * 1.9,
                sureness="FAIR" if expected else "ROUGH",
                would_close=pairs.gaps.get(GapClass.NOT_CONNECTED, 0),
                exposed=pairs.exposed,
                incident=pairs.incident,
                guide=world.guide(one),
            )
        )
    if world.cases:
        spots.append(
            shapes.BlindSpot(
                id=None,
                name=shapes.Name(zh="豆豆租", en="豆豆租"),
                sector=None,
                tier=None,
                state=None,
                reported=6,
                expected=6.0,
                low=6.0,
                high=None,
                sureness="ROUGH",
                would_close=0,
                guide=shapes.Guide(),
            )
        )
    ranked = sorted(spots, key=lambda one: -(one.expected or 0))
    return shapes.BlindSpots(as_of=world.as_of(), spots=ranked)


RAISED = [
    shapes.OperatorLimit(limit=Limit.PORTED, most=None, by="李伟", reason="portability hub", at=1_780_000_000_000),
    shapes.OperatorLimit(limit=Limit.NOTICES, most=200_000, by="李伟", reason="2 M customers", at=1_780_000_000_000),
]


def operators(world: World) -> shapes.Operators:
    """Every operator; the second is in breach, the third silent."""
    rows = []
    for index, (name, zh, en, clearance) in enumerate(OPERATORS if world.cases else ()):
        breaches = {Breach.FEW_REMINDERS: 4} if index == 0 else {}
        if index == 1:
            breaches = {Breach.EARLY_REISSUE: 17, Breach.NOT_CLEARED: 9, Breach.SHORT_NOTICE: 31, Breach.LATE_EVENT: 2}
        if index == 2:
            breaches = {Breach.SILENT: 2}
        rows.append(
            shapes.OperatorRow(
                id=name,
                name=shapes.Name(zh=zh, en=en),
                clearance_required=clearance,
                raised=RAISED if index == 1 else [],
                accepted=31_200 // (index + 1) + world.step,
                noted=410,
                duplicate=12,
                held=5 if index == 1 else 0,
                rejected=REFUSED if index == 1 else {Refusal.NOT_YOUR_RANGE: 2},
                breaches=breaches,
                last_event_at=world.day_ms(-2.2 if index == 2 else -0.0004),
                silent=index == 2,
                last_report_day=world.days(4)[0 if index == 2 else 2],
            )
        )
    return shapes.Operators(as_of=world.as_of(), operators=rows)


def breaches(world: World, operator: str) -> shapes.BreachPage:
    """The newest breaches of an operator."""
    kinds = (Breach.NOT_CLEARED, Breach.EARLY_REISSUE, Breach.SHORT_NOTICE)
    rows = [
        shapes.BreachRow(
            breach=kinds[n % 3], at=world.day_ms(-n * 0.21), case=f"{n % 12}-{1_200 + n}", source=f"3-{9_000 - n}"
        )
        for n in range(14)
    ]
    return shapes.BreachPage(as_of=world.as_of(), operator=operator, breaches=rows)


def refusals(world: World) -> shapes.RefusalPage:
    """The newest refused messages."""
    rows = [
        shapes.RefusalRow(
            at=world.day_ms(-n * 0.03),
            topic="acks" if reason is Refusal.BEYOND_LOG else "events",
            source=f"{n}-{88_100 + n}",
            sender="delta" if n % 2 else None,
            reason=reason,
            todo=REFUSAL_TODO[reason],
        )
        for n, reason in enumerate([*REFUSED, *REFUSED])
    ]
    return shapes.RefusalPage(as_of=world.as_of(), refusals=rows if world.cases else [])


def pipeline(world: World) -> shapes.Pipeline:
    """How the hub fares."""
    readers = (
        ("workers", "events"),
        ("workers", "acks"),
        ("board", "coverage"),
        ("standings", "acks"),
        ("archive", "acks"),
    )
    late = {("archive", "acks"): 312, ("board", "coverage"): world.behind}
    topics = ("events", "releases", "acks", "coverage", "reports", "rejected")
    rates = (6.2, 6.1, 212.4, 18.0, 0.1, 0.0)
    some = world.cases > 0
    return shapes.Pipeline(
        as_of=world.as_of(),
        followers=[
            shapes.FollowerRow(
                reader=reader,
                topic=topic,
                behind=n,
                behind_ms=n * 80 if n else None,
                silent=reader == "archive" and world.behind > 0,
            )
            for reader, topic in readers
            for n in [late.get((reader, topic), 0) if some else 0]
        ],
        topics=[
            shapes.TopicRow(
                topic=topic,
                messages=(50_000 + world.step * 7) * (n + 1) if some else 0,
                per_second=rate if some else 0.0,
            )
            for n, (topic, rate) in enumerate(zip(topics, rates, strict=True))
        ],
        refused=REFUSED if some else {},
        coverage_age_ms=740 if some else None,
        held=5 if some else 0,
    )


def _effect(world: World, index: int, sketch: Sketch) -> shapes.Effect:
    gap: GapClass | None = None
    shown: Outcome | None = (Outcome.NOT_BOUND, Outcome.UNBOUND, Outcome.FROZEN, Outcome.NOT_BOUND)[index % 4]
    if sketch.state in BLIND:
        gap, shown = GapClass.NOT_CONNECTED, None
    elif sketch.standing is Standing.DEGRADED:
        gap, shown = GapClass.NOT_RECEIVED, None
    elif shown is Outcome.FROZEN:
        gap = GapClass.FROZEN
    return shapes.Effect(
        platform=sketch.id,
        name=shapes.Name(zh=sketch.zh, en=sketch.en),
        tier=sketch.tier,
        state=sketch.state,
        status="cleared" if gap is None else "pending",
        shown=shown,
        gap=gap,
        overdue=gap is GapClass.NOT_RECEIVED,
        received=None if sketch.state in BLIND else shown is not None,
        first_said_at=world.day_ms(-50 + index / 20) if shown else None,
        last_said_at=world.day_ms(-3) if shown else None,
        deadline_at=world.day_ms(5),
        guide=world.guide(sketch),
    )


def case(world: World) -> shapes.Case:
    """The one case there is."""
    effects = [_effect(world, n, one) for n, one in enumerate(world.sketches) if one.state is not PlatformState.EXEMPT]
    cleared = sum(one.status == "cleared" for one in effects)
    short = [Breach.SHORT_NOTICE]
    return shapes.Case(
        id=CASE,
        operator="northtel",
        stage=Stage.RELEASED,
        opened_at=world.day_ms(-51),
        cooling_until=world.day_ms(-1),
        reissue_not_before=world.day_ms(5),
        bound_before=world.day_ms(-51),
        days_to_reissue=5.0,
        cleared=cleared,
        pending=len(effects) - cleared,
        refused=0,
        status="pending",
        unconnected=[one.id for one in world.sketches if one.state in BLIND],
        effects=effects,
        moments=[
            _moment(world, -61, "event", "SUSPENDED", "northtel", "3-9001"),
            _moment(world, -51, "event", "COOLING", "northtel", "3-9411"),
            _moment(world, -51, "notice", "COOLING", "northtel", CASE),
            _moment(world, -50.8, "effect", "FROZEN", "cloudnook", "2-790"),
            _moment(world, -20, "report", "DEBT_CALLS", "penniloan", "0-31"),
            _moment(world, -2, "event", "RELEASE_SCHEDULED", "northtel", "3-12044", short),
            _moment(world, -1, "event", "RELEASED", "northtel", "3-12090"),
            _moment(world, -0.5, "answer", "UNBOUND", "penniloan", "0-33"),
        ],
    )


def _moment(
    world: World, days: float, kind: str, what: str, who: str, source: str, breaches: list[Breach] | None = None
) -> shapes.Moment:
    return shapes.Moment(at=world.day_ms(days), kind=kind, what=what, who=who, breaches=breaches or [], source=source)
