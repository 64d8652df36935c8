"""This module turns a small platform's rows into the acknowledgement that it signs. It is pure.

Rows are `case,outcome` with an optional third column of actions (`LOGIN_OFF RECOVERY_OFF`), for example:

    7-120033,UNBOUND
    7-120040,FROZEN,LOGIN_OFF RECOVERY_OFF
    received,7-120100
    rest,NOT_BOUND

Rules:
1. A row names a case once, by its position, with a word of `Outcome`; a header line `case,outcome` is ignored.
2. `received` says how far the platform looked in a partition, however it got the notices. The rest reaches no further.
3. `rest,NOT_BOUND` is every position up to there of which neither this nor any earlier acknowledgement says anything,
   because NOT_BOUND beside another outcome would be a dispute. A platform that fetches files need not say `received`,
   because nothing comes to it while it looks.
4. If one row is wrong, all are refused, and the line is named.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyroaring import BitMap

from hub.core.model import SEGMENT, Acknowledgement, Action, Outcome, OutcomeSet, Source
from hub.problems import Problem
from hub.sdk.accounts import Outbox, SaidKey, Waiting
from hub.sdk.adapter.acking import acknowledgements, in_words, positions_said

ROWS_MAX = 20_000
HEADER = ["case", "outcome"]
REST = "rest"
RECEIVED = "received"

Segments = Mapping[tuple[int, int], BitMap]
"""This has, by partition and segment of 65,536 positions, the offsets within the segment."""


class Rest(NamedTuple):
    """This decides the rest. `looked`: by partition, how far the platform looked; `before`: all that it ever said."""

    looked: Mapping[int, int]
    before: Segments


NO_REST = Rest({}, {})


@dataclass
class Wish:
    """This is what rows say."""

    said: dict[Source, Outcome] = field(default_factory=dict)
    actions: dict[Source, tuple[Action, ...]] = field(default_factory=dict)
    received: dict[int, int] = field(default_factory=dict)
    rest: bool = False


def _bad(line: int, what: str, todo: str) -> Problem:
    return Problem(422, "BAD_ROW", f"row {line}: {what}", todo)


def read_csv(text: str) -> Wish:
    """Return what a CSV file says.

    Raises:
        Problem: 422, a row is wrong; the line is named.
    """
    try:
        rows = list(csv.reader(text.lstrip("\ufeff").splitlines(), strict=True))
    except csv.Error:
        raise Problem(422, "BAD_ROW", "this is no CSV", "Write `case,outcome`, a row a line.") from None
    begin = 1 if rows and [one.strip().lower() for one in rows[0][:2]] == HEADER else 0
    return _read(enumerate(rows[begin:], begin + 1))


def read_json(content: Any) -> Wish:
    """Read what JSON says.

    Its form is `{"outcomes": [{"case", "outcome", "actions"}], "rest": "NOT_BOUND", "received": {"7": 120100}}`.

    Raises:
        Problem: 422, something in it is wrong.
    """
    if not isinstance(content, dict) or not set(content) <= {"outcomes", "rest", "received"}:
        raise Problem(
            422, "BAD_ROW", "not an object of outcomes, rest and received", "See the interface's description."
        )
    outcomes, received = content.get("outcomes", []), content.get("received", {})
    if not isinstance(outcomes, list) or not all(isinstance(one, dict) for one in outcomes):
        raise Problem(422, "BAD_ROW", "`outcomes` is no list of objects", "See the interface's description.")
    if not isinstance(received, dict):
        raise Problem(422, "BAD_ROW", "`received` is no object", "Give offsets by partition.")
    rows = [
        [str(one.get("case", "")), str(one.get("outcome", "")), " ".join(map(str, one.get("actions") or []))]
        for one in outcomes
    ]
    rows += [[RECEIVED, f"{partition}-{through}"] for partition, through in received.items()]
    rows += [[REST, str(content["rest"])]] if content.get("rest") is not None else []
    return _read(enumerate(rows, 1))


def _read(rows: Iterable[tuple[int, Sequence[str]]]) -> Wish:
    wish, count = Wish(), 0
    for line, raw in rows:
        row = [one.strip() for one in raw]
        if not any(row):
            continue
        count += 1
        if count > ROWS_MAX:
            raise Problem(413, "TOO_LARGE", f"more than {ROWS_MAX} rows", "Send them in several, the rest last.")
        if not 2 <= len(row) <= 3:
            raise _bad(line, f"{len(row)} columns", "Write `case,outcome` or `case,outcome,actions`.")
        _take(wish, line, row)
    if not (wish.said or wish.rest or wish.received):
        raise Problem(422, "BAD_ROW", "no row", "Write `case,outcome`, or `rest,NOT_BOUND`.")
    return wish


def _take(wish: Wish, line: int, row: Sequence[str]) -> None:
    if row[0] == REST:
        if row[1] != Outcome.NOT_BOUND:
            raise _bad(line, "the rest can be NOT_BOUND alone", "Name the other cases one by one.")
        wish.rest = True
        return
    position = Source.read(row[1] if row[0] == RECEIVED else row[0])
    if position is None:
        raise _bad(line, "no position", "Write partition-offset, such as 7-120033.")
    if row[0] == RECEIVED:
        wish.received[position.partition] = position.offset
        return
    if row[1] not in Outcome.__members__:
        raise _bad(line, "no outcome", "Write one of " + ", ".join(Outcome) + ".")
    if position in wish.said:
        raise _bad(line, f"{position} a second time", "Name each case once.")
    wish.said[position] = Outcome(row[1])
    wish.actions[position] = _actions(line, row[2] if len(row) == 3 else "")


def _actions(line: int, text: str) -> tuple[Action, ...]:
    words = text.split()
    known = set(Action) - {Action.UNKNOWN}
    if not set(words) <= known or len(set(words)) < len(words):
        raise _bad(line, "an unknown action, or one twice", "Write of " + ", ".join(sorted(known)) + ", with spaces.")
    return tuple(sorted(Action(one) for one in words))


def draft(
    wish: Wish, platform: str, log_id: bytes, sent_at: int, waiting: Mapping[int, Waiting], rest: Rest
) -> list[Acknowledgement]:
    """Return the acknowledgements that say what rows wish; there are several if one is too small.

    Args:
        waiting: by partition, how far the platform has received, with the digest there.
        rest: what decides the rest, if rows wish for it.
    """
    said: dict[SaidKey, BitMap] = {}
    for case, outcome in wish.said.items():
        said.setdefault(_key(case, outcome), BitMap()).add(case.offset % SEGMENT)
    if wish.rest:
        for key, bits in _rest(wish, rest):
            said.setdefault(key, BitMap()).update(bits)
    outbox = Outbox(log_id, dict(waiting), said)
    return [_with_actions(one, wish) for one in acknowledgements(outbox, platform, sent_at, {})]


def _key(case: Source, outcome: Outcome) -> SaidKey:
    return SaidKey(case.partition, case.offset // SEGMENT, outcome)


def looked_at(wish: Wish, waiting: Mapping[int, Waiting], *, fetches: bool) -> dict[int, int]:
    """Return, by partition, how far the platform has looked (rule 2).

    Args:
        fetches: whether it is a platform that fetches files (rule 3).

    Raises:
        Problem: 422, the platform does not say it.
    """
    if not (fetches or wish.received):
        todo = "Add a row such as received,7-120100 for each partition: the last position you looked at."
        raise Problem(422, "REST_UNBOUNDED", "the rest of what: it is not said how far you looked", todo)
    unsaid = {partition: one.through for partition, one in waiting.items()} if fetches else {}
    return unsaid | wish.received


def _rest(wish: Wish, rest: Rest) -> Iterable[tuple[SaidKey, BitMap]]:
    named: dict[tuple[int, int], BitMap] = {}
    for case in wish.said:
        named.setdefault((case.partition, case.offset // SEGMENT), BitMap()).add(case.offset % SEGMENT)
    for partition, through in rest.looked.items():
        for segment in range(through // SEGMENT + 1):
            bits = BitMap(range(min(SEGMENT, through + 1 - segment * SEGMENT)))
            for known in (rest.before.get((partition, segment)), named.get((partition, segment))):
                bits -= known if known is not None else BitMap()
            if bits:
                yield SaidKey(partition, segment, Outcome.NOT_BOUND), bits


def _with_actions(ack: Acknowledgement, wish: Wish) -> Acknowledgement:
    """Return the acknowledgement with each outcome's actions, which are those that all rows of the outcome name."""
    common: dict[Outcome, set[Action]] = {}
    for case, outcome in wish.said.items():
        actions = set(wish.actions[case])
        common[outcome] = common.get(outcome, actions) & actions
    sets = tuple(
        OutcomeSet(one.outcome, one.partition, one.cases, tuple(sorted(common.get(one.outcome, ()))))
        for one in ack.outcomes
    )
    return ack._replace(outcomes=sets)


def account(acks: Sequence[Acknowledgement], wish: Wish) -> dict[str, Any]:
    """Return what the acknowledgements say, for a person to read before signing."""
    received = {str(one.partition): one.through for one in acks[0].received} if acks else {}
    named = Counter(str(outcome) for outcome in wish.said.values())
    return {
        "platform": acks[0].platform if acks else None,
        "received": received,
        "positions": positions_said(acks),
        "cases_named": dict(named),
        "rest_not_bound": wish.rest,
        "in_words": in_words(acks),
    }
