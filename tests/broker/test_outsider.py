"""A platform that knows the hub only by its schemas takes part like any other."""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.core.coverage import unpack
from hub.core.model import DAY_MS, Coverage, EventType, NumberEvent, Outcome
from hub.core.roaring import is_segment
from hub.local.children import Child
from hub.wire import contracts
from tests.broker import outsider_platform
from tests.broker.scene import Scene, event, mobile_numbers, now_ms, wait_until

pytestmark = pytest.mark.broker

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
NAME = "stranger"
END_S = 60.0
HELD = {"cooled", "released", "reassigned", "restored", "withdrawn"}
"""Numbers with an account bound long ago; the others have one bound after the case opened, or none."""

WANTED = {
    "cooled": Outcome.FROZEN,
    "released": Outcome.UNBOUND,
    "reassigned": Outcome.UNBOUND,
    "restored": Outcome.REINSTATED,
    "withdrawn": Outcome.REINSTATED,
    "bound_since": Outcome.NOT_BOUND,
    "never_bound": Outcome.NOT_BOUND,
    "never_bound_restored": Outcome.NOT_BOUND,
}
LIVES = {
    "cooled": [EventType.COOLING],
    "released": [EventType.COOLING, EventType.RELEASE_SCHEDULED, EventType.RELEASED],
    "reassigned": [EventType.COOLING, EventType.RELEASED, EventType.REASSIGNED],
    "restored": [EventType.COOLING, EventType.RESTORED],
    "withdrawn": [EventType.COOLING, EventType.RELEASED, EventType.WITHDRAWN],
    "bound_since": [EventType.COOLING],
    "never_bound": [EventType.COOLING, EventType.RELEASED],
    "never_bound_restored": [EventType.COOLING, EventType.RESTORED],
}


def test_the_outsider_imports_nothing_of_the_hub() -> None:
    """A platform needs a Kafka client, an Avro library and Ed25519; not our package."""
    tree = ast.parse(Path(outsider_platform.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert outside == {"confluent_kafka", "cryptography", "fastavro"}


def test_the_outsider_says_the_vectors_bytes() -> None:
    """The exchange in `schemas/vectors` can be answered to the byte by a stranger who read the schemas."""
    given = json.loads((SCHEMAS / "vectors" / "exchange.json").read_text(encoding="utf-8"))
    record, answer = given["notice"], given["acknowledgement"]
    accounts = outsider_platform.Accounts([(given["notice"]["value"]["subject"]["value"], 0)])
    platform = outsider_platform.Platform(
        given["platform"]["id"],
        given["platform"]["key_id"],
        bytes.fromhex(given["platform"]["seed"]),
        given["hub_id"],
        SCHEMAS,
        accounts,
    )
    heard = platform.hear([(record["partition"], record["offset"], bytes.fromhex(record["value_hex"]))])
    value = platform.acknowledge(heard, given["done"]["sent_at"])
    assert value.hex() == answer["value_hex"]
    assert [[name, data.hex()] for name, data in platform.headers(value)] == answer["headers"]


@pytest.mark.parametrize("count", [1, 4_096, 4_097, 65_536])
def test_the_outsiders_bitmaps_are_the_portable_form(count: int) -> None:
    """A bitmap written by hand from the specification is one that the hub takes."""
    written = outsider_platform.roaring(list(range(count)))
    assert is_segment(written)
    assert list(unpack(written)) == list(range(count))


@contextmanager
def stranger(scene: Scene, accounts: Path) -> Iterator[Child]:
    """The outsider, running."""
    address = scene.hub.address
    options = {
        "bootstrap-servers": address.bootstrap_servers,
        "hub-id": address.hub_id,
        "platform": NAME,
        "key-id": f"{NAME}-1",
        "seed": hashlib.sha256(f"{NAME}-1".encode()).hexdigest(),
        "schemas": str(SCHEMAS),
        "accounts": str(accounts),
    }
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    child = Child([sys.executable, outsider_platform.__file__, *given], scene.hub.data_dir / f"{NAME}.log")
    try:
        yield child
        assert child.end(signal.SIGTERM, END_S), "the outsider does not end"
        assert child.process.returncode == 0
    finally:
        if not child.ended.is_set():
            child.end(signal.SIGKILL, END_S)


def write_accounts(path: Path, numbers: dict[str, str]) -> None:
    """The stranger's accounts."""
    rows = [(numbers[name], now_ms() - DAY_MS) for name in sorted(HELD)]
    rows.append((numbers["bound_since"], now_ms() + DAY_MS))
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("number", "bound_at"), *rows])


def life(number: str, kinds: list[EventType]) -> Iterator[NumberEvent]:
    """The events of one number."""
    last: NumberEvent | None = None
    for kind in kinds:
        last = event(number, kind, supersedes=last.event_id if last and kind is EventType.WITHDRAWN else None)
        yield last


def answers(coverage: Coverage) -> dict[Outcome, int]:
    """What a platform's coverage shows."""
    return {one.outcome: one.pairs for one in coverage.outcomes}


def test_a_platform_of_strangers_takes_part(scene: Scene, tmp_path: Path) -> None:
    """It hears every stage, freezes, unbinds and reinstates, and coverage shows what it says; twice does no harm."""
    scene.put_platforms(scene.platform(NAME))
    numbers = dict(zip(LIVES, mobile_numbers(len(LIVES)), strict=True))
    write_accounts(tmp_path / "accounts.csv", numbers)
    wanted = {outcome: list(WANTED.values()).count(outcome) for outcome in set(WANTED.values())}

    def shown(settled_at: int) -> Coverage:
        wait_until("the stranger has answered", lambda: sum(scene.ends(contracts.ACKS)) > settled_at)
        scene.settle(contracts.ACKS)
        return scene.final_coverage([NAME])[NAME]

    with stranger(scene, tmp_path / "accounts.csv"):
        for name, kinds in LIVES.items():
            scene.send(scene.event_message(one) for one in life(numbers[name], kinds))
        scene.flush()
        scene.settle(contracts.EVENTS)
        ends = scene.ends(contracts.RELEASES)
        through = {partition: end - 1 for partition, end in enumerate(ends) if end}
        wait_until("it has answered everything", lambda: _received(scene) == through)
        first = shown(0)
    assert answers(first) == wanted
    assert {one.partition: one.through for one in first.received} == through
    assert first.in_force == sum(not {EventType.RESTORED, EventType.WITHDRAWN} & set(one) for one in LIVES.values())
    assert (first.resolved, first.restore_pending, first.disputes) == (4, 0, 0)
    with stranger(scene, tmp_path / "accounts.csv"):
        again = shown(sum(scene.ends(contracts.ACKS)))
    assert again._replace(as_of=first.as_of) == first
    assert scene.rejected() == {}


def _received(scene: Scene) -> dict[int, int]:
    scene.settle(contracts.ACKS)
    return {one.partition: one.through for one in scene.final_coverage([NAME])[NAME].received}
