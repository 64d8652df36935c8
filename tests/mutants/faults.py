"""Twenty faults that somebody might build into the hub's core and runner, each as a change of its text.

`tests` are those that catch it, and the first place to look when one of them lives. A fault whose text is no longer in
the file fails its test: it is then written anew.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """A change of the hub's code, and the tests that notice it. `cheap`: it is shown by `make test` as well."""

    name: str
    file: str
    before: str
    after: str
    tests: str
    cheap: bool = False


INTAKE = "tests/unit/core/test_intake.py"
HELD = "tests/unit/core/test_held.py"
COVERAGE = "tests/unit/core/test_coverage.py"
PAIRS = "tests/unit/core/test_pairs.py"
CLEARANCE = "tests/unit/core/test_clearance.py"
RUNNER = "tests/unit/stream/test_runner.py"
SHELF = "tests/unit/core/test_shelf.py"
CARRYING = "tests/unit/stream/test_coverage.py"
FORGERIES = "tests/broker/test_forgeries.py"
POISON = "tests/broker/test_poison.py"

FAULTS = (
    # ---- Intake ----
    Fault(
        "an event of this very batch is not known again",
        "hub/core/intake.py",
        "        if (operator, event_id) in self._events:\n            raise _Needs\n",
        "",
        INTAKE,
        cheap=True,
    ),
    Fault(
        "other bytes under a known event id pass for the same event",
        "hub/core/intake.py",
        "if seen.digest == arrival.digest:",
        "if seen.digest is not None:",
        INTAKE,
    ),
    Fault(
        "another operator's case may be moved",
        "hub/core/intake.py",
        "if last is not None and last.live and last.operator != event.operator and not objects:",
        "if last is None and event.operator == '':",
        INTAKE,
    ),
    Fault(
        "the order of two checks is swapped: the table before what is withdrawn",
        "hub/core/intake.py",
        """    if event.type is EventType.WITHDRAWN and not (objects or _withdraws(event, last)):
        return Refusal.UNKNOWN_EVENT
    if not _table_allows(event, last):
        return Refusal.OUT_OF_ORDER
""",
        """    if not _table_allows(event, last):
        return Refusal.OUT_OF_ORDER
    if event.type is EventType.WITHDRAWN and not (objects or _withdraws(event, last)):
        return Refusal.UNKNOWN_EVENT
""",
        INTAKE,
    ),
    Fault(
        "an event goes over the head of one that is held",
        "hub/core/intake.py",
        "    if known.is_behind(arrival, event):\n        return _hold(arrival, event, HeldWhy.BEHIND, plan, known)\n",
        "",
        HELD,
    ),
    Fault(
        "events of this batch do not count for the day's limit",
        "hub/core/intake.py",
        "            self._days[day] = self._days.get(day, Published()).plus(one)\n",
        "            self._days[day] = self._days.get(day, Published())\n",
        HELD,
    ),
    # ---- The fold and the lifecycle ----
    Fault(
        "a notice that comes twice is folded twice",
        "hub/core/cases.py",
        "if notice.source.partition != position.partition or notice.source.offset <= last_source:",
        "if notice.source.partition != position.partition:",
        INTAKE,
    ),
    Fault(
        "a number is handed out that was never released",
        "hub/core/lifecycle.py",
        "    (Stage.RELEASED, EventType.REASSIGNED): Stage.REASSIGNED,\n",
        "    (Stage.RELEASED, EventType.REASSIGNED): Stage.REASSIGNED,\n"
        "    (Stage.COOLING, EventType.REASSIGNED): Stage.REASSIGNED,\n",
        INTAKE,
        cheap=True,
    ),
    # ---- Coverage ----
    Fault(
        "a platform may acknowledge what it says it has not received",
        "hub/core/coverage.py",
        "if base + bits.max() > limit:",
        "if base > limit:",
        COVERAGE,
    ),
    Fault(
        "frozen is shown where the number was unbound",
        "hub/core/outcomes.py",
        "rank=1,",
        "rank=-1,",
        COVERAGE,
        cheap=True,
    ),
    Fault(
        "a contradiction is no dispute",
        "hub/core/gaps.py",
        "unanswered = (contradictory - shown[Outcome.UNBOUND]) | against_report",
        "unanswered = against_report",
        COVERAGE,
    ),
    Fault(
        "a case is overdue by the later of two deadlines",
        "hub/core/gaps.py",
        "return before_reissue if frozen else min(by_limit, before_reissue)",
        "return before_reissue if frozen else max(by_limit, before_reissue)",
        PAIRS,
    ),
    Fault(
        "how far a platform received goes back",
        "hub/core/figures.py",
        "if self.received.get(partition, -1) >= through:",
        "if self.received.get(partition, -1) == through:",
        COVERAGE,
    ),
    Fault(
        "figures stay as they are while time passes",
        "hub/core/figures.py",
        "segment.mark(terms.limit_ms, now_ms),",
        "terms.limit_ms,",
        COVERAGE,
    ),
    Fault(
        "a changed tile is not written at the next flush",
        "hub/core/books.py",
        "        for key in tiles:\n            self.dirty_tiles.add((ack.platform, key))\n",
        "",
        SHELF,
    ),
    Fault(
        "what is not in the log yet may be acknowledged",
        "hub/core/acks.py",
        "if recorded_at is None or recorded_at > record_time + SKEW_MS:",
        "if recorded_at is not None and recorded_at > record_time + SKEW_MS:",
        FORGERIES,
    ),
    # ---- Clearance ----
    Fault(
        "anybody's case is the asker's",
        "hub/core/clearance.py",
        "return case.operator == operator.id or in_ranges(number, operator.ranges)",
        "return True",
        CLEARANCE,
        cheap=True,
    ),
    # ---- The runner and its stages ----
    Fault(
        "a chunk is acknowledged before its tiles are durable",
        "hub/stream/coverage.py",
        "    await send(plan)\n    for ack in plan.acks:\n        ack()\n",
        "    for ack in plan.acks:\n        ack()\n    await send(plan)\n",
        CARRYING,
    ),
    Fault(
        "a worker that is caught in a client's stop keeps its partition",
        "hub/stream/runner.py",
        "            for task in left:\n                task.cancel()\n",
        "",
        RUNNER,
    ),
    Fault(
        "a message that a rule stumbles over stops its partition",
        "hub/stream/intake.py",
        "            if len(arrivals) > 1:\n                return self._plan(arrivals[: len(arrivals) // 2])\n",
        "            raise\n",
        POISON,
    ),
)
