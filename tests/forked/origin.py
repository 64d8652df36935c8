"""The process that forks: `python -m tests.forked.origin SOCKET`. It ends when the process that started it ends.

Whoever connects to the socket sends one request (JSON, and with it the file of the console), gets the process id as a
line from the fork, and the exit code as a line once it has ended: as with `subprocess`, minus the signal's number if a
signal ended it. The fork goes on as the program: it leaves this module's loop and runs the command line to its end.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import pathlib
import random
import selectors
import signal
import socket
import sys
from contextlib import suppress
from typing import NamedTuple

REQUEST_BYTES_MAX = 1 << 20
PR_SET_PDEATHSIG = 1
SIGNALS = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)


class Request(NamedTuple):
    """A program to start: what follows `python -m hub`, its folder, environment and console, and who asked for it."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    console: int
    asker: socket.socket


def load() -> None:
    """Load what any program of the hub loads, and keep the collector from touching what forks share."""
    import hub.archive.program  # noqa: F401
    import hub.cli.main  # noqa: F401
    import hub.delivery.program  # noqa: F401
    import hub.local.adapters  # noqa: F401
    import hub.platform.assembly  # noqa: F401
    import hub.platform.checking  # noqa: F401
    import hub.stream.app  # noqa: F401
    import hub.web.program  # noqa: F401

    gc.collect()
    gc.freeze()


class Origin:
    """Serves requests until it is a fork."""

    def __init__(self, address: str) -> None:
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(address + ".new")
        self._door.listen(64)
        pathlib.Path(address + ".new").rename(address)  # whoever sees it can connect
        self._bell, wake = socket.socketpair()
        for one in (self._bell, wake):
            one.setblocking(False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno())
        self._waiting: dict[int, socket.socket] = {}

    def serve(self) -> Request:
        """Fork once for each request; in a fork, return what it is to run."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._door, selectors.EVENT_READ)
            ready.register(self._bell, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is self._bell:
                        self._bell.recv(4096)
                        self._tell_ended()
                    elif (request := self._start(self._door.accept()[0])) is not None:
                        return request

    def _start(self, asker: socket.socket) -> Request | None:
        data, (console,), _, _ = socket.recv_fds(asker, REQUEST_BYTES_MAX, 1)
        while not data.endswith(b"\n"):
            data += asker.recv(REQUEST_BYTES_MAX)
        arguments, folder, environment = json.loads(data)
        request = Request(arguments, folder, environment, console, asker)
        pid = os.fork()
        if pid == 0:
            self._forget()
            return request
        os.close(console)
        self._waiting[pid] = asker
        return None

    def _tell_ended(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                with self._waiting.pop(pid) as asker, suppress(OSError):
                    asker.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))

    def _forget(self) -> None:
        """Close, in a fork, everything that is not the program's."""
        signal.set_wakeup_fd(-1)
        for one in (self._door, self._bell, self._wake, *self._waiting.values()):
            one.close()


def become(request: Request, parent: int) -> None:
    """Make this fork look like a program that was just started."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the origin ended before it could be watched
    for one in SIGNALS:
        signal.signal(one, signal.default_int_handler if one == signal.SIGINT else signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (request.console, 1), (request.console, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(request.console)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = ["unbind-hub", *request.arguments]
    random.seed()
    with request.asker:
        request.asker.sendall(b"%d\n" % os.getpid())


def main() -> None:
    """Load, serve, and in a fork run the command line."""
    load()
    origin = os.getpid()
    request = Origin(sys.argv[1]).serve()
    become(request, origin)
    from hub.cli import run

    run()


if __name__ == "__main__":
    main()
