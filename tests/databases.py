"""Real databases for the tests: PostgreSQL out of a wheel, MariaDB out of Debian's packages, one of each a process.

MariaDB's packages are fetched by `apt-get` once and unpacked into a cache; see `debian.py`.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from sqlalchemy import create_engine, text

from hub.local.machine import free_port
from hub.local.postgres import EmbeddedPostgres
from tests.debian import Program, unpacked

MARIADB = Program("mariadb", ("mariadb-server-core",))
START_S = 60.0
STOP_S = 20.0
POLL_S = 0.05
_numbers = itertools.count()


@cache
def postgres() -> EmbeddedPostgres:
    """A running PostgreSQL; it ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="unbind-postgres-"))
    # A test's database is thrown away, so nothing need survive a power cut.
    server = EmbeddedPostgres(folder, fsync="off", synchronous_commit="off", full_page_writes="off")
    server.start()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.stop)
    return server


def postgres_url() -> str:
    """A database of PostgreSQL with nothing in it, as SQLAlchemy names it."""
    name = f"test{next(_numbers)}"
    _run_alone(postgres().dsn(), f"CREATE DATABASE {name}")
    return postgres().dsn(name)


def mariadb_url() -> str:
    """A database of MariaDB with nothing in it."""
    name = f"test{next(_numbers)}"
    server = f"mysql+pymysql://root@127.0.0.1:{mariadb_port()}"
    _run_alone(f"{server}/mysql", f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    # Without a context for TLS, which takes PyMySQL ten times as long to make as the connection itself.
    return f"{server}/{name}?ssl_disabled=true"


def _run_alone(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@cache
def mariadb_port() -> int:
    """The port of a running MariaDB; it ends with this process."""
    program, folder = unpacked(MARIADB), Path(tempfile.mkdtemp(prefix="unbind-mariadb-"))
    root, environment = program.root, {**os.environ, "LD_LIBRARY_PATH": program.libraries}
    shared = root / "usr/share/mysql"
    (folder / "data").mkdir()
    binary = [str(root / "usr/sbin/mariadbd"), "--no-defaults", "--user=root", f"--datadir={folder / 'data'}"]
    binary += [f"--tmpdir={folder}", f"--lc-messages-dir={shared}", f"--character-sets-dir={shared / 'charsets'}"]
    binary += ["--skip-grant-tables", "--log-warnings=0"]
    names = ("mysql_system_tables.sql", "mysql_system_tables_data.sql")
    tables = "".join((shared / name).read_text(encoding="utf-8") for name in names)
    first = f"create database if not exists mysql;\nuse mysql;\n{tables}"
    made = subprocess.run(
        [*binary, "--bootstrap"], input=first.encode(), capture_output=True, check=False, env=environment
    )
    assert made.returncode == 0, made.stderr[-2_000:]
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        options = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder / 's'}"]
        server = subprocess.Popen([*binary, *options], stdout=log, stderr=log, env=environment)
    atexit.register(_end, server, folder)
    _wait_until_it_answers(server, port, folder)
    return port


def _end(server: subprocess.Popen[bytes], folder: Path) -> None:
    server.terminate()
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert server.poll() is None, (folder / "server.log").read_text(encoding="utf-8")[-2_000:]
            assert time.monotonic() < until, "MariaDB does not answer"
            time.sleep(POLL_S)
