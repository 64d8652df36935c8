"""This module decides a clearance again, from the logs at the positions and by the policy that its record names.

A number is UNKNOWN if it has no case or the case is not the asker's. It is BLOCKED if its last case is not released,
may not be reissued yet, or has a gap that the policy blocks on. Otherwise it is CLEAR. For example, a number whose case
7-120033 is COOLING is BLOCKED. If a record names no positions, the hub could not read its logs in time: it claimed
nothing, and nothing is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.partitioner import murmur2

from hub.core.model import Record
from hub.errors import HubError
from hub.recount.cases import CaseNow, Position, fold
from hub.recount.check import Logs, Truth, reported_at
from hub.recount.figures import open_gap
from hub.recount.wire import Message, read

BLOCKS: dict[str, str | None] = {
    "FROZEN": "frozen_blocks",
    "DECLINED": "declined_blocks",
    "FAILED": None,
    "NOT_CONNECTED": "unconnected",
    "NOT_RECEIVED": None,
    "NO_OUTCOME": None,
    "DISPUTED": None,
}
"""By gap class, the field of the policy that says whether it blocks at platforms of its tiers; None: it always does."""


class OtherAnswer(NamedTuple):
    """This is an answer that differs. `number` is its place in the question, from 1 on, and not the phone number."""

    number: int
    field: str
    hub: Any
    recount: Any


class Recounted(NamedTuple):
    """This is a compared clearance: the recount's answers by kind, and the differences. `claimed`: the hub answered."""

    answers: dict[str, int]
    differences: list[OtherAnswer]
    claimed: bool


def find_lookup(records: Sequence[Record], lookup_id: bytes) -> Message:
    """Return the record of a question.

    Raises:
        HubError: there is no record of that id, or it is no clearance.
    """
    for record in records:
        lookup = read("lookup", record.value)
        if lookup is not None and lookup["lookup_id"] == lookup_id:
            if lookup["policy"] is None:
                raise HubError("that lookup is no clearance", todo="Give the lookup_id of an answer to /v1/clearance.")
            return lookup
    raise HubError("no lookup of that id", todo="Give the lookup_id as the answer said it.")


def recount_lookup(logs: Logs, operators: Sequence[Record], lookup: Message) -> Recounted:
    """Decide on every number of a clearance again, and compare.

    Raises:
        HubError: the roster as it was at its positions is gone (compaction keeps only younger records).
    """
    if lookup["positions"] is None:
        return Recounted({}, [], claimed=False)
    answered = [(one["answer"], _position(one["case"])) for one in lookup["numbers"]]
    expected = list(decide_again(logs, operators, lookup))
    differences = []
    for number, (hub, truth) in enumerate(zip(answered, expected, strict=True), 1):
        differences += [
            OtherAnswer(number, field, one, other)
            for field, one, other in zip(("answer", "case"), hub, truth, strict=True)
            if one != other
        ]
    return Recounted(dict(Counter(answer for answer, _ in expected)), differences, claimed=True)


def decide_again(logs: Logs, operators: Sequence[Record], lookup: Message) -> Iterator[tuple[str, Position | None]]:
    """Yield the answer for each number and the case it is about, in the order of the question."""
    positions, policy = lookup["positions"], lookup["policy"]
    last = {case.number: case for case in fold(logs.releases, positions["releases"]).values()}
    asker = _newest(operators, "operator", positions["operators"]).get(lookup["asked_by"])
    seen = {
        one["number"]: case
        for one in lookup["numbers"]
        if (case := last.get(one["number"])) is not None and _may_see(case, lookup["role"], asker)
    }
    blocked = _blocked(logs, list(seen.values()), positions, policy)
    for one in lookup["numbers"]:
        case = seen.get(one["number"])
        if case is None:
            yield "UNKNOWN", None
        else:
            early = case.reissue_not_before is not None and positions["now_ms"] < case.reissue_not_before
            clear = case.stage == "RELEASED" and not early and case.position not in blocked
            yield "CLEAR" if clear else "BLOCKED", case.position


def _position(case: Message | None) -> Position | None:
    return None if case is None else (case["partition"], case["offset"])


def _newest(records: Sequence[Record], kind: str, end: int) -> dict[str, Message]:
    """Return the roster as it was before an offset; raise HubError if compaction may have removed a record of it.

    Every record that is left was the newest of its id at the compaction; a removed one leaves a hole in the offsets.
    """
    before = _before(records, end)
    if len(before) < end and {one.key for one in records if one.offset >= end} - {one.key for one in before}:
        raise HubError(
            f"records of {kind}s before {end} are gone, and it cannot be told whose",
            todo="Recount sooner after the answer: compaction keeps the newest record of each alone.",
        )
    return {one["id"]: one for record in before if (one := read(kind, record.value))}


def _before(records: Sequence[Record], end: int) -> list[Record]:
    return [record for record in records if record.offset < end]


def _may_see(case: CaseNow, role: str, asker: Message | None) -> bool:
    if role in ("REGISTRAR", "AUDITOR"):
        return True
    if role != "OPERATOR" or asker is None:
        return False
    return bool(case.operator == asker["id"] or any(case.number.startswith(one) for one in asker["ranges"]))


def _blocked(logs: Logs, cases: Sequence[CaseNow], positions: Message, policy: Message) -> set[Position]:
    """Return the positions of the cases with a gap that blocks."""
    roster = _newest(logs.platforms, "platform", positions["platforms"])
    # Whether an acknowledgement's key counts is judged by the roster at that place, too.
    truth, found = Truth(logs._replace(platforms=_before(logs.platforms, positions["platforms"]))), set()
    for platform in roster.values():
        home = (murmur2(platform["id"].encode()) & 0x7FFFFFFF) % truth.hub.partitions
        said, received = truth.heard(platform["id"], home, positions["acks"][home])
        reported = reported_at(logs.reported, platform["id"], positions["reported"])
        for case in cases:
            gap = open_gap(platform, case, said.get(case.position, set()), received, reported)
            if gap is not None and _blocks(platform, gap, policy):
                found.add(case.position)
    return found


def _blocks(platform: Mapping[str, Any], gap: str, policy: Message) -> bool:
    in_tiers = platform["tier"] in policy["blocking_tiers"]
    if gap == "NOT_CONNECTED":
        rule = policy["unconnected"]
        return bool((rule == "MUST_CONNECT" and platform["must_connect"]) or (rule == "BLOCKS" and in_tiers))
    chosen = BLOCKS[gap]
    return in_tiers and (chosen is None or bool(policy[chosen]))
