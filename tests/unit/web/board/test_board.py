"""The board: small topics in, pages out; what is said twice or in another order changes nothing."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from pyroaring import BitMap

from hub.archive.answers import Place
from hub.core.coverage import pack
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    AcceptedReport,
    AsOf,
    Breach,
    Coverage,
    Decision,
    GapBitmap,
    GapClass,
    GapCount,
    Gaps,
    HeldDecided,
    HeldEvent,
    HeldWhy,
    HubLog,
    Names,
    Operator,
    Outcome,
    OutcomeCount,
    PartitionThrough,
    Platform,
    PlatformState,
    Receipt,
    Received,
    Record,
    Refusal,
    Rejected,
    ReleaseNotice,
    ReportKind,
    Source,
    Stage,
    Subject,
)
from hub.core.standing import Standing
from hub.core.unconnected import ranked
from hub.settings import WorkerSettings
from hub.web import shapes
from hub.web.board.archive_rows import archive_rows
from hub.web.board.blind_spots import blind_spots
from hub.web.board.board import Board
from hub.web.board.cohorts import NoCohorts
from hub.web.board.following import LiveBoard
from hub.web.board.operator_pages import daily_breaches, operators, pipeline
from hub.web.board.platform_pages import overview, platform, platforms
from hub.web.board.snapshot import Gauges, Sight
from hub.web.board.stages import StageBook
from hub.wire import contracts
from hub.wire.contracts import encode, receipts_topic
from tests.archive_dump import written

NOW = 20_000 * DAY_MS + 10 * HOUR_MS
AS_OF = AsOf((10, 20), 0, 5, 2, NOW - 1_000)
NUMBER = "+8613500000001"


def record(topic: str, offset: int, value: tuple[Any, ...] | None, *, key: bytes = b"", at: int = NOW) -> Record:
    return Record(topic, 0, offset, at, key, None if value is None else encode(value), ())


def known(name: str, state: PlatformState = PlatformState.CONNECTED, **more: Any) -> Platform:
    return Platform(name, Names(f"{name}中", name), "drive", 1, state, **more)


def covered(name: str, state: PlatformState = PlatformState.CONNECTED, **more: Any) -> Coverage:
    figures: dict[str, Any] = {
        "in_force": 100,
        "resolved": 80,
        "outcomes": (
            OutcomeCount(Outcome.UNBOUND, 30),
            OutcomeCount(Outcome.NOT_BOUND, 50),
            OutcomeCount(Outcome.FROZEN, 12),
        ),
        "gaps": (GapCount(GapClass.FROZEN, 12), GapCount(GapClass.NO_OUTCOME, 8)),
        "overdue": 3,
        "exposed": 2,
        "incident": 1,
        "restore_pending": 4,
        "disputes": 5,
        "received": (PartitionThrough(0, 7), PartitionThrough(1, 19)),
        "as_of": AS_OF,
        **more,
    }
    return Coverage(platform=name, state=state, **figures)


def receipt(offset: int, decision: Decision, at: int = NOW - HOUR_MS, **more: Any) -> Receipt:
    given: dict[str, Any] = {"event_id": None, "reason": None, "position": None, "breaches": (), **more}
    return Receipt(source=Source(0, offset), decision=decision, recorded_at=at, **given)


def letter(offset: int, reason: Refusal, **more: Any) -> Rejected:
    given: dict[str, Any] = {"topic": "events", "sender": "north", "recorded_at": NOW - HOUR_MS, **more}
    return Rejected(partition=0, offset=offset, reason=reason, key=None, value=None, headers=(), **given)


def reported(name: str, number: str, at: int = NOW - HOUR_MS, platform_id: str | None = None) -> AcceptedReport:
    given = (Source(0, 0), uuid.uuid4().bytes, "north", number, platform_id, name, ReportKind.STILL_BOUND)
    return AcceptedReport(*given, None, at, at, None)


UNCONNECTED = covered(
    "gymnow",
    PlatformState.KNOWN_UNCONNECTED,
    resolved=0,
    outcomes=(),
    gaps=(GapCount(GapClass.NOT_CONNECTED, 100),),
    received=(),
    exposed=9,
    incident=6,
)
NONE = pack(BitMap())
UNANSWERED = (GapBitmap(GapClass.NO_OUTCOME, pack(BitMap([1, 2, 3]))),)
GAPS = Gaps("panbox", 0, 0, UNANSWERED, pack(BitMap([2, 3, 9])), NONE, NONE, NONE, AS_OF)
TOPICS: dict[str, list[Record]] = {
    contracts.PLATFORMS: [
        record(contracts.PLATFORMS, 0, known("panbox", guide_url="https://old.example")),
        record(
            contracts.PLATFORMS,
            1,
            known("gymnow", PlatformState.KNOWN_UNCONNECTED, users_estimate=5_000, must_connect=True),
        ),
        record(contracts.PLATFORMS, 2, known("panbox", users_estimate=9_000)),
    ],
    contracts.OPERATORS: [
        record(contracts.OPERATORS, 0, Operator("north", Names("北", "North"), ("+86135",), since=NOW - 2 * DAY_MS)),
    ],
    contracts.COVERAGE: [
        record(contracts.COVERAGE, 0, covered("panbox", in_force=1, resolved=0)),
        record(contracts.COVERAGE, 1, UNCONNECTED, at=NOW - 5),
        record(contracts.COVERAGE, 2, covered("panbox"), at=NOW - 7),
    ],
    contracts.GAPS: [record(contracts.GAPS, 0, GAPS)],
    contracts.TILES: [
        record(contracts.TILES, 0, Received("panbox", 0, b"1" * 16, 7), key=b"panbox/0/received/ab", at=NOW - HOUR_MS),
    ],
    contracts.REJECTED: [
        record(contracts.REJECTED, 0, letter(4, Refusal.NOT_YOUR_CASE)),
        record(contracts.REJECTED, 1, letter(4, Refusal.NOT_YOUR_CASE)),
        record(contracts.REJECTED, 2, letter(9, Refusal.BAD_SIGNATURE, sender=None, recorded_at=NOW - 2 * DAY_MS)),
    ],
    contracts.REPORTED: [
        record(contracts.REPORTED, 0, reported("gymnow", NUMBER, platform_id="gymnow")),
        record(contracts.REPORTED, 1, reported("gymnow", NUMBER, platform_id="gymnow")),
        record(contracts.REPORTED, 2, reported("Some App", "+8613500000002", at=NOW - 3 * DAY_MS)),
    ],
    contracts.HELD: [
        record(contracts.HELD, 0, HeldEvent(Source(0, 30), "north", b"0" * 16, HeldWhy.DAILY_LIMIT, NOW, b"v", ())),
        record(contracts.HELD, 1, HeldEvent(Source(0, 31), "north", b"1" * 16, HeldWhy.DAILY_LIMIT, NOW, b"v", ())),
        record(contracts.HELD, 2, HeldDecided(Source(0, 30), Source(0, 40), Decision.ACCEPTED)),
    ],
    receipts_topic("north"): [
        record(receipts_topic("north"), 0, receipt(1, Decision.ACCEPTED, breaches=(Breach.LATE_EVENT,))),
        record(receipts_topic("north"), 1, receipt(1, Decision.ACCEPTED, breaches=(Breach.LATE_EVENT,))),
        record(receipts_topic("north"), 2, receipt(2, Decision.NOTED)),
        record(receipts_topic("north"), 3, receipt(4, Decision.REFUSED, reason=Refusal.OUT_OF_ORDER)),
        record(
            receipts_topic("north"), 4, receipt(5, Decision.REPORTED, report_day=NOW // DAY_MS - 2, report_sent=(9,))
        ),
    ],
}


def sight_of(*logs: Sequence[Record], gauges: Gauges | None = None) -> Sight:
    board = Board()
    for log in logs:
        for one in log:
            board.take(one)
    as_of = shapes.AsOf(now_ms=NOW, read_at=NOW)
    return Sight(board, StageBook(), NoCohorts(), gauges or Gauges(waiting={"panbox": NOW - HOUR_MS}), as_of)


def pages(sight: Sight) -> list[dict[str, Any]]:
    made = (overview(sight), platforms(sight), blind_spots(sight), operators(sight), pipeline(sight))
    return [page.model_dump() for page in made]


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_topics_and_repeats_change_no_page(seed: int) -> None:
    """Topics are read each at its own pace, and again after a restart: the pages are the same."""
    rng = random.Random(seed)
    waiting = [list(log) for log in TOPICS.values()]
    mixed: list[Record] = []
    while any(waiting):
        mixed.append(rng.choice([log for log in waiting if log]).pop(0))
    assert pages(sight_of(mixed)) == pages(sight_of(*TOPICS.values()))
    assert pages(sight_of(mixed, *TOPICS.values())) == pages(sight_of(*TOPICS.values()))


def test_the_overview_is_the_sum_of_the_published_coverage() -> None:
    """Both halves add up to the whole, with the newest record of each platform; frozen ones are takeover-safe."""
    page = overview(sight_of(*TOPICS.values()))
    assert (page.pairs.in_force, page.pairs.resolved, page.pairs.takeover_safe) == (200, 80, 92)
    assert (page.connected.in_force, page.unconnected.in_force) == (100, 100)
    assert page.pairs.gaps == {GapClass.FROZEN: 12, GapClass.NO_OUTCOME: 8, GapClass.NOT_CONNECTED: 100}
    assert (page.pairs.exposed, page.pairs.incident) == (11, 7)
    assert page.platforms == {PlatformState.CONNECTED: 1, PlatformState.KNOWN_UNCONNECTED: 1}
    assert page.degraded == 1, "panbox has waited for an hour"


def test_today_counts_what_happened_since_midnight_utc() -> None:
    """What is older than the hub's day is in no count of today, and what is said twice counts once."""
    today = overview(sight_of(*TOPICS.values(), gauges=Gauges(acks_today=17))).today
    assert (today.reports, today.refused, today.breaches, today.acknowledgements) == (2, 1, 1, 17)


def test_a_platforms_row_has_its_record_figures_and_standing() -> None:
    """The newest roster record, its coverage, how it behaves, what it found bound, and how far it is behind."""
    gauges = Gauges(waiting={"panbox": NOW - HOUR_MS}, releases={0: 10, 1: 20})
    detail = platform(sight_of(*TOPICS.values(), gauges=gauges), "panbox", days=3)
    assert detail is not None
    assert detail.platform.standing is Standing.DEGRADED
    assert detail.platform.waiting_since == NOW - HOUR_MS
    assert detail.platform.bound_per_10000 == pytest.approx(10_000 * 42 / 92, abs=0.01)
    assert detail.platform.coverage_at == NOW - 7
    assert detail.received_behind == [2, 0]
    assert detail.users_estimate == 9_000
    assert detail.days == ["2024-10-02", "2024-10-03", "2024-10-04"]
    assert detail.cells == [None, None, None]
    assert platform(sight_of(*TOPICS.values()), "nobody") is None


def test_a_platform_that_leaves_cases_unanswered_is_degraded_though_it_keeps_up() -> None:
    """Two overdue cases it received and never answered; it waits for nothing."""
    sight = sight_of(*TOPICS.values(), gauges=Gauges())
    assert sight.board.behaviour("panbox", None).unanswered == 2
    assert sight.standing("panbox") is Standing.DEGRADED
    assert sight.standing("gymnow") is None


def test_blind_spots_say_what_connecting_would_close() -> None:
    """The gaps nobody answers, distinct reported numbers, and names nobody knows beside the roster's."""
    spots = {one.name.en: one for one in blind_spots(sight_of(*TOPICS.values())).spots}
    assert set(spots) == {"gymnow", "Some App"}
    assert (spots["gymnow"].would_close, spots["gymnow"].reported, spots["gymnow"].must_connect) == (100, 1, True)
    assert (spots["gymnow"].exposed, spots["gymnow"].incident) == (9, 6)
    assert (spots["Some App"].id, spots["Some App"].would_close, spots["Some App"].reported) == (None, 0, 1)


@pytest.mark.parametrize("number", sorted(written("+8613512345678")))
def test_a_number_in_a_name_nobody_knows_is_not_shown(number: str) -> None:
    """What a person wrote beside a platform's name may be a phone number: the page shows the name without it."""
    told = [
        record(contracts.REPORTED, 10 + at, reported(name, f"+861351234567{at}"))
        for at, name in enumerate((f"某店 {number}", "某店 13598765432"))
    ]
    (spot,) = [one for one in blind_spots(sight_of(*TOPICS.values(), told)).spots if one.reported == 2]
    assert spot.name.zh == spot.name.en == "某店 #"


def test_a_platform_that_left_stays_a_blind_spot_while_it_has_gaps_or_reports() -> None:
    """Leaving erases no gap; one that left with everything resolved, and of which nobody complains, is none."""
    left = {name: known(name, PlatformState.LEFT, users_estimate=9_000) for name in ("gaps", "told", "clean")}
    resolved: dict[str, Any] = {"in_force": 100, "resolved": 100, "gaps": ()}
    shown = {name: covered(name, PlatformState.LEFT, **({} if name == "gaps" else resolved)) for name in left}
    shown["panbox"] = covered("panbox")
    platforms = {**left, "panbox": known("panbox", users_estimate=9_000)}
    spots = {one.name: one for one in ranked(platforms, shown, {"told": 2})}
    assert set(spots) == {"gaps", "told"}
    assert spots["gaps"].high is not None
    assert spots["gaps"].high <= 20, "at most what it never resolved"
    assert spots["told"].low >= 2


def test_an_operators_row_counts_distinct_messages_with_their_true_reasons() -> None:
    """A repeat counts once; OUT_OF_ORDER that was NOT_YOUR_CASE is shown as that; silence follows from the clock."""
    (row,) = operators(sight_of(*TOPICS.values())).operators
    assert (row.accepted, row.noted, row.duplicate) == (1, 1, 0)
    assert row.rejected == {Refusal.NOT_YOUR_CASE: 1}
    assert row.breaches == {Breach.LATE_EVENT: 1, Breach.SILENT: 1, Breach.COUNT_MISMATCH: 1}
    assert row.last_event_at == NOW - HOUR_MS
    assert (row.last_report_day, row.silent) == ("2024-10-02", True)


def test_daily_breaches_name_their_day() -> None:
    """Silence and lost counts, newest first, each with the UTC day it is about."""
    rows = daily_breaches(sight_of(*TOPICS.values()), "north")
    assert rows is not None
    assert [(one.breach, one.day) for one in rows] == [
        (Breach.SILENT, "2024-10-03"),
        (Breach.COUNT_MISMATCH, "2024-10-02"),
    ]
    assert daily_breaches(sight_of(*TOPICS.values()), "nobody") is None


def test_the_pipeline_shows_refusals_held_events_and_the_age_of_coverage() -> None:
    """A refusal counts once a source, a held event until it is decided."""
    page = pipeline(sight_of(*TOPICS.values()))
    assert page.refused == {Refusal.NOT_YOUR_CASE: 1, Refusal.BAD_SIGNATURE: 1}
    assert page.held == 1
    assert page.coverage_age_ms == 1_000


def test_what_cannot_be_read_changes_nothing_and_is_counted() -> None:
    """One bad record in any topic stops nothing and moves no page."""
    board = sight_of(*TOPICS.values()).board
    before, version = pages(sight_of(*TOPICS.values())), board.version
    for topic in TOPICS:
        board.take(Record(topic, 0, 99, NOW, b"/received/", b"\xc3\x01 no", ()))
    assert (board.version, board.unreadable) == (version, len(TOPICS))
    assert pages(sight_of(*TOPICS.values())) == before


def test_pages_that_moved_are_named() -> None:
    """Whoever watches learns which pages show something else since a version."""
    board = Board()
    board.take(TOPICS[contracts.COVERAGE][0])
    version = board.version
    assert board.moved_since(0) == ["blind-spots", "overview", "platforms"]
    board.take(TOPICS[contracts.REJECTED][0])
    assert board.moved_since(version) == ["operators", "overview", "pipeline", "refusals"]
    assert board.moved_since(board.version) == []


# ---- How old what is shown is ----


@dataclass
class Still:
    """A reader that stands where it stands."""

    places: dict[TopicPartition, int]


async def test_a_page_is_as_old_as_the_furthest_behind_of_those_it_rests_on(tmp_path: Path) -> None:
    """Cells, medians and cases come from the standings: when these are behind, what is shown says so."""
    acks = [TopicPartition(contracts.ACKS, one) for one in range(2)]
    standings = [Still({acks[0]: 3}), Still({acks[1]: 8})]
    hub_log = HubLog(b"l" * 16, "hub-1", 2, "record", NOW)
    live = LiveBoard(WorkerSettings("127.0.0.1:1", tmp_path, "web"), hub_log, others={"standings": standings})
    assert live.as_of().behind_messages == 0
    live.gauge.ends = {acks[0]: 10, acks[1]: 10, TopicPartition(contracts.COVERAGE, 0): 4}
    assert live.as_of().behind_messages == 7 + 2, "the board alone is behind by 4"
    standings[0].places[acks[0]] = standings[1].places[acks[1]] = 10
    assert live.as_of().behind_messages == 4


def kept(topic: str, part: int, next_offset: int, log_end: int, seen_at: int = NOW) -> Place:
    behind = max(0, log_end - next_offset)
    return Place(topic, part, next_offset, log_end, NOW - HOUR_MS, seen_at, behind, 0 if behind else None)


def test_an_archive_that_died_abreast_of_its_logs_is_shown_behind_and_silent() -> None:
    """It is measured against the ends as they are, on the hub's clock; not heard of lately, it is silent."""
    ends = {TopicPartition("acks", one): 100 for one in range(2)} | {TopicPartition("events", 0): 5}
    places = [kept("acks", 0, 40, 40), kept("acks", 1, 90, 90), kept("events", 0, 5, 5)]
    machine_ms = NOW + 1_000_000 * DAY_MS
    dead = archive_rows(places, ends, NOW, machine_ms)
    assert [(one.topic, one.behind, one.behind_ms, one.silent) for one in dead] == [
        ("acks", 70, HOUR_MS, True),
        ("events", 0, None, True),
    ]
    alive = [one._replace(seen_at=machine_ms - 3_000) for one in places[:1]] + places[1:]
    assert not any(one.silent for one in archive_rows(alive, ends, NOW, machine_ms)), "one log is enough to be heard of"
    assert archive_rows([], ends, NOW, machine_ms) == []


# ---- Cases by stage ----


def notice(
    offset: int, stage: Stage, opened_at: int | None, source: int | None = None, at: int = NOW
) -> tuple[Source, ReleaseNotice]:
    given = (Subject("e164", NUMBER), "north", at, at, at, None, None, 0, b"0" * 16, b"0" * 32)
    return Source(0, offset), ReleaseNotice(
        stage, opened_at, *given, Source(0, offset if source is None else source), b"l" * 16
    )


def test_cases_by_stage_follow_the_notices() -> None:
    """Three cases, one moved twice and one undone; a repeat of an old source counts nowhere."""
    book = StageBook()
    story = [
        notice(0, Stage.COOLING, None),
        notice(1, Stage.COOLING, None),
        notice(2, Stage.SCHEDULED, 0),
        notice(3, Stage.REASSIGNED, None),
        notice(4, Stage.RELEASED, 0),
        notice(5, Stage.RESTORED, 1),
        notice(6, Stage.COOLING, None, source=1),
        notice(7, Stage.SCHEDULED, 1, source=7),
    ]
    for position, one in story:
        book.take(position, one)
    assert book.stages() == {Stage.RELEASED: 1, Stage.REASSIGNED: 1, Stage.RESTORED: 1}
    day = book.day(NOW)
    assert (day["OPENED"], day[Stage.SCHEDULED], day[Stage.RELEASED], day[Stage.RESTORED]) == (3, 1, 1, 1)


def test_a_book_that_begins_today_counts_today_alone() -> None:
    """Where others know the cases, the day's notices count though their openers were never read."""
    book = StageBook(whole=False)
    book.take(*notice(70, Stage.RELEASED, 3))
    book.take(*notice(71, Stage.REASSIGNED, 3, at=NOW + DAY_MS))
    assert (book.day(NOW)[Stage.RELEASED], book.day(NOW + DAY_MS)[Stage.REASSIGNED]) == (1, 1)
