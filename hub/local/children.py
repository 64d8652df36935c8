"""This module runs child processes that end when this process ends, and restarts them when they end by themselves.

For example, if a test kills this process with SIGKILL, the Kafka that it started ends too.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from hub.errors import HubError
from hub.local.machine import todo_at

log = logging.getLogger(__name__)

STOP_DEADLINE_S = 20.0
KILL_DEADLINE_S = 10.0
RESTARTS_MAX = 200
"""The most restarts of a child; a child that needs more is broken."""

RESTART_PAUSE_S = 0.2

# Every child runs this first (`python -c`): it asks the system to be killed when its parent ends, then becomes the
# program it is given. A `preexec_fn` could do the same, but is not safe in a process with threads. A shell starts a
# command in the background with SIGINT ignored, and every child would inherit that: it hears the signal all the same.
LEASH = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
prctl = getattr(ctypes.CDLL(None), "prctl", None)
if prctl is not None:
    prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):  # else the parent died before it could be watched
    os.execv(sys.argv[2], sys.argv[2:])
"""


class Child:
    """A child process that ends when this process ends.

    The system sends the death signal when the *thread* that made the child ends. So a thread of its own makes the
    child and waits for it, and the caller's thread may end before.
    """

    def __init__(self, command: Sequence[str], console: Path, environment: Mapping[str, str] | None = None) -> None:
        self.ended = threading.Event()
        made: Future[subprocess.Popen[bytes]] = Future()
        keep = (command, console, environment, made)
        threading.Thread(target=self._keep, args=keep, name=f"keeper of {command[0]}", daemon=True).start()
        self.process = made.result()

    def _keep(
        self,
        command: Sequence[str],
        console: Path,
        environment: Mapping[str, str] | None,
        made: Future[subprocess.Popen[bytes]],
    ) -> None:
        try:
            with console.open("ab") as output:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", LEASH, str(os.getpid()), *command],
                    cwd=console.parent,
                    env=None if environment is None else dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            made.set_exception(error)
            return
        made.set_result(process)
        process.wait()
        self.ended.set()

    def end(self, signal_number: int, deadline_s: float) -> bool:
        """Send the signal and wait; return True if the process is gone within the deadline."""
        self.process.send_signal(signal_number)
        return self.ended.wait(deadline_s)


def run(
    command: Sequence[str], console: Path, deadline_s: float, environment: Mapping[str, str] | None = None
) -> str | None:
    """Run a command to its end; return None if it succeeded, else what went wrong."""
    child = Child(command, console, environment)
    try:
        if not child.ended.wait(deadline_s):
            return f"not done after {deadline_s:.0f} s"
    finally:
        child.end(signal.SIGKILL, KILL_DEADLINE_S)
    return None if child.process.returncode == 0 else f"ended with {child.process.returncode}"


class Supervised:
    """Keeps a command of this package running: when it ends by itself, it is started again.

    Args:
        program: what Python runs before the arguments; a test gives a program of its own in place of the package.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "hub"),
    ) -> None:
        self.name = name
        self._environment = None if environment is None else {**os.environ, **environment}
        self.console = folder / f"{name}.log"
        self.restarts = 0
        self._command = [sys.executable, *program, *arguments]
        self._stopping = threading.Event()
        self._child: Child | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the command, and a thread that keeps it running."""
        self._spawn()
        threading.Thread(target=self._watch, name=f"watch {self.name}", daemon=True).start()

    def _spawn(self) -> None:
        self._child = Child(self._command, self.console, self._environment)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            child = self._child
            assert child is not None, "start() made one"
            child.ended.wait()
            with self._lock:
                if self._stopping.is_set() or child.process.returncode == 0:
                    return
                log.info("%s ended with %s; starting it again", self.name, child.process.returncode)
                self.restarts += 1
                if self.restarts > RESTARTS_MAX:
                    log.error("%s was started %d times; giving up", self.name, self.restarts)
                    return
                self._stopping.wait(RESTART_PAUSE_S)
                self._spawn()

    @property
    def running(self) -> bool:
        """Say whether the command runs now."""
        return self._child is not None and not self._child.ended.is_set()

    def send(self, signal_number: int) -> None:
        """Send a signal to the process that runs now; after SIGKILL it is started again."""
        child = self._child
        if child is not None and not child.ended.is_set():
            child.process.send_signal(signal_number)

    def stop(self) -> None:
        """Ask the process to end, and kill it if it does not."""
        self._stopping.set()
        with self._lock:
            child = self._child
        if child is None or child.ended.is_set():
            return
        if not child.end(signal.SIGTERM, STOP_DEADLINE_S):
            child.end(signal.SIGKILL, KILL_DEADLINE_S)

    def last_words(self, lines: int = 15) -> str:
        """Return the last lines that it printed."""
        try:
            return "\n".join(self.console.read_text(errors="replace", encoding="utf-8").splitlines()[-lines:])
        except OSError:
            return ""

    def failure(self) -> HubError:
        """Return the error to raise when the command does not work."""
        return HubError(
            f"{self.name} does not work:\n{self.last_words()}",
            todo=todo_at(self.console.parent, f"See {self.console}."),
        )
