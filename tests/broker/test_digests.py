"""A digest on a real hub: what a platform says of notices that it did not see counts nowhere."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.model import (
    REFUSAL_TODO,
    Acknowledgement,
    GapClass,
    Outcome,
    Refusal,
    Source,
    Unheard,
)
from hub.recount import recount
from hub.wire import contracts
from hub.wire.contracts import encode
from tests import plain_http
from tests.broker.archiving import Archiving, archiving
from tests.broker.asking import asking, recounted
from tests.broker.delivering import delivering
from tests.broker.scene import NO_DIGEST, Scene, mobile_numbers
from tests.broker.test_reports import inbox

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def hub(scene: Scene) -> Scene:
    """`bank` is connected."""
    scene.put_platforms(scene.platform("bank"))
    return scene


@pytest.fixture(scope="module")
def archive(hub: Scene) -> Iterator[Archiving]:
    """An archive beside it."""
    with archiving(hub) as one:
        yield one


def unseen(scene: Scene, where: Source, digest: bytes = NO_DIGEST) -> Acknowledgement:
    """NOT_BOUND of a case, with a digest that is not its notice's."""
    ack = scene.ack("bank", where.partition, where.offset, {Outcome.NOT_BOUND: [where.offset]})
    assert ack.received[0].digest != digest
    return ack._replace(received=(ack.received[0]._replace(digest=digest),))


def send(scene: Scene, *acks: Acknowledgement) -> None:
    scene.send(scene.ack_message(one) for one in acks)
    scene.flush()
    scene.settle(contracts.ACKS)


def test_what_was_not_seen_counts_for_nobody(hub: Scene, archive: Archiving, tmp_path: Path) -> None:
    """Worker, clearance, archive and recount refuse it whole, its sender is told why, and the right digest counts."""
    numbers = mobile_numbers(2)
    cases = hub.open_cases(numbers)
    first, second = (cases[one] for one in numbers)
    send(hub, unseen(hub, first), unseen(hub, second, hub.digest(*first)))
    refused = {one.reason for (topic, _), one in hub.rejected().items() if topic == contracts.ACKS}
    assert refused == {Refusal.WRONG_DIGEST}
    told = [one.reason for one in inbox(hub, "bank") if isinstance(one, Unheard)]
    assert told == [Refusal.WRONG_DIGEST] * 2
    coverage = hub.final_coverage(["bank"])["bank"]
    assert (coverage.in_force, coverage.resolved, coverage.received) == (2, 0, ())
    archive.caught_up()
    history = archive.history()
    with asking(hub, tmp_path / "web") as answering:
        assert recounted(hub, answering.ask(numbers)).differences == []
        assert answering.look(lambda one: [pair.gap for pair in one.pairs.pairs(first)]) == [GapClass.NOT_RECEIVED]
        assert effects(history, first) == effects(history, second) == []
        assert asyncio.run(recount(hub.hub.address.bootstrap_servers)) == []
        send(hub, hub.ack("bank", first.partition, first.offset, {Outcome.NOT_BOUND: [first.offset]}))
        archive.caught_up()
        assert recounted(hub, answering.ask(numbers)).differences == []
        assert answering.look(lambda one: [pair.gap for pair in one.pairs.pairs(first)]) == [None]
    assert effects(history, first) == [("bank", Outcome.NOT_BOUND)]
    assert hub.final_coverage(["bank"])["bank"].resolved == 1
    assert asyncio.run(recount(hub.hub.address.bootstrap_servers)) == []
    history.close()


def effects(history: object, where: Source) -> list[tuple[str, Outcome]]:
    found = history.case(where)  # type: ignore[attr-defined]
    return [(one.platform, one.outcome) for one in found.effects]


def test_an_old_notice_is_judged_as_a_new_one(hub: Scene) -> None:
    """A `through` far behind the end of the log is judged by its notice's digest, like one at the end."""
    case = min(hub.open_cases(mobile_numbers(40, "+861352")).values())
    before = len(hub.rejected())
    send(hub, unseen(hub, Source(case.partition, 0)))
    assert len(hub.rejected()) == before + 1
    send(hub, hub.ack("bank", case.partition, 0))
    assert len(hub.rejected()) == before + 1


def test_over_http_it_is_refused_at_the_door(hub: Scene) -> None:
    """Delivery answers 422 with the hub's own reason and what to do, and nothing reaches `acks`."""
    with delivering(hub) as delivery:
        hub.put_platforms(delivery.platform("polly", "file"))
        case = min(hub.open_cases(mobile_numbers(2, "+861353")).values())
        received = (unseen(hub, case).received[0],)
        value = encode(Acknowledgement("polly", hub.hub_log.log_id, 0, received, ()))
        before = hub.ends(contracts.ACKS)
        headers = dict(hub.signer("polly-1").headers(contracts.ACKS, value))
        answer = plain_http.post(
            f"{delivery.url}/v1/platforms/polly/acknowledgements",
            content=value,
            headers={"signature": base64.b64encode(headers["signature"]).decode(), "key-id": "polly-1"},
            trust_env=False,
        )
        assert answer.status_code == 422
        said = (answer.json()["reason"], answer.json()["todo"])
        assert said == (Refusal.WRONG_DIGEST, REFUSAL_TODO[Refusal.WRONG_DIGEST])
        assert hub.ends(contracts.ACKS) == before
