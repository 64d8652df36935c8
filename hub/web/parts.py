"""This module holds what every route uses: the read model, clearance, the archive, admission and the producer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer

from hub.clearance.answering import Answerer
from hub.core.model import HubLog
from hub.web.access.auth import Doorman
from hub.web.access.limits import Limits, Strangers
from hub.web.board.following import LiveBoard
from hub.web.history import Archive
from hub.web.metrics import WebMetrics
from hub.web.settings import WebSettings


@dataclass
class Parts:
    """The running parts of one web program."""

    settings: WebSettings
    hub_log: HubLog
    live: LiveBoard
    answerer: Answerer
    archive: Archive
    doorman: Doorman
    limits: Limits
    strangers: Strangers
    producer: AIOKafkaProducer
    metrics: WebMetrics
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    streams: dict[str, int] = field(default_factory=dict)
    """The number of open live streams, by subject."""
