"""Platforms without Kafka, through a real hub: told by webhook or file, acknowledging over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.core.model import GapClass
from tests.broker.delivering import Delivering, delivering
from tests.broker.scene import Scene, mobile_numbers, wait_until
from tests.receiver import Receiver

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def desk(scene: Scene) -> Iterator[Delivering]:
    """A delivery program beside the scene's hub."""
    with delivering(scene) as made:
        yield made


def test_a_webhook_is_a_receipt_and_no_more(scene: Scene, desk: Delivering) -> None:
    """A platform with a web server is told every notice once; its 2xx moves `received`, and its gaps stay open."""
    receiver = Receiver(desk.where["public_key"])
    scene.put_platforms(desk.platform("hooky", f"webhook {receiver.url}"))
    cases = scene.open_cases(mobile_numbers(40))
    wait_until("every notice came", lambda: receiver.through() == desk.full())
    wait_until("the hub has the receipts", lambda: desk.received("hooky") == desk.full())
    assert len({one.id for one in receiver.got}) == len(receiver.got), "a message came twice"
    assert receiver.bad == 0
    told = {one["notice"]["subject"]["value"]: one["case"] for got in receiver.got for one in got.notices}
    assert told == {number: str(case) for number, case in cases.items()}
    coverage = scene.final_coverage(["hooky"])["hooky"]
    assert {one.partition: one.through for one in coverage.received} == desk.full()
    assert (coverage.in_force, coverage.resolved) == (40, 0)
    assert {one.gap: one.pairs for one in coverage.gaps} == {GapClass.NO_OUTCOME: 40}
    receiver.close()
