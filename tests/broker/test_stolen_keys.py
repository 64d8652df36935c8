"""A key turns out to have been stolen: what it signed since then counts nowhere any more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hub.core.model import ClearancePolicy, Outcome, Refusal, Role, Source
from hub.recount import recount
from hub.wire import contracts
from tests.broker.asking import asking, recounted
from tests.broker.killing import kill
from tests.broker.scene import Scene, mobile_numbers, now_ms, wait_until
from tests.broker.test_clearance import released

pytestmark = pytest.mark.broker


def says(scene: Scene, key_id: str, case: Source, outcome: Outcome) -> None:
    """The bank says something of a case, signed with one of its keys."""
    ack = scene.ack("bank", case.partition, case.offset, {outcome: [case.offset]})
    scene.send([scene.ack_message(ack, scene.signer(key_id))])
    scene.flush()
    scene.settle(contracts.ACKS)


def shown(scene: Scene) -> dict[str, int]:
    """What coverage shows of the bank."""
    bank = scene.final_coverage(["bank"])["bank"]
    assert bank.in_force == bank.resolved + sum(one.pairs for one in bank.gaps) == 2
    return {str(one): pairs for one, pairs in bank.outcomes}


def refused(scene: Scene) -> list[str | None]:
    """Whose acknowledgements were refused for their signature."""
    return [one.sender for one in scene.rejected().values() if one.reason is Refusal.BAD_SIGNATURE]


def put_keys(scene: Scene, **revoked: int | None) -> None:
    """Bank's keys, each with when it was revoked."""
    keys = [scene.key(name.replace("_", "-"))._replace(revoked_at=at) for name, at in revoked.items()]
    scene.put_platforms(scene.platform("bank", keys=tuple(keys)))


def test_what_a_stolen_key_signed_counts_no_more(scene: Scene, tmp_path: Path) -> None:
    """Coverage takes it back and refuses it, a number it cleared is blocked, and so it stays after kill -9."""
    good, stolen = mobile_numbers(2, "+8613521")
    put_keys(scene, bank_1=None)
    cases = released(scene, [good, stolen])
    with asking(scene, tmp_path / "web", ClearancePolicy()) as answering:
        says(scene, "bank-1", cases[good], Outcome.NOT_BOUND)
        stolen_at = now_ms()
        says(scene, "bank-1", cases[stolen], Outcome.NOT_BOUND)
        before = answering.ask([good, stolen], "li", Role.AUDITOR)
        assert [one.answer for one in before.answers] == ["CLEAR", "CLEAR"]
        put_keys(scene, bank_1=stolen_at, bank_2=None)
        after = answering.ask([good, stolen], "li", Role.AUDITOR)
        assert [one.answer for one in after.answers] == ["CLEAR", "BLOCKED"]
        assert [recounted(scene, one).differences for one in (before, after)] == [[], []]
    wait_until("coverage takes it back", lambda: shown(scene) == {"NOT_BOUND": 1})
    wait_until("it refuses it", lambda: refused(scene) == ["bank"])
    assert asyncio.run(recount(scene.hub.address.bootstrap_servers)) == []
    kill(scene, scene.hub.workers[0])
    says(scene, "bank-2", cases[stolen], Outcome.FROZEN)
    wait_until("it goes on", lambda: shown(scene) == {"FROZEN": 1, "NOT_BOUND": 1})
    assert asyncio.run(recount(scene.hub.address.bootstrap_servers)) == []
