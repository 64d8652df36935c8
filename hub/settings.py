"""This module defines the settings, each with its bound and its reason. It reads no file and no environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

PARTITIONS_DEFAULT = 12


@dataclass(frozen=True)
class HubAddress:
    """Where a hub is and which hub it is: all that an operator or a platform needs to reach it.

    `security` is passed to aiokafka as it is (security_protocol, ssl_context, sasl_...).
    """

    bootstrap_servers: str
    hub_id: str
    partitions: int = PARTITIONS_DEFAULT
    security: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of one worker of the stream processor."""

    bootstrap_servers: str
    data_dir: Path
    instance_id: str
    """The name for static membership (KIP-345): a worker of the same name restarts without a rebalance."""

    metrics_port: int = 0
    """The port of /metrics on 127.0.0.1; 0 takes a free one. `ready_file` says when the worker serves."""

    ready_file: Path | None = None
    """The file that says, as JSON, that this worker serves."""

    session_timeout_s: float = 10.0
    """After so long without a heartbeat another worker takes over."""

    chunk_records_max: int = 2_000
    """How many records are handed on at once. This bounds the memory and the replay of one step."""

    intake_batch_max: int = 500
    """How many events are decided on at once. This bounds how long a partition waits for its receipts."""

    flush_interval_ms: int = 1_000
    """How often changed tiles are made durable. An ack's offset is committed after that."""

    publish_interval_ms: int = 100
    """How often coverage is published while it changes. The promise is 200 ms."""

    refresh_interval_ms: int = 5_000
    """How often gaps are published, and figures that changed with time alone."""

    silence_s_max: float = 60.0
    """A reader of a span that gets nothing for so long before its end gives up: the brokers are at fault."""

    signature_threads: int = 2
    """How many threads check signatures. libsodium works outside the GIL."""

    security: dict[str, object] = field(default_factory=dict)
