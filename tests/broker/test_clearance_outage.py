"""Without its cluster clearance answers nothing that is not on record, and it goes on by itself once it is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.core.model import Lookup
from hub.errors import HubError
from hub.wire import contracts
from hub.wire.contracts import decode
from tests.broker import scene as scenes
from tests.broker.asking import asking
from tests.broker.scene import mobile_numbers, wait_until
from tests.clusters import borrowed

pytestmark = pytest.mark.broker

BACK_S = 90.0


def test_nothing_is_answered_that_is_not_on_record(tmp_path: Path) -> None:
    """Without a broker a question is refused in time, with what to do; with it back the same program answers."""
    numbers = mobile_numbers(2)
    with (
        borrowed() as kafka,
        scenes.running(tmp_path / "hub", bootstrap_servers=kafka.bootstrap_servers) as scene,
        asking(scene, tmp_path / "web") as answering,
    ):
        given = [answering.ask(numbers).lookup_id]
        answering.answerer.wait_s = 1.0
        kafka.kill()
        with pytest.raises(HubError, match="cannot be recorded"):
            answering.ask(numbers)
        kafka.start()

        def answers() -> bool:
            try:
                answered = answering.ask(numbers)
            except HubError:
                return False
            given.append(answered.lookup_id)
            return answered.answers[0].reasons == ["NO_CASE"]

        wait_until("answers are given again from logs read to their ends", answers, BACK_S)
        recorded = {decode(one.value, Lookup).lookup_id.hex() for one in scene.read(contracts.LOOKUPS)}
    assert set(given) <= recorded
