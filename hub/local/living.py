"""This module makes things happen in the demo after the first part of its world, besides the world's own events.

One operator must ask for clearances, and asks for most of them. People report accounts that are still bound, and
platforms answer some reports. One platform is late again and again, one falls silent, and one joins and works off its
backlog. All this uses the same ways as a real hub: signed messages in topics, the roster's editor and the API. Times
are the world's. For example, hearsay stops for 25 s, starts again and catches up, and then does so again.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Coroutine
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import httpx

from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    EventType,
    Operator,
    Outcome,
    Platform,
    PlatformState,
    ReleaseReason,
    Report,
    ReportAnswer,
    ReportKind,
)
from hub.core.roster_life import change_state
from hub.errors import UnbindError
from hub.kafka.clients import new_producer, started
from hub.local.world import Happening
from hub.sdk.reports import send_report
from hub.staff.roster import roster_editor
from hub.wire.contracts import ANSWERS, RELEASES, encode, partition_of

if TYPE_CHECKING:
    from hub.local.replay import Replay

log = logging.getLogger(__name__)

LATE = "hearsay"
SILENT = "atticdrive"
JOINING = "penniloan"
ASKING = "moor"
"""The operator that must ask for clearances."""

UNKNOWN_NAMES = ("口袋铺子", "MoonCab", "夜航读书")
HELD_DAYS = 60
"""The operator must ask from this many days before the end of the first part on; in those days it does not ask yet, so
it is in breach."""

ASKED_PART = 0.8
"""The share of its reassignments for which the operator asks for a clearance."""

ANSWERED_PART = 0.6
REPORT_PAUSE_S = 3.0
ANSWER_PAUSE_S = 20.0
LATE_S = 25.0
"""How long the late platform is away, and how long it then stays after it has caught up."""

ASK_AHEAD_MS = 2 * HOUR_MS
LOOK_S = 0.5
ASK_S = 20.0


class Living:
    """What happens in one demo. `hurry` says how many times faster than in a long demo."""

    def __init__(self, run: Replay, turn_ms: int, hurry: float = 1.0) -> None:
        self._run = run
        self._turn_ms = turn_ms
        self.token: str | None = None
        """The token of the operator that asks; without one it cannot ask, and no operator has to."""

        self._hurry = hurry
        self._rng = Random("unbind-hub living")

    async def go_on(self) -> None:
        """Wait until the first part ends, then let everything happen, for ever."""
        if self.token is not None:
            await self._until(self._turn_ms - HELD_DAYS * DAY_MS)
            async with roster_editor(self._run.hub.address) as editor:
                await editor.change(Operator, ASKING, _required)
        await self._until(self._turn_ms)
        goings: list[Coroutine[Any, Any, None]] = [self._late(), self._silent(), self._joining(), self._people()]
        if self.token is not None:
            goings.append(self._clearances(self.token))
        async with asyncio.TaskGroup() as group:
            for one in goings:
                group.create_task(one)

    async def _until(self, at_ms: int) -> None:
        while self._run.now_ms < at_ms:
            await asyncio.sleep(LOOK_S)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._hurry)

    # ---- Platforms ----

    async def _late(self) -> None:
        """Stop the late platform, start it again and let it catch up, for ever."""
        while True:
            await self._heard_all(LATE)
            await self._stop(LATE)
            await self._pause(LATE_S)
            self._run.start_adapters(f"adapters-{LATE}", [LATE])
            await self._heard_all(LATE)
            await self._pause(LATE_S)

    async def _silent(self) -> None:
        await self._heard_all(SILENT)
        await self._pause(2 * LATE_S)
        await self._stop(SILENT)

    async def _heard_all(self, platform: str) -> None:
        """Wait until a platform has received every notice that exists now, however slow this machine is."""
        watch = self._run.watch
        assert watch is not None, "the hub serves"
        ends = watch.ends(RELEASES)
        while True:
            coverage = watch.coverage.get(platform)
            through = {} if coverage is None else {one.partition: one.through for one in coverage.received}
            if all(through.get(partition, -1) >= end - 1 for partition, end in ends.items()):
                return
            await asyncio.sleep(LOOK_S)

    async def _stop(self, platform: str) -> None:
        name = f"adapters-{platform}"
        for one in [one for one in self._run.adapters if one.name == name]:
            await asyncio.to_thread(one.stop)
            self._run.adapters.remove(one)

    async def _joining(self) -> None:
        """Move the joining platform from known to connected, and let it work off its backlog."""
        for state, note in ((PlatformState.ONBOARDING, "signed up"), (PlatformState.CONNECTED, "test case seen")):
            await self._pause(LATE_S)
            async with roster_editor(self._run.hub.address) as editor:
                await editor.change(Platform, JOINING, partial(self._to_state, state, note))
        self._run.start_adapters(f"adapters-{JOINING}", [JOINING])

    def _to_state(self, state: PlatformState, note: str, found: Platform | None, _roster: object) -> Platform:
        assert found is not None, "the demo's roster has it"
        return change_state(found, state, self._run.now_ms, note)

    # ---- People ----

    async def _people(self) -> None:
        """Send a person's report every few seconds."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._pause(REPORT_PAUSE_S)
                report = self._report()
                if report is not None:
                    group.create_task(self._pass_on(report))

    def _report(self) -> Report | None:
        watch = self._run.watch
        happened = self._run.timeline[: self._run.sent]
        event = self._rng.choice(happened).event if happened else None
        case = None if watch is None or event is None else watch.cases.case_of(event.number)
        if event is None or case is None or case.undone:
            return None
        known = [one.id for one, _ in self._run.world.platforms]
        platform = self._rng.choice([*known, *known, *UNKNOWN_NAMES])
        kind = self._rng.choice(list(ReportKind))
        return Report(uuid.uuid4().bytes, case.operator, event.number, platform, kind, self._run.now_ms - HOUR_MS)

    async def _pass_on(self, report: Report) -> None:
        signer = self._run.operator_keys[report.operator]
        try:
            receipt = await send_report(report, signer, self._run.hub.address, timestamp_ms=self._run.now_ms)
        except UnbindError as wrong:
            log.warning("a report was not passed on: %s", wrong.message)
            return
        if receipt.deadline_at is not None and receipt.platform and self._rng.random() < ANSWERED_PART:
            await self._pause(ANSWER_PAUSE_S)
            await self._answer(report, receipt.platform)

    async def _answer(self, report: Report, platform: str) -> None:
        """Answer a report as a platform that looked again."""
        outcome = self._rng.choice((Outcome.UNBOUND, Outcome.NOT_BOUND))
        value = encode(ReportAnswer(report.report_id, platform, outcome, self._run.now_ms))
        key, address = platform.encode(), self._run.hub.address
        headers = list(self._run.platform_keys[platform].headers(ANSWERS, value))
        async with started(new_producer(address, linger_ms=0)) as producer:
            home = partition_of(key, address.partitions)
            at_ms = self._run.now_ms
            await producer.send_and_wait(ANSWERS, value, key=key, partition=home, headers=headers, timestamp_ms=at_ms)

    # ---- The operator that asks ----

    async def _clearances(self, token: str) -> None:
        """Ask before most reassignments. Numbers that are blocked or were not asked for are handed out all the same."""
        url = self._run.hub.beside.api_url
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=ASK_S) as client:
            waiting = [one for one in self._run.timeline if _hands_over(one)]
            for one in waiting:
                assert one.event is not None, "it hands over"
                if one.event.occurred_at < self._run.now_ms:
                    continue
                await self._until(one.event.occurred_at - ASK_AHEAD_MS)
                if self._rng.random() < ASKED_PART:
                    await self._ask(client, one)

    async def _ask(self, client: httpx.AsyncClient, happening: Happening) -> None:
        event = happening.event
        assert event is not None, "it hands over"
        try:
            answer = await client.post("/v1/clearance", json={"numbers": [event.number]})
        except httpx.HTTPError as wrong:
            log.warning("no clearance was given: %s", type(wrong).__name__)
            return
        if answer.status_code != httpx.codes.OK:
            log.warning("no clearance was given: %d", answer.status_code)
            return
        clearance_id = answer.json()["answers"][0]["clearance_id"]
        self._run.prepared[event.event_id] = event._replace(clearance_id=clearance_id)


def _required(found: Operator | None, _roster: object) -> Operator:
    assert found is not None, "the demo's roster has it"
    return found._replace(clearance_required=True)


def _hands_over(one: Happening) -> bool:
    return (
        one.event is not None
        and one.operator == ASKING
        and one.event.type is EventType.REASSIGNED
        and one.event.reason not in {ReleaseReason.TRANSFER, ReleaseReason.BACKFILL}
    )
