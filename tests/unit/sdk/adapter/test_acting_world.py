"""Every platform of the sample world through rules and store, against the oracle's own telling of what it did."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cache

import pytest
import yaml

from hub.core.intake import Arrival
from hub.core.model import Outcome, ReleaseNotice, Source
from hub.sdk.accounts import Done, HeardNotice
from hub.sdk.adapter.acting import Act, Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.deeds import Deed
from hub.sdk.operators.importer import ImportedEvent, importer_for
from hub.sdk.operators.rehearsal import Rehearsal
from hub.sdk.roster_files import read_operators
from hub.sdk.stores import MemoryStore
from hub.wire.contracts import encode
from tests.oracle.world_files import World, read_world
from tests.oracle.world_oracle import Intake
from tests.oracle.world_platforms import Actor
from tests.places import SAMPLES
from tests.unit.adapter_driver import said_in, take_acks

WORLD = SAMPLES / "world"
BATCH_MAX = 997

Told = tuple[dict[tuple[str, int], set[str]], dict[str, tuple[bool, bool]]]
"""What was said of each case, named by number and record time; and of each account whether it is bound, and frozen."""

pytestmark = pytest.mark.skipif(not WORLD.is_dir(), reason=f"the sample world is not beside the repository ({WORLD})")


def platforms() -> list[str]:
    """The platforms of the world that act."""
    if not WORLD.is_dir():
        return []
    entries = yaml.safe_load((WORLD / "platforms.yaml").read_text(encoding="utf-8"))
    entries = entries["platforms"] if isinstance(entries, dict) else entries
    return [one["id"] for one in entries if one["state"] in ("CONNECTED", "LEFT")]


@cache
def world() -> tuple[World, Intake]:
    """The world, and the oracle's cases of it."""
    read = read_world(WORLD)
    return read, Intake(read)


@cache
def releases() -> tuple[HeardNotice, ...]:
    """What the hub would publish of the world, in the order of record time, which keeps each partition's order."""
    read, _ = world()
    operators = read_operators(WORLD / "operators.yaml", {}, read.starts_at)
    files = [(WORLD / "events" / f"{one.id}.csv", one.id) for one in operators]
    rows = [row for path, name in files for row in importer_for(path, name).read(path)]
    events = [row for row in rows if isinstance(row, ImportedEvent)]
    rehearsal, homes = Rehearsal(operators), defaultdict[int, list[Arrival]](list)
    for row in sorted(events, key=lambda row: (row.published_at or 0, row.event.event_id)):
        arrival = rehearsal.arrive(row.event, row.published_at or 0)
        homes[arrival.record.partition].append(arrival)
    heard = [
        HeardNotice(Source(partition, offset), notice, hashlib.sha256(encode(notice)).digest())
        for partition, arrivals in homes.items()
        for offset, notice in enumerate(rehearsal.hear(arrivals).notices)
    ]
    return tuple(sorted(heard, key=lambda one: (one.notice.published_at, one.position)))


def acting(actor: Actor) -> Act:
    """The platform's word on an account, as its behaviour has it."""

    def act(_: Deed, account_id: str, __: ReleaseNotice) -> Done:
        if actor.fails and account_id.endswith(actor.fails):
            return Done.FAILED
        return Done.DECLINED if actor.declines and account_id.endswith(actor.declines) else Done.DONE

    return act


def told_by_the_oracle(actor: Actor) -> Told:
    """What a platform did, worked out notice by notice."""
    _, intake = world()
    notices = [
        (at, row.event_id, one, stage) for one, case in enumerate(intake.cases) for at, row, stage in case.events
    ]
    for at, _, one, stage in sorted(notices):
        actor.take(one, intake.cases[one], at, stage)
    openers = {one: (intake.cases[one].opener.number, intake.cases[one].published_at) for one in actor.said}
    said = {openers[one]: words for one, words in actor.said.items() if words}
    accounts = [one for bound in actor.accounts.values() for one in bound]
    return said, {one.id: (one.state != "GONE", one.state == "FROZEN") for one in accounts}


def told_by_the_hub(actor: Actor) -> Told:
    """The same, through the SDK's rules and the memory store."""
    bound: list[tuple[str, str | None, int | None]] = []
    for number, accounts in actor.accounts.items():
        bound += [(one.id, number, one.bound_at) for one in accounts]
    store, said = MemoryStore(bound), dict[Source, set[Outcome]]()
    heard = [one for one in releases() if actor.hears(one.notice.published_at)]
    quiet = float("inf") if actor.mute_from is None else actor.mute_from
    heard = [one._replace(acting=one.notice.published_at < quiet) for one in heard]
    openers = {
        one.position: (one.notice.subject.value, one.notice.published_at)
        for one in heard
        if one.notice.opened_at is None
    }
    for start in range(0, len(heard), BATCH_MAX):
        carry_out(store, heard[start : start + BATCH_MAX], Rules(acting(actor), authority=False))
        for case, outcomes in said_in(take_acks(store), set(openers)).items():
            said.setdefault(case, set()).update(outcomes)
    names = {case: {str(one) for one in outcomes} for case, outcomes in said.items()}
    found = {name: store.get(name) for name, _, _ in bound}
    states = {name: (one.number is not None, one.frozen) for name, one in found.items() if one is not None}
    return {openers[case]: outcomes for case, outcomes in names.items()}, states


@pytest.mark.parametrize("platform", platforms())
def test_a_platform_of_the_sample_world(platform: str) -> None:
    """Every platform of the world says of every case, and does to every account, what the oracle worked out for it."""
    read, _ = world()
    (entry,) = (one for one in read.platforms if one["id"] == platform)
    expected = told_by_the_oracle(Actor(entry, read))
    assert told_by_the_hub(Actor(entry, read)) == expected
    assert expected[0]
