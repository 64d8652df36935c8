"""This module holds the settings of the web program, each with its bound and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hub.clearance.answering import WAIT_S
from hub.core.model import ClearancePolicy
from hub.web.access.limits import LimitSettings


@dataclass(frozen=True)
class WebSettings:
    """The settings of one web program."""

    bootstrap_servers: str
    data_dir: Path
    """The folder of the clearance fold's state, the key that signs clearances, and the local issuer's key."""

    host: str = "127.0.0.1"
    """The address where people call; put a TLS proxy in front of it."""

    port: int = 0
    metrics_port: int = 0
    """The port of /metrics on 127.0.0.1; 0 takes a free port."""

    ready_file: Path | None = None
    dsn: str | None = None
    """The address of the archive; without one there is no history, and routes that need it answer 503 NO_ARCHIVE."""

    key_file: Path | None = None
    """The file of the archive's keys of numbers at rest."""

    policy: ClearancePolicy = field(default_factory=ClearancePolicy)
    auth_file: Path | None = None
    """The file that names the issuers to trust; without a file the hub trusts only its own issuer."""

    limits: LimitSettings = field(default_factory=LimitSettings)
    """How much each subject may ask, and each address that sends no valid token."""

    reach_s: float = 2.0
    """How long a question about a case waits until the followers have read what the logs held when it came."""

    clearance_wait_s: float = WAIT_S
    """How long a clearance waits for the same; if that is not enough, it is answered BEHIND."""

    roster_wait_s: float = 10.0
    """How long an operator's message waits until the roster is read up to now; then it is told to come again."""

    streams_max: int = 120
    """How many live streams may be open; the others of the server's 200 connections are for questions."""

    streams_each_max: int = 10
    """How many of them one subject may have: a person has a few tabs."""

    security: dict[str, object] = field(default_factory=dict)
    """The options of aiokafka for security; they are passed on as they are."""
