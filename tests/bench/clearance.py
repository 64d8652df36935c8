"""Clearance of 1,000 numbers at 1,000 platforms and 10,000,000 cases: p50 and p99 of a whole answer, record included.

Filled in bulk, past Kafka: cases are folded into the answerer's own `CaseStore` with the code that folds notices, one
in fifty of them released; tiles are put into its state in the mix `skewed` of `tests.bench.state` and saved as it saves
them. The logs of acks and releases stay empty. What is measured is real: an answerer opened over that state on a real
Kafka, each question waiting for the logs' ends as they were when it came, 1,000 signed ids, and its record durable.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry
from pyroaring import BitMap

from hub.clearance.answering import Answerer, open_answerer
from hub.clearance.pair_state import PairState, PairStore
from hub.clearance.pairs import PairsNow
from hub.core.model import (
    DAY_MS,
    SEGMENT,
    ClearancePolicy,
    Coverage,
    GapClass,
    GapCount,
    HubLog,
    Outcome,
    OutcomeCount,
    Platform,
    ReleaseNotice,
    Role,
    Source,
    Stage,
    Subject,
)
from hub.core.model import AsOf as CoverageAsOf
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe
from hub.folds.case_store import CaseStore
from hub.kafka.running import collect_seldom
from hub.settings import WorkerSettings
from hub.web.board.board import Board
from hub.web.board.cohorts import PairCohorts
from hub.web.board.platform_pages import heatmap, overview
from hub.web.board.platform_pages import platforms as platforms_page
from hub.web.board.snapshot import Gauges, Sight
from hub.web.board.stages import StageBook
from hub.web.shapes import AsOf
from hub.wire.contracts import encode
from tests.bench import messages
from tests.bench.machine import resident_bytes
from tests.bench.rig import PARTITIONS, rig
from tests.bench.state import BOUND_MOST

log = logging.getLogger(__name__)

PLATFORMS = (1_000, 50)
CASES = (10_000_000, 120_000)
RELEASED_EVERY = 50
NUMBERS = 1_000
QUESTIONS = (200, 20)
FLUSH_EVERY = 100_000


async def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Fill an answerer's state, open the answerer over it, and ask."""
    platforms = PLATFORMS[1] if quick else PLATFORMS[0]
    async with rig(folder, quick=quick, platforms=platforms) as one:
        cases = one.size(*CASES) // PARTITIONS * PARTITIONS
        settings = WorkerSettings(one.address.bootstrap_servers, folder / "web", "web-1")
        began = time.monotonic()
        await asyncio.to_thread(_fill, settings.data_dir / "standings", one.log, cases, platforms)
        filled_s = time.monotonic() - began
        began = time.monotonic()
        async with open_answerer(settings, one.log, ClearancePolicy(), CollectorRegistry()) as answerer:
            assert await answerer.pairs.reach(600.0), "the answerer does not get to the ends"
            opened_s = time.monotonic() - began
            collect_seldom()  # as the program does
            found = {
                "platforms": platforms,
                "cases": cases,
                "numbers": NUMBERS,
                "fill_s": filled_s,
                "open_s": opened_s,
                "operator": await _ask(answerer, cases, one.size(*QUESTIONS), messages.OPERATOR, Role.OPERATOR),
                "one_number": await _ask(
                    answerer, cases, one.size(*QUESTIONS), messages.OPERATOR, Role.OPERATOR, count=1
                ),
                "pages": _pages(answerer.pairs, one.size(*QUESTIONS), cases),
                "resident_bytes": resident_bytes(os.getpid()),
            }
    log.info("%s", found)
    return found


async def _ask(
    answerer: Answerer, cases: int, questions: int, asked_by: str, role: Role, *, count: int = NUMBERS
) -> dict[str, Any]:
    rng = random.Random(questions)
    took: list[float] = []
    answers: dict[str, int] = {}
    for _ in range(questions):
        numbers = [_number(rng.randrange(cases // RELEASED_EVERY) * RELEASED_EVERY) for _ in range(count)]
        began = time.perf_counter()
        given = await answerer.answer(numbers, asked_by, role)
        took.append((time.perf_counter() - began) * 1_000)
        for one in given.answers:
            answers[one.seen.answer] = answers.get(one.seen.answer, 0) + 1
    p50, p99 = np.percentile(took, [50, 99])
    return {"questions": questions, "p50_ms": float(p50), "p99_ms": float(p99), "answers": answers}


def _pages(standings: PairsNow, questions: int, cases: int) -> dict[str, Any]:
    """Pages of the board, with their JSON, and a case at every platform: what the API adds to these is the request.

    The board's own topics are filled in memory: one coverage record a platform, summed from its gaps in the standings.
    """
    board = Board()
    board.roster = standings.roster.roster
    now_ms = standings.roster.now_ms()
    board.coverage = {one.id: _coverage(one, cases, now_ms) for one in standings.platforms}
    as_of = AsOf(now_ms=now_ms, read_at=now_ms)
    sight = Sight(board, StageBook(whole=False), PairCohorts(standings), Gauges(), as_of)
    places = random.Random(1)

    def case() -> None:
        index = places.randrange(cases)
        assert len(standings.pairs(Source(index % PARTITIONS, index // PARTITIONS))) == len(board.coverage)

    pages: dict[str, Callable[[], Any]] = {
        "heat map of 30 days, first": lambda: heatmap(sight, 30).model_dump_json(),
        "heat map of 30 days": lambda: heatmap(sight, 30).model_dump_json(),
        "overview": lambda: overview(sight).model_dump_json(),
        "platforms": lambda: platforms_page(sight).model_dump_json(),
        "a case at every platform": case,
    }
    return {name: _timed(page, 1 if name.endswith("first") else questions) for name, page in pages.items()}


def _timed(page: Callable[[], Any], times: int) -> dict[str, float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        page()
        took.append((time.perf_counter() - began) * 1_000)
    p50, p99 = np.percentile(took, [50, 99])
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def _coverage(platform: Platform, cases: int, now_ms: int) -> Coverage:
    frozen = cases // 100
    shown = (OutcomeCount(Outcome.NOT_BOUND, cases - frozen), OutcomeCount(Outcome.FROZEN, frozen))
    as_of = CoverageAsOf((cases // PARTITIONS,) * PARTITIONS, 0, 1, 1, now_ms)
    gaps = (GapCount(GapClass.FROZEN, frozen),)
    return Coverage(
        *(platform.id, platform.state, cases, cases - frozen, shown, gaps, 0, 0, 0, 0, 0),
        *((), as_of),
    )


def _number(index: int) -> str:
    """The number of the case with an index; which partition its case is in does not matter to the answerer."""
    return messages.number_of(index)


def _fill(folder: Path, hub_log: HubLog, cases: int, platforms: int) -> None:
    folder.mkdir(parents=True)
    store = CaseStore(folder / "cases", hub_log.log_id, PARTITIONS)
    at_ms = int(time.time() * 1_000) - 80 * DAY_MS
    for index in range(cases):
        _open_case(store, index, at_ms, hub_log)
        if index % FLUSH_EVERY == 0:
            store.flush()
    for index in range(0, cases, RELEASED_EVERY):
        opened = Source(index % PARTITIONS, index // PARTITIONS)
        position = Source(opened.partition, store.next_offset(opened.partition))
        notice = _notice(index, at_ms, position, hub_log)
        _add(store, notice._replace(stage=Stage.RELEASED, opened_at=opened.offset), position, at_ms)
    store.close()
    state = PairState(Universe(), store.digests, Roster(), Disputes())
    for rank in range(platforms):
        _say(state, rank, cases // PARTITIONS)
    tiles = PairStore(folder / "acks", hub_log.log_id)
    tiles.save(state, ())
    tiles.close()


def _open_case(store: CaseStore, index: int, at_ms: int, hub_log: HubLog) -> None:
    position = Source(index % PARTITIONS, index // PARTITIONS)
    _add(store, _notice(index, at_ms, position, hub_log), position, at_ms)


def _add(store: CaseStore, notice: ReleaseNotice, position: Source, at_ms: int) -> None:
    digest = sha256(encode(notice)).digest()
    store.add(notice, position, None, digest=digest, recorded_at=at_ms)


def _notice(index: int, at_ms: int, position: Source, hub_log: HubLog) -> ReleaseNotice:
    name = position.offset.to_bytes(8, "big") + position.partition.to_bytes(8, "big")
    return ReleaseNotice(
        *(Stage.COOLING, None, Subject("e164", _number(index)), messages.OPERATOR, at_ms, at_ms, at_ms),
        *(at_ms + 60 * DAY_MS, at_ms + 70 * DAY_MS, 2, name, name * 2, position, hub_log.log_id),
    )


def _say(state: PairState, rank: int, each: int) -> None:
    """What the platform of a rank said of everything: of what it binds 60 % UNBOUND, 30 % FROZEN, 10 % nothing."""
    chance, platform = np.random.default_rng(rank), messages.platform_id(rank)
    book = state.book(platform)
    for partition in range(PARTITIONS):
        book.receive(partition, each - 1)
        state.dirty_received.add((platform, partition))
        for segment in range((each - 1) // SEGMENT + 1):
            span = min(SEGMENT, each - segment * SEGMENT)
            bound = chance.choice(span, int(span * BOUND_MOST / (rank + 1)), replace=False).astype(np.uint32)
            cuts = (len(bound) * 6 // 10, len(bound) * 9 // 10)
            not_bound = BitMap(range(span)) - BitMap(bound)
            said: Sequence[tuple[Outcome, BitMap]] = (
                (Outcome.NOT_BOUND, not_bound),
                (Outcome.UNBOUND, BitMap(bound[: cuts[0]])),
                (Outcome.FROZEN, BitMap(bound[cuts[0] : cuts[1]])),
            )
            for outcome, bits in said:
                bits.run_optimize()
                book.tile((partition, segment)).add(outcome, bits)
            state.dirty_tiles.add((platform, (partition, segment)))
