"""Settings of delivery, each with its bound and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HOUR_S = 3_600.0
DAY_S = 86_400.0


@dataclass(frozen=True)
class Patience:
    """When a receiver that fails is tried again, and from when on it is degraded or suspended."""

    backoff_s: float = 1.0
    """Pause after the first failure; doubled after each further one."""

    backoff_max_s: float = 60.0
    """The longest pause of a receiver that is not degraded yet."""

    degraded_after_s: float = 600.0
    """Degraded after so long without success."""

    degraded_backoff_max_s: float = 900.0
    """The longest pause of a degraded receiver."""

    suspended_after_s: float = 6 * HOUR_S
    """Suspended after so long without any success."""

    probe_s: float = HOUR_S
    """Between two probes of a suspended receiver."""

    retry_after_max_s: float = HOUR_S
    """The longest `Retry-After` that is honoured."""


FILE_PATIENCE = Patience(
    backoff_s=1.0,
    backoff_max_s=1.0,
    degraded_after_s=DAY_S,
    degraded_backoff_max_s=1.0,
    suspended_after_s=7 * DAY_S,
    probe_s=1.0,
)
"""Of receivers that come and fetch: a try costs nothing, and they come once a day."""


@dataclass(frozen=True)
class DeliverySettings:
    """One delivery program."""

    bootstrap_servers: str
    data_dir: Path
    """Its journal, its key unless `key_file` is given, and files of days."""

    key_file: Path | None = None
    """The hub's Ed25519 key for webhooks, files and receipts; made in `data_dir` if there is none."""

    host: str = "127.0.0.1"
    port: int = 0
    """Where platforms call; 0 takes a free port. TLS is the business of the proxy before it."""

    metrics_port: int = 0
    """Port of /metrics on 127.0.0.1; 0 takes a free one."""

    ready_file: Path | None = None
    """Written as JSON once it serves."""

    batch_notices_max: int = 100
    """Notices in one webhook."""

    batch_bytes_max: int = 256 * 1024
    """Bytes of one webhook's body, unless one notice alone is larger."""

    in_flight_max: int = 64
    """Webhooks on their way at once, to all receivers."""

    in_flight_per_receiver_max: int = 4
    """Webhooks on their way to one receiver, each of another partition; one while it fails, or is slow."""

    slow_after_s: float = 1.0
    """A receiver whose last answer took longer is slow. All slow ones together have half of `in_flight_max`, so that
    those who answer at once never wait for them."""

    lookups_max: int = 64
    """Receivers' names looked up at once; one whose servers do not answer holds its thread until the system gives up
    on it."""

    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 20.0
    """From the first byte sent to the last byte answered; ends receivers that drip."""

    answer_bytes_max: int = 16 * 1024
    """Of an answer's body; the rest is not read."""

    inbox_look_s: float = 1.0
    """How often receivers' inboxes are asked whether they have more; its deadlines are hours and days."""

    reach_s: float = 10.0
    """How long a platform's request waits for the roster and the log to be read up to now; then it is told to come
    again."""

    receipt_linger_ms: int = 100
    """How long receipts of one platform are gathered into one acknowledgement."""

    spread_s: float = 5.0
    """First tries after a start are spread over so long, so that a hub that comes back causes no storm."""

    offer_s: float = HOUR_S
    """A day's file that was not fetched for so long counts as one failed try."""

    file_grace_s: float = 600.0
    """A day's file is made so long after the day: until then its last notices may still be on their way."""

    files_kept_max: int = 14
    """Files of days kept on disk; others are made again from the log, byte for byte."""

    private_addresses: bool = False
    """Whether webhooks may go to private addresses, and by plain http to 127.0.0.1."""

    webhook_patience: Patience = field(default_factory=Patience)
    file_patience: Patience = FILE_PATIENCE
    security: dict[str, object] = field(default_factory=dict)
    """Passed to aiokafka as it is."""
