"""This module holds the settings of the archive, each with its bound and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

SCHEMA = "archive"


@dataclass(frozen=True)
class ArchiveSettings:
    """The settings of one archive program."""

    bootstrap_servers: str
    dsn: str
    """The address of a PostgreSQL 14 or newer: `postgresql://user@host/database`."""

    key_file: Path
    """The file of the keys of numbers at rest; keep it outside the database, or the keys protect nothing."""

    schema: str = SCHEMA
    """The schema of the tables in the database."""

    metrics_port: int = 0
    """The port of /metrics on 127.0.0.1; 0 takes a free port."""

    ready_file: Path | None = None
    """The file is written as JSON once the archive has reached the ends that the logs had at its start; it is removed
    at the end."""

    batch_messages_max: int = 2_000
    """The most messages of one transaction; this bounds memory, and what must be done again after a kill."""

    batch_bytes_max: int = 8 * 1024 * 1024
    """The most bytes of one transaction; a single message may be larger."""

    look_s: float = 2.0
    """The time after which the archive looks again for new topics and for the ends of the logs."""

    outage_s_max: float = 600.0
    """How long the archive waits for a database that does not answer; then it ends, and its supervisor restarts it."""

    security: dict[str, object] = field(default_factory=dict)
    """The options of aiokafka for security; they are passed on as they are."""
