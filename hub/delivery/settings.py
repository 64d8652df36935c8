"""This module holds the settings of delivery, each with its bound and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HOUR_S = 3_600.0
DAY_S = 86_400.0


@dataclass(frozen=True)
class Patience:
    """This says when a receiver that fails is tried again, and when it becomes degraded or suspended."""

    backoff_s: float = 1.0
    """The pause after the first failure; it is doubled after each further one."""

    backoff_max_s: float = 60.0
    """No pause of a receiver that is not degraded yet is longer than this."""

    degraded_after_s: float = 600.0
    """A receiver is degraded after one of its lanes has failed for so long."""

    degraded_backoff_max_s: float = 900.0
    """No pause of a degraded receiver is longer than this."""

    suspended_after_s: float = 6 * HOUR_S
    """A receiver is suspended after all of it has failed for so long."""

    probe_s: float = HOUR_S
    """So much time is between two probes of a suspended receiver."""

    retry_after_max_s: float = HOUR_S
    """A longer `Retry-After` counts as this."""


FILE_PATIENCE = Patience(
    backoff_s=1.0,
    backoff_max_s=1.0,
    degraded_after_s=DAY_S,
    degraded_backoff_max_s=1.0,
    suspended_after_s=7 * DAY_S,
    probe_s=1.0,
)
"""This is for receivers that come and fetch: a try costs nothing, and they come once a day."""


@dataclass(frozen=True)
class DeliverySettings:
    """These are the settings of one delivery program."""

    bootstrap_servers: str
    data_dir: Path
    """This folder holds the journal, the key unless `key_file` is given, and files of days."""

    key_file: Path | None = None
    """This is the hub's Ed25519 key for webhooks, files and receipts; with None it is in `data_dir`, made if
    missing."""

    host: str = "127.0.0.1"
    port: int = 0
    """Platforms call this port; 0 takes a free one. The proxy before it does TLS."""

    metrics_port: int = 0
    """This is the port of /metrics on 127.0.0.1; 0 takes a free one."""

    ready_file: Path | None = None
    """This file is written as JSON once the program serves."""

    batch_notices_max: int = 100
    """One webhook has at most so many notices."""

    batch_bytes_max: int = 256 * 1024
    """One webhook's body has at most so many bytes, unless one notice alone is larger."""

    in_flight_max: int = 64
    """At most so many webhooks are on their way at once, to all receivers."""

    in_flight_per_receiver_max: int = 4
    """At most so many webhooks are on their way to one receiver, each of another partition; one while it fails or is
    slow."""

    slow_after_s: float = 1.0
    """A receiver whose last answer took longer is slow. All slow ones together have half of `in_flight_max`, so that
    those that answer at once never wait for them."""

    lookups_max: int = 64
    """At most so many receivers' names are looked up at once; a name whose servers do not answer holds its thread until
    the system gives up."""

    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 20.0
    """This is the time from the first byte sent to the last byte answered; it cuts off receivers that answer in
    drips."""

    answer_bytes_max: int = 16 * 1024
    """So much of an answer's body is read, and not the rest."""

    inbox_look_s: float = 1.0
    """Receivers' inboxes are asked this often whether they have more; the deadlines of what is in them are hours and
    days."""

    reach_s: float = 10.0
    """A platform's request waits so long for the roster and the log to be read up to now; then it is told to come
    again."""

    receipt_linger_ms: int = 100
    """Receipts of one platform are gathered for so long into one acknowledgement."""

    spread_s: float = 5.0
    """The first tries after a start are spread over so long, so that a hub that comes back causes no storm."""

    offer_s: float = HOUR_S
    """A day's file that was not fetched for so long counts as one failed try."""

    file_grace_s: float = 600.0
    """A day's file is made so long after the day: until then its last notices may still be on their way."""

    files_kept_max: int = 14
    """So many files of days are kept on disk; others are made again from the log, byte for byte."""

    private_addresses: bool = False
    """This says whether webhooks may go to private addresses, and by plain http to 127.0.0.1."""

    webhook_patience: Patience = field(default_factory=Patience)
    file_patience: Patience = FILE_PATIENCE
    security: dict[str, object] = field(default_factory=dict)
    """This is passed to aiokafka unchanged."""
