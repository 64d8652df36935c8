"""The cluster goes away under delivery and comes back: nothing is lost, and nobody is flooded."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from hub.core.model import EventType
from hub.wire import contracts
from tests.broker import scene as scenes
from tests.broker.delivering import Delivering, delivering
from tests.broker.scene import event, mobile_numbers, wait_until
from tests.clusters import borrowed
from tests.receiver import Receiver

pytestmark = pytest.mark.broker
BACK_S = 120.0


def test_an_outage_of_the_cluster_loses_nothing(tmp_path: Path) -> None:
    """The broker dies while receivers are told and comes back: all are told all, and every receipt is written."""
    with borrowed() as kafka:
        servers = kafka.bootstrap_servers
        with scenes.running(tmp_path / "hub", bootstrap_servers=servers) as scene, delivering(scene) as delivery:
            scene.put_operator("north", "+86135")
            receivers = {f"r{index}": Receiver(delivery.where["public_key"]) for index in range(5)}
            scene.put_platforms(*(delivery.platform(name, f"webhook {one.url}") for name, one in receivers.items()))
            scene.open_cases(mobile_numbers(30))
            wait_until("the first has all", lambda: receivers["r0"].through() == delivery.full())
            kafka.kill()
            kafka.start()
            assert kafka.bootstrap_servers == servers
            scene.send(scene.event_message(event(one, EventType.COOLING)) for one in mobile_numbers(60, "+861351"))
            scene.flush()
            wait_until("every notice is there", lambda: sum(scene.ends(contracts.RELEASES)) == 90, BACK_S)
            whole = delivery.full()
            for name, receiver in receivers.items():
                wait_until(f"{name} has all", partial(has, receiver, whole), BACK_S)
                wait_until(f"{name} is said to", partial(is_said_to, delivery, name, whole), BACK_S)
                repeats = len(receiver.got) - len({one.id for one in receiver.got})
                assert repeats == 0, f"{name} was told {repeats} messages twice"
                receiver.close()


def has(receiver: Receiver, whole: dict[int, int]) -> bool:
    return receiver.through() == whole


def is_said_to(delivery: Delivering, name: str, whole: dict[int, int]) -> bool:
    return delivery.received(name) == whole
