"""Starts programs of the hub as forks: `forked_programs()` does so for everything that `hub.local.children` starts."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from hub.local import children
from hub.local.children import LEASH, Child

KILL_S = 10.0
LOOK_S = 0.02
HUB = [sys.executable, "-m", "hub"]
AS_ANYBODY = {"up", "demo"}
"""Whole hubs are started as anybody starts them; so are the programs that they start."""


class Fork:
    """A running fork, with what `hub.local.children` uses of a `subprocess.Popen`."""

    def __init__(
        self, door: Path, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], console: int
    ) -> None:
        self.args = [*HUB, *arguments]
        self.returncode: int | None = None
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line.connect(str(door))
        request = json.dumps([list(arguments), str(folder), dict(environment)]).encode() + b"\n"
        sent = socket.send_fds(self._line, [request], [console])
        self._line.sendall(request[sent:])
        self._answers = self._line.makefile("rb")
        self.pid = int(self._answers.readline())
        self._lock = threading.Lock()

    def wait(self) -> int:
        """Wait until it has ended; return its exit code."""
        answer = self._answers.readline()
        with self._lock:
            if self.returncode is None:
                # Without an answer the origin has ended, and the system has killed its forks.
                self.returncode = int(answer or -signal.SIGKILL)
                self._answers.close()
                self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        with self._lock, suppress(ProcessLookupError):  # it may have ended a moment ago
            if self.returncode is None:
                os.kill(self.pid, number)


class Forking:
    """Stands in for `subprocess` where children are made: the hub's programs are forked, all others started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._door: Path | None = None

    def popen(self, command: Sequence[str], **options: Any) -> Fork | subprocess.Popen[bytes]:
        """Start a command, as `subprocess.Popen` would."""
        begin = command.index(LEASH) + 2 if LEASH in command else 0
        program, arguments = list(command[begin : begin + len(HUB)]), command[begin + len(HUB) :]
        if program != HUB or not arguments or arguments[0] in AS_ANYBODY:
            return subprocess.Popen(command, **options)
        environment = options["env"] or os.environ
        console: IO[bytes] = options["stdout"]
        return Fork(self._open(), arguments, options["cwd"], environment, console.fileno())

    def _open(self) -> Path:
        with self._lock:
            if self._door is None:
                self._door = _new_origin()
            return self._door


FORKING = Forking()


def _new_origin() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="unbind-forks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    door, console = folder / "door", folder / "console.log"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OPENBLAS_NUM_THREADS": "1"}
    child = Child([sys.executable, "-m", "tests.forked.origin", str(door)], console, environment)
    atexit.register(child.end, signal.SIGKILL, KILL_S)
    while not door.is_socket():
        if child.ended.wait(LOOK_S):
            raise RuntimeError(f"no program can be forked: {console.read_text(encoding='utf-8')}")
    return door


@contextmanager
def forked_programs() -> Iterator[None]:
    """Fork the hub's programs that this process starts as children, until the end of the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": FORKING.popen}))
        yield
