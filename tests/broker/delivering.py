"""A delivery program beside the scene's hub, kept running."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Producer

from hub.core.model import EventType, Key, Platform, Received
from hub.core.roster_life import receipt_key_id
from hub.core.tile_records import says_received
from hub.local.children import Supervised
from hub.sdk.http_client import token
from hub.wire import contracts
from hub.wire.contracts import decode
from tests import plain_http
from tests.broker.scene import DEADLINE_S, Scene, event, wait_until


class Delivering:
    """The program, and where it serves."""

    def __init__(self, scene: Scene, *options: str, name: str = "delivery") -> None:
        self.scene = scene
        self.folder = scene.hub.data_dir / name
        self.ready_file = scene.hub.data_dir / f"{name}.ready.json"
        arguments: tuple[str, ...] = ("delivery", "run", "--bootstrap-servers", scene.hub.address.bootstrap_servers)
        arguments += ("--data-dir", str(self.folder), "--ready-file", str(self.ready_file), "--private-addresses")
        arguments += ("--port", "0", "--metrics-port", "0", *options)
        self.program = Supervised(name, arguments, scene.hub.data_dir)
        self.program.start()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until it serves."""
        wait_until("delivery serves", self.ready_file.exists)

    @property
    def where(self) -> dict[str, Any]:
        """What its ready file says."""
        found: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        return found

    @property
    def url(self) -> str:
        """Where platforms call."""
        return f"http://127.0.0.1:{self.where['port']}"

    @property
    def staff_url(self) -> str:
        """Where staff looks."""
        return f"http://127.0.0.1:{self.where['metrics_port']}"

    def rows(self) -> list[dict[str, Any]]:
        """Its status."""
        found: list[dict[str, Any]] = plain_http.get(f"{self.staff_url}/status", trust_env=False).json()
        return found

    def status(self, platform: str) -> dict[str, Any]:
        """One row of its status, once it knows the platform."""
        wait_until(f"delivery knows {platform}", lambda: platform in {one["platform"] for one in self.rows()})
        return next(one for one in self.rows() if one["platform"] == platform)

    def knows(self, platform: str) -> bool:
        """Whether its follower of the roster has the platform: its token opens the door."""
        target = f"/v1/platforms/{platform}/delivery"
        proof = token(self.scene.signer(f"{platform}-1"), platform, "GET", target, int(time.time()))
        headers = {"authorization": f"Bearer {proof}"}
        return plain_http.get(self.url + target, headers=headers, trust_env=False).is_success

    def platform(self, name: str, channel: str, **fields: Any) -> Platform:
        """A connected platform with its own key and delivery's."""
        public = bytes.fromhex(self.where["public_hex"])
        keys = (self.scene.key(f"{name}-1"), Key(receipt_key_id(name), public, 0))
        return self.scene.platform(name, **{"channel": channel, "keys": keys, **fields})

    def received(self, platform: str) -> dict[int, int]:
        """How far the hub has a platform as received, out of its durable copy."""
        found: dict[int, int] = {}
        for record in self.scene.read(contracts.TILES):
            if record.value is not None and says_received(record.key):
                one = decode(record.value, Received)
                if one.platform == platform:
                    found[one.partition] = max(one.through, found.get(one.partition, -1))
        return found

    def full(self) -> dict[int, int]:
        """By partition, the last position of `releases`."""
        return {one: end - 1 for one, end in enumerate(self.scene.ends(contracts.RELEASES)) if end}


def publish_past(scene: Scene, numbers: Mapping[int, Iterable[str]]) -> None:
    """Publish a COOLING of each number, recorded at a time (UTC milliseconds), on a hub with a world's clock."""
    producer = Producer({"bootstrap.servers": scene.hub.address.bootstrap_servers})
    for at, those in numbers.items():
        for number in those:
            one = scene.event_message(event(number, EventType.COOLING, occurred_at=at))
            place = {"key": one.key, "partition": one.partition, "timestamp": at}
            producer.produce(one.topic, one.value, headers=list(one.headers), **place)
    assert producer.flush(DEADLINE_S) == 0
    scene.settle(contracts.EVENTS)


@contextmanager
def delivering(scene: Scene, *options: str, name: str = "delivery") -> Iterator[Delivering]:
    """A delivery program for as long as the block runs."""
    made = Delivering(scene, *options, name=name)
    try:
        yield made
    finally:
        made.program.stop()
