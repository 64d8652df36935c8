"""Settings of the web program, each with its bound and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hub.clearance.answering import WAIT_S
from hub.core.model import ClearancePolicy
from hub.web.access.limits import LimitSettings


@dataclass(frozen=True)
class WebSettings:
    """One web program."""

    bootstrap_servers: str
    data_dir: Path
    """The standings' state, the key that signs clearances, the local issuer's key."""

    host: str = "127.0.0.1"
    """Where people call; put a TLS proxy before it."""

    port: int = 0
    metrics_port: int = 0
    """/metrics on 127.0.0.1; 0 takes a free port."""

    ready_file: Path | None = None
    dsn: str | None = None
    """Of the archive; without one there is no history, and what needs it answers 503 NO_ARCHIVE."""

    key_file: Path | None = None
    """The archive's keys of numbers at rest."""

    policy: ClearancePolicy = field(default_factory=ClearancePolicy)
    auth_file: Path | None = None
    """Whose tokens are believed; the local issuer's alone if there is no file."""

    limits: LimitSettings = field(default_factory=LimitSettings)
    """How much each subject may ask, and each address that proves nobody."""

    reach_s: float = 2.0
    """How long a question about a case waits for the followers to read what was there when it came."""

    clearance_wait_s: float = WAIT_S
    """The same of a clearance; what is not read by then is answered BEHIND."""

    roster_wait_s: float = 10.0
    """How long an operator's message waits for the roster to be read up to now; then it is told to come again."""

    streams_max: int = 120
    """Live streams at once: of the 200 connections the server takes, the others are for questions."""

    streams_each_max: int = 10
    """Of one subject: a person has a few tabs."""

    security: dict[str, object] = field(default_factory=dict)
    """Passed to aiokafka as it is."""
