"""Settings, each with its bound and its reason. Nothing here reads a file or the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

PARTITIONS_DEFAULT = 12


@dataclass(frozen=True)
class HubAddress:
    """Where a hub is and who it is: all an operator or a platform needs to reach it.

    `security` is passed to aiokafka as it is (security_protocol, ssl_context, sasl_...).
    """

    bootstrap_servers: str
    hub_id: str
    partitions: int = PARTITIONS_DEFAULT
    security: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkerSettings:
    """One worker of the stream processor."""

    bootstrap_servers: str
    data_dir: Path
    instance_id: str
    """Static membership (KIP-345): the same name after a restart is back without a rebalance."""

    metrics_port: int = 0
    """Port of /metrics on 127.0.0.1; 0 takes a free one. `ready_file` says when the worker serves."""

    ready_file: Path | None = None
    """Where to say, as JSON, that this worker serves."""

    session_timeout_s: float = 10.0
    """After this long without a heartbeat another worker takes over."""

    chunk_records_max: int = 2_000
    """Records handed on at once; bounds the memory and the replay of one step."""

    intake_batch_max: int = 500
    """Events decided on at once; bounds how long a partition waits for its receipts."""

    flush_interval_ms: int = 1_000
    """How often changed tiles are made durable; an ack's offset is committed after that."""

    publish_interval_ms: int = 100
    """How often coverage is published while it changes; the promise is 200 ms."""

    refresh_interval_ms: int = 5_000
    """How often gaps are published, and figures that only time moved."""

    silence_s_max: float = 60.0
    """A span of a log that brings nothing for so long, before its end, is given up: the brokers are at fault."""

    signature_threads: int = 2
    """Threads that check signatures; libsodium works outside the GIL."""

    security: dict[str, object] = field(default_factory=dict)
