"""This module follows the roster: the topics `operators`, `platforms` and `hub`, and `clock` in a replayed world."""

from __future__ import annotations

import logging
from typing import Any

from aiokafka import TopicPartition

from hub.clock import system_clock
from hub.core.model import Clock, HubKey, HubLog, Operator, Platform
from hub.core.roster import Roster
from hub.errors import ContractError
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode

log = logging.getLogger(__name__)

PLATFORMS = TopicPartition(contracts.PLATFORMS, 0)


class RosterFollower(Follower):
    """Folds the roster, the hub's own keys and, in a replayed world, the time."""

    def __init__(self, settings: WorkerSettings, *, world_clock: bool) -> None:
        topics = [contracts.OPERATORS, contracts.PLATFORMS, contracts.HUB, *([contracts.CLOCK] if world_clock else [])]
        super().__init__(settings, [TopicPartition(topic, 0) for topic in topics])
        self.roster = Roster()
        self.version = 0
        self._world_clock = world_clock
        self._world_ms = 0

    def handle(self, raw: Any) -> None:
        """Take in a record of the roster or the clock. One that cannot be read changes nothing."""
        if raw.value is None:
            return
        try:
            record: Operator | Platform | Clock | HubKey | HubLog = decode(
                raw.value, Operator, Platform, Clock, HubKey, HubLog
            )
        except ContractError as wrong:
            log.error("%s offset %d: %s; ignored", raw.topic, raw.offset, wrong.message)
            return
        if isinstance(record, Clock):
            self._world_ms = max(self._world_ms, record.now_ms)
        elif isinstance(record, Operator):
            self.roster.put_operator(record)
        elif isinstance(record, HubKey):
            self.roster.put_hub_key(record.key)
        elif isinstance(record, Platform):
            self.roster.put_platform(record)
        self.version += 1

    @property
    def platforms_offset(self) -> int:
        """Return the next offset of `platforms` to be read."""
        return self.places[PLATFORMS]

    def now_ms(self) -> int:
        """Return the time at which figures are judged (UTC milliseconds)."""
        return self._world_ms if self._world_clock else system_clock()
