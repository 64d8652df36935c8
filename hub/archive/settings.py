"""Settings of the archive, each with its bound and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

SCHEMA = "archive"


@dataclass(frozen=True)
class ArchiveSettings:
    """One archive program."""

    bootstrap_servers: str
    dsn: str
    """Of PostgreSQL 14 or newer: `postgresql://user@host/database`."""

    key_file: Path
    """The keys of numbers at rest; outside the database, or they protect nothing."""

    schema: str = SCHEMA
    """Of the tables in the database."""

    metrics_port: int = 0
    """/metrics on 127.0.0.1; 0 takes a free port."""

    ready_file: Path | None = None
    """Written as JSON once it has reached the ends the logs had at its start; taken away at the end."""

    batch_messages_max: int = 2_000
    """Messages of one transaction: bounds memory, and what a kill has done again."""

    batch_bytes_max: int = 8 * 1024 * 1024
    """Bytes of one transaction; one message alone may be larger."""

    look_s: float = 2.0
    """How often new topics and the ends of the logs are looked for."""

    outage_s_max: float = 600.0
    """So long a database that is away is waited for; then the program ends, and its supervisor starts it again."""

    security: dict[str, object] = field(default_factory=dict)
    """Passed to aiokafka as it is."""
