"""This module declares the metrics of PairsNow, each once with unit and meaning. Labels are topics and enum members."""

from __future__ import annotations

import asyncio
import logging

from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hub.clearance.pairs import PairsNow
from hub.core.model import ClearanceAnswer

log = logging.getLogger(__name__)

SHOWN_EVERY_S = 1.0
ANSWER_BUCKETS_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class ClearanceMetrics:
    """The metrics, in the registry that is passed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._behind = Gauge(
            "hub_web_behind", "Records not read yet by the web's followers.", ["topic"], registry=registry
        )
        self._answers = Counter("hub_clearances", "Numbers answered, by answer.", ["answer"], registry=registry)
        self._seconds = Histogram(
            "hub_clearance_seconds",
            "From a question to its answer, seconds.",
            buckets=ANSWER_BUCKETS_S,
            registry=registry,
        )

    def show_behind(self, behind: dict[str, int]) -> None:
        """Show how far the followers are behind, by topic."""
        for topic, count in behind.items():
            self._behind.labels(topic).set(count)

    def answered(self, answers: list[ClearanceAnswer], seconds: float) -> None:
        """Count the answers to one question."""
        for answer in answers:
            self._answers.labels(answer).inc()
        self._seconds.observe(seconds)


async def show_for_ever(pairs: PairsNow, metrics: ClearanceMetrics) -> None:
    """Keep the metric of the lag current, until this is cancelled."""
    while True:
        try:
            metrics.show_behind(await pairs.behind())
        except KafkaError as wrong:
            log.warning("no broker says where the logs end: %s", type(wrong).__name__)
        await asyncio.sleep(SHOWN_EVERY_S)
