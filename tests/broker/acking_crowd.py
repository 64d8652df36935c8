"""A crowd of platforms that acknowledge: what each says is written down in a ledger before it is sent.

Every acknowledgement says at least one thing that no other one says, so the loss of any single one shows.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from hub.core.model import EventType, Outcome, Source
from hub.wire import contracts
from tests.broker.ledger import Ledger
from tests.broker.scene import Message, Scene, event, mobile_numbers

PLATFORMS = 20
UNDONE_EVERY = 10
REPEATED_SHARE = 0.02
ECHOES_MAX = 3


class Crowd:
    """Connected platforms over a universe of cases, a tenth of them restored.

    Args:
        scene: a hub with the operator `north`.
        cases: how many numbers go into cooling.
    """

    def __init__(self, scene: Scene, cases: int, rng: random.Random) -> None:
        self._scene = scene
        self._rng = rng
        self.platforms = [f"platform-{index:02d}" for index in range(PLATFORMS)]
        scene.put_platforms(*(scene.platform(one, tier=1 + index % 3) for index, one in enumerate(self.platforms)))
        opened = self._open(mobile_numbers(cases))
        self.ledger = Ledger(opened)
        self._log_ends = scene.ends(contracts.RELEASES)
        triples = list(itertools.product(self.platforms, Outcome, sorted(opened)))
        rng.shuffle(triples)
        self._unsaid = iter(triples)
        self._said: dict[tuple[str, int], list[tuple[Outcome, int]]] = {}

    def _open(self, numbers: list[str]) -> dict[Source, bool]:
        found = self._scene.open_cases(numbers)
        undone = numbers[::UNDONE_EVERY]
        self._scene.send(self._scene.event_message(event(one, EventType.RESTORED)) for one in undone)
        self._scene.flush()
        self._scene.settle(contracts.EVENTS)
        gone = set(undone)
        return {where: number in gone for number, where in found.items()}

    def messages(self, count: int) -> Iterator[Message]:
        """Acknowledgements, each written down as it is made; now and then one twice."""
        made = 0
        while made < count:
            message = self._one()
            times = 2 if self._rng.random() < REPEATED_SHARE and made + 1 < count else 1
            made += times
            yield from [message] * times

    def _one(self) -> Message:
        platform, outcome, case = next(self._unsaid)
        known = self._said.setdefault((platform, case.partition), [])
        echoes = self._rng.sample(known, min(len(known), self._rng.randint(0, ECHOES_MAX)))
        known.append((outcome, case.offset))
        said: dict[Outcome, set[int]] = {outcome: {case.offset}}
        for other, offset in echoes:
            said.setdefault(other, set()).add(offset)
        highest = max(max(offsets) for offsets in said.values())
        through = self._rng.randint(highest, self._log_ends[case.partition] - 1)
        self.ledger.note(platform, case.partition, through, said)
        return self._scene.ack_message(self._scene.ack(platform, case.partition, through, said))
