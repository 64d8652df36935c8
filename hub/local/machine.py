"""Small parts of one machine: locks between processes, free ports, the last lines of a log."""

from __future__ import annotations

import errno
import fcntl
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.errors import HubError

HOST = "127.0.0.1"
POLL_S = 0.05

# Below the range of outgoing connections: else a client that tries a dead server's port again and again can
# connect to itself and hold the port.
_PORTS = range(20_000, 32_768)
_PORT_TRIES_MAX = 100
_QUOTED_LINES_MAX = 15
_QUOTED_BYTES_MAX = 16_384


@contextmanager
def locked(path: Path, holder: str, *, deadline_s: float) -> Iterator[None]:
    """Hold a lock between processes, which their end releases, however they end."""
    deadline_s += time.monotonic()
    with path.open("ab") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline_s:
                raise HubError(f"{holder} already uses {path.parent}", todo="end it, or use another folder")
            time.sleep(POLL_S)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def free_port(*, but: int | None = None) -> int:
    """A port that a server could listen at now."""
    for port in random.sample(_PORTS, _PORT_TRIES_MAX):
        if port != but and is_free(port):
            return port
    raise HubError(f"no free port on {HOST}", todo="end some of the servers on this machine")


def quoted(log: Path) -> str:
    """The last lines of a log without Java's stack frames, for an error's message; empty if there are none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _QUOTED_BYTES_MAX))
        text = file.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if not line.startswith(("\tat ", "\t... "))][-_QUOTED_LINES_MAX:]
    return "".join([f"\n  {log}:", *(f"\n    {line}" for line in lines)]) if lines else ""
