"""What intake must have decided: a pure run over the very log, message by message, and the live hub beside it."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from hub.core.memory import MemoryCases
from hub.core.model import Decision, Receipt, Rejected, Source
from hub.core.roster import Roster
from hub.sdk.operators.rehearsal import Rehearsal
from hub.wire import contracts
from hub.wire.checking import Opener
from tests.broker.scene import Scene


class Verdicts(NamedTuple):
    """Decisions by source: receipts, what was set aside, and how each number's last case stands."""

    receipts: dict[Source, Receipt]
    rejected: dict[Source, Rejected]
    stages: dict[str, tuple[str, ...]]


def pure_run(scene: Scene) -> Verdicts:
    """Decide on everything in `events`, a message at a time, with no broker, no batch and no crash."""
    roster = Roster()
    for operator in scene.operators.values():
        roster.put_operator(operator)
    opener = Opener(scene.hub_log.hub_id, scene.hub_log.log_id, scene.hub_log.partitions)
    rehearsal = Rehearsal(scene.operators.values(), scene.hub_log.partitions)
    receipts: dict[Source, Receipt] = {}
    refused: dict[Source, Rejected] = {}
    for arrival in opener.events(sorted(scene.read(contracts.EVENTS), key=lambda one: one[1:3]), roster):
        heard = rehearsal.hear([arrival])
        receipts |= {one.source: one for one in heard.receipts}
        refused |= {Source(one.partition, one.offset): one for one in heard.rejected}
    return Verdicts(receipts, refused, _stages(rehearsal.known))


def _stages(known: MemoryCases) -> dict[str, tuple[str, ...]]:
    """Stage and history of every case, by its opening event."""
    return {
        case.event_ids[0].hex(): (case.stage, *(one.hex() for one in case.event_ids)) for case in known.cases.values()
    }


def cases(scene: Scene) -> dict[Source, bool]:
    """Every case that the hub's notices open, and whether it was undone."""
    known = MemoryCases()
    for where, notice in sorted(scene.notices(), key=lambda one: one[0]):
        known.fold(notice, where)
    return {where: case.undone for where, case in known.cases.items()}


def live_run(scene: Scene) -> tuple[Verdicts, dict[Source, Source], list[str]]:
    """What the hub decided; where the fold says each accepted source's notice lies; and contradictions within."""
    wrong: list[str] = []
    receipts: dict[Source, set[Receipt]] = defaultdict(set)
    for operator in scene.operators:
        for receipt in scene.receipts(operator):
            receipts[receipt.source].add(receipt)
    wrong += [
        f"{len(said)} different receipts for {source}: {said}" for source, said in receipts.items() if len(said) > 1
    ]
    known, positions = MemoryCases(), dict[Source, Source]()
    for where, notice in sorted(scene.notices(), key=lambda one: one[0]):
        if known.fold(notice, where) is not None:
            if notice.source in positions:
                wrong.append(f"two notices count for {notice.source}")
            positions[notice.source] = where
    refused = {where: one for (topic, where), one in scene.rejected().items() if topic == contracts.EVENTS}
    verdicts = Verdicts({source: next(iter(said)) for source, said in receipts.items()}, refused, _stages(known))
    return verdicts, positions, wrong


def differences(scene: Scene) -> list[str]:
    """Where the live hub's decisions are not those of the pure run; empty if nowhere."""
    pure = pure_run(scene)
    live, positions, wrong = live_run(scene)
    for source in sorted(set(pure.receipts) | set(live.receipts)):
        want, have = pure.receipts.get(source), live.receipts.get(source)
        if want is None or have is None or want._replace(position=None) != have._replace(position=None):
            wrong.append(f"receipt of {source}: {have}, not {want}")
        elif have.decision is Decision.ACCEPTED and have.position != positions.get(source):
            wrong.append(f"position of {source}: {have.position}, the fold says {positions.get(source)}")
        elif have.decision is Decision.DUPLICATE and have.position not in positions.values():
            wrong.append(f"{source} repeats {have.position}, where no accepted notice lies")
    accepted = {source for source, one in pure.receipts.items() if one.decision is Decision.ACCEPTED}
    if set(positions) != accepted:
        wrong.append(f"notices that count: {len(positions)}, accepted events: {len(accepted)}")
    wrong += [
        f"rejected {one}: {live.rejected.get(one)}, not {pure.rejected.get(one)}"
        for one in sorted(
            source
            for source in set(pure.rejected) | set(live.rejected)
            if pure.rejected.get(source) != live.rejected.get(source)
        )
    ]
    if pure.stages != live.stages:
        wrong.append("cases do not stand as in the pure run")
    return wrong
