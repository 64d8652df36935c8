"""This module follows `reported`: people's reports that count, the answers to them, and the open disputes."""

from __future__ import annotations

import logging
from typing import Any

from aiokafka import TopicPartition

from hub.core.model import AcceptedAnswer, AcceptedReport
from hub.core.reports import Disputes
from hub.errors import ContractError
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode

log = logging.getLogger(__name__)

REPORTED = TopicPartition(contracts.REPORTED, 0)


class ReportedFollower(Follower):
    """Folds the reports that count and their answers into disputes."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__(settings, [REPORTED])
        self.disputes = Disputes()

    def handle(self, raw: Any) -> None:
        """Fold one record."""
        try:
            record: AcceptedReport | AcceptedAnswer = decode(raw.value, AcceptedReport, AcceptedAnswer)
        except ContractError as wrong:
            log.error("%s offset %d: %s; ignored", raw.topic, raw.offset, wrong.message)
            return
        self.disputes.add(record)

    @property
    def offset(self) -> int:
        """Return the next offset to be read."""
        return self.places[REPORTED]
