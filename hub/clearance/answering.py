"""This module answers whether numbers may be handed out, each with a signed id, and records the question in `lookups`.

An answer is given once its record is durable. It is decided on the logs as they were when the question came, or later,
and on all that operators had sent about these numbers by then. If that cannot be read, or is not decided by the hub, in
time, the answer is UNKNOWN (BEHIND). Between reading the positions and the last decision nothing is awaited, so that
the same question at those positions has the same answers (`recount --clearance`).

For example, `carrier` asks about a number whose case 7-120033 is RELEASED and past its `reissue_not_before`, and all
platforms of tier 1 say UNBOUND: the answer is CLEAR, with an id that is valid for a day.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry

from hub.clearance.lookups import Lookups
from hub.clearance.metrics import ClearanceMetrics, show_for_ever
from hub.clearance.pairs import PairsNow, following_pairs
from hub.core.cases import Case
from hub.core.clearance import (
    Decided,
    OpenPair,
    Reason,
    Seen,
    decide,
    may_block,
    may_see,
    seen_by,
    unconnected,
    unknown,
)
from hub.core.model import (
    ClearancePolicy,
    HubLog,
    LookedUp,
    Lookup,
    LookupKind,
    Operator,
    Platform,
    Positions,
    Role,
    Source,
)
from hub.core.numbers import NUMBER_MAX
from hub.core.pairs import PairNow
from hub.errors import HubError, OperatorError
from hub.folds.hub_key import open_signer
from hub.kafka.clients import new_producer, started
from hub.kafka.running import guarded
from hub.settings import WorkerSettings
from hub.wire.clearance_ids import Clearance, audience, sign_clearance
from hub.wire.signing import Signer

NUMBERS_MAX = 1_000
WAIT_S = 5.0
"""How long a question waits for the followers. If they have not read everything by then, the answer is BEHIND."""
MAY_ASK = frozenset({Role.OPERATOR, Role.REGISTRAR, Role.AUDITOR})

WriteLookup = Callable[[Lookup], Awaitable[None]]
"""Writes a record to topic `lookups`, and returns once it is durable."""


class Ruling(NamedTuple):
    """What is decided at one place in the logs: positions, an answer for each number, and the unconnected platforms."""

    positions: Positions
    decided: list[Decided]
    unconnected: list[Platform]


class Cleared(NamedTuple):
    """The answer about one number, as its reader may see it, and the signed id that proves it."""

    seen: Seen
    clearance_id: str


class Answered(NamedTuple):
    """The answers to one question, and all that they rest on. `answers` has one for each number, in their order.

    `unconnected` are the platforms that do not answer and may hold a binding of these cases.
    """

    lookup_id: bytes
    policy: ClearancePolicy
    positions: Positions
    answers: list[Cleared]
    unconnected: list[Platform]


class Known(Protocol):
    """What a decision rests on: the logs, folded to `positions`."""

    def positions(self) -> Positions:
        """Return the places in the logs that everything known now rests on."""

    def operator(self, operator_id: str) -> Operator | None:
        """Return an operator's roster record."""

    @property
    def platforms(self) -> list[Platform]:
        """Return every platform on the roster."""

    def case_of(self, number: str) -> Case | None:
        """Return the last case of a number."""

    def open_pairs(
        self, cases: Iterable[Case], platforms: Iterable[Platform], now_ms: int
    ) -> dict[Source, list[PairNow]]:
        """Return the gaps of some cases at some platforms, by case."""


def rule(
    pairs: Known,
    numbers: Sequence[str],
    asked_by: str,
    role: Role,
    policy: ClearancePolicy,
) -> Ruling:
    """Decide on numbers at the place where the followers are. This awaits nothing."""
    positions = pairs.positions()
    now_ms = positions.now_ms
    operator = pairs.operator(asked_by) if role is Role.OPERATOR else None
    found = {number: pairs.case_of(number) for number in numbers}
    visible: dict[str, Case] = {
        number: case for number, case in found.items() if case and may_see(number, case, role, operator)
    }
    platforms = pairs.platforms
    gaps = pairs.open_pairs(visible.values(), [one for one in platforms if may_block(one, policy)], now_ms)

    def one(number: str) -> Decided:
        case = visible.get(number)
        if case is None:
            return unknown(Reason.NO_CASE if found[number] is None else Reason.NOT_YOURS, policy, now_ms)
        open_here = [OpenPair(pair.platform, pair.gap) for pair in gaps.get(case.position, []) if pair.gap]
        return decide(case, open_here, policy, now_ms)

    return Ruling(positions, [one(number) for number in numbers], unconnected(platforms, visible.values()))


@dataclass
class Answerer:
    """Answers questions about numbers. `signer` has a key whose public half is in topic `hub`."""

    pairs: PairsNow
    signer: Signer
    write: WriteLookup
    policy: ClearancePolicy = field(default_factory=ClearancePolicy)
    wait_s: float = WAIT_S
    """How long a question waits until the followers have read what was there when it came."""

    metrics: ClearanceMetrics | None = None

    async def answer(self, numbers: Sequence[str], asked_by: str, role: Role) -> Answered:
        """Decide on up to 1,000 numbers.

        Args:
            numbers: the numbers in E.164 form; they are answered in this order.
            asked_by: the id of the operator, or of another asker.
            role: the asker's role: operator, registrar or auditor.

        Raises:
            OperatorError: there are too many numbers, there are none, or one cannot be a number.
            HubError: the role may not ask, or the question cannot be recorded. Nothing is answered then.
        """
        if not 1 <= len(numbers) <= NUMBERS_MAX:
            raise OperatorError(f"{len(numbers)} numbers", todo=f"Ask for 1 to {NUMBERS_MAX} numbers at a time.")
        if any(len(one) > NUMBER_MAX or not one.startswith("+") for one in numbers):
            raise OperatorError("not every number is in E.164 form", todo="Write numbers as +8613…, without spaces.")
        if role not in MAY_ASK:
            raise HubError(f"a {role.lower()} may not ask for clearances", todo="Ask as an operator.")
        began = time.monotonic()
        reached = await self.pairs.reach(self.wait_s, numbers)
        ruling = rule(self.pairs, numbers, asked_by, role, self.policy)
        behind = not (reached and self.pairs.settled)
        if behind:
            now_ms = ruling.positions.now_ms
            ruling = Ruling(ruling.positions, [unknown(Reason.BEHIND, self.policy, now_ms) for _ in numbers], [])
        lookup_id = uuid.uuid4().bytes
        await self._record(lookup_id, numbers, asked_by, role, ruling, behind=behind)
        seen = [seen_by(one, role) for one in ruling.decided]
        if self.metrics is not None:
            self.metrics.answered([one.answer for one in seen], time.monotonic() - began)
        now_ms = ruling.positions.now_ms
        answers = [Cleared(one, self._sign(one, asked_by, role, now_ms)) for one in seen]
        return Answered(lookup_id, self.policy, ruling.positions, answers, ruling.unconnected)

    async def _record(
        self, lookup_id: bytes, numbers: Sequence[str], asked_by: str, role: Role, ruling: Ruling, *, behind: bool
    ) -> None:
        looked_up = tuple(
            LookedUp(number, one.case, one.answer) for number, one in zip(numbers, ruling.decided, strict=True)
        )
        at_ms = ruling.positions.now_ms
        rests_on = None if behind else ruling.positions
        await self.write(
            Lookup(lookup_id, LookupKind.CLEARANCE, asked_by, role, at_ms, looked_up, self.policy, rests_on)
        )

    def _sign(self, seen: Seen, asked_by: str, role: Role, now_ms: int) -> str:
        case = None if seen.case is None else str(seen.case)
        return sign_clearance(
            self.signer, Clearance(audience(asked_by, role), case, seen.answer, now_ms, seen.valid_until)
        )


@asynccontextmanager
async def open_answerer(
    settings: WorkerSettings,
    hub_log: HubLog,
    policy: ClearancePolicy,
    registry: CollectorRegistry | None = None,
    wait_s: float = WAIT_S,
) -> AsyncIterator[Answerer]:
    """Yield an answerer with followers of its own and a key of its own in topic `hub`, once both are ready.

    `registry` is where its metrics are declared; for `wait_s` see `Answerer`.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with started(new_producer(settings)) as producer, following_pairs(settings, hub_log) as pairs:
        signer = await open_signer(settings, hub_log, producer)
        metrics = ClearanceMetrics(CollectorRegistry() if registry is None else registry)
        lag = guarded("clearance lag", show_for_ever(pairs, metrics))
        try:
            write = Lookups(producer, hub_log.partitions).write
            yield Answerer(pairs, signer, write, policy, wait_s, metrics)
        finally:
            lag.cancel()
