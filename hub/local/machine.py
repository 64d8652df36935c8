"""This module serves local programs: locks between processes, free ports, disk space, a cache, last lines of logs."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from hub.errors import HubError

HOST = "127.0.0.1"
POLL_S = 0.05

# These are below the range of outgoing connections: otherwise a client that tries a dead server's port again and
# again can connect to itself and hold the port.
_PORTS = range(20_000, 32_768)
_PORT_TRIES_MAX = 100
_UNUSUAL_PORTS = range(1_024, _PORTS.start)
"""The ports to try when other programs hold the usual ones; below these only root may listen."""

MB = 1024 * 1024
_FULL_MB = 32
"""A disk with less than this free counts as full: Kafka and PostgreSQL stop when a few MB are left, not at zero."""

_QUOTED_LINES_MAX = 15
_QUOTED_BYTES_MAX = 16_384


@contextmanager
def locked(path: Path, holder: str, *, deadline_s: float) -> Iterator[None]:
    """Hold a lock between processes; the end of the holding process releases it, however it ends.

    Raises:
        HubError: another process holds the lock until the deadline.
    """
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
    """Say whether a server could listen at this port now."""
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
    """Return a port at which a server could listen now: a random one of the usual ports, else any free one.

    Raises:
        HubError: every port is in use.
    """
    usual = random.sample(_PORTS, _PORT_TRIES_MAX)
    for port in chain(usual, _PORTS, _UNUSUAL_PORTS):
        if port != but and is_free(port):
            return port
    raise HubError(
        f"every port of {HOST} from {_UNUSUAL_PORTS.start} to {_PORTS.stop - 1} is in use",
        todo="end some of the servers on this machine",
    )


def cache_folder() -> Path:
    """Return where this user keeps what was fetched once: the system's usual folder, or one for temporary files.

    The second is for users without a home, or with a home that they may not write to, as in services and containers.

    Raises:
        HubError: there is no such folder.
    """
    tried = []
    for folder in _caches():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            tried.append(f"{folder}: {error.strerror}")
            continue
        whose = folder.stat().st_uid
        is_anybodys = folder.parent == Path(tempfile.gettempdir())  # another user may have made it there first
        if os.access(folder, os.W_OK | os.X_OK) and (whose == os.getuid() or not is_anybodys):
            return folder
        tried.append(f"{folder}: not this user's to write to")
    raise HubError(
        f"there is no folder to keep what is fetched ({'; '.join(tried)})",
        todo="set XDG_CACHE_HOME to a folder that this user may write to",
    )


def _caches() -> Iterator[Path]:
    if given := os.environ.get("XDG_CACHE_HOME"):
        yield Path(given, "unbind-hub")
    if (home := home_folder()) is not None:
        yield home / ".cache" / "unbind-hub"
    yield Path(tempfile.gettempdir(), f"unbind-hub-cache-{os.getuid()}")


def home_folder() -> Path | None:
    """Return this user's home; None if nothing says where it is."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def require_space(folder: Path, needed_mb: int) -> None:
    """Check that the disk has room enough to begin.

    Raises:
        HubError: less than `needed_mb` MiB are free where `folder` is.
    """
    free_mb = shutil.disk_usage(folder).free // MB
    if free_mb < needed_mb:
        raise HubError(
            f"the disk that holds {folder} has {free_mb} MB left, and a hub needs {needed_mb} MB to start",
            todo="make room there, or name a folder on another disk with --data-dir (or TMPDIR)",
        )


def todo_at(folder: Path, otherwise: str) -> str:
    """Return what to do about a program that failed with its data in a folder: make room if the disk is full."""
    free_mb = shutil.disk_usage(folder).free // MB
    if free_mb < _FULL_MB:
        return f"the disk that holds {folder} is full ({free_mb} MB left): make room there and start again"
    return otherwise


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder that is removed at the end of the block.

    Raises:
        HubError: no temporary folder can be made.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="unbind-hub-", ignore_cleanup_errors=True)
    except OSError as error:
        raise HubError(
            f"no temporary folder can be made: {error}",
            todo="make room on the disk of /tmp, set TMPDIR to a folder on another disk, or use --data-dir",
        ) from None
    with made as folder:
        yield Path(folder)


def quoted(log: Path) -> str:
    """Return the last lines of a log without Java's stack frames, for the message of an error; empty if none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _QUOTED_BYTES_MAX))
        text = file.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if not line.startswith(("\tat ", "\t... "))][-_QUOTED_LINES_MAX:]
    return "".join([f"\n  {log}:", *(f"\n    {line}" for line in lines)]) if lines else ""
