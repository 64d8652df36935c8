"""The embedded PostgreSQL: a real server, kept data, no address on the network, never left behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from hub.cli.main import app
from hub.errors import HubError
from hub.local.postgres import EmbeddedPostgres

pytestmark = pytest.mark.database
GONE_S = 20.0


def ask(server: EmbeddedPostgres, *statements: str) -> object:
    engine = create_engine(server.dsn(), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            found = [connection.execute(text(one)) for one in statements]
            return found[-1].scalar() if found[-1].returns_rows else None
    finally:
        engine.dispose()


def test_what_it_holds_survives_a_stop_and_a_kill(tmp_path: Path) -> None:
    """A row that was committed is there after an orderly end and after `kill -9`, and it listens on no network."""
    server = EmbeddedPostgres(tmp_path / "pg")
    with server:
        ask(server, "CREATE TABLE kept (word TEXT)", "INSERT INTO kept VALUES ('one')")
        assert ask(server, "SHOW listen_addresses") == ""
    server.start()
    assert ask(server, "SELECT count(*) FROM kept") == 1
    ask(server, "INSERT INTO kept VALUES ('two')")
    server.kill()
    with server:
        assert ask(server, "SELECT count(*) FROM kept") == 2


def test_a_folder_has_one_server_at_a_time(tmp_path: Path) -> None:
    """A second server on the same folder, and a second start, are refused with what to do; the first goes on."""
    with EmbeddedPostgres(tmp_path / "pg") as server:
        with pytest.raises(HubError, match="already uses"):
            EmbeddedPostgres(tmp_path / "pg").start()
        with pytest.raises(HubError, match="already running"):
            server.start()
        assert ask(server, "SELECT 1") == 1
    with pytest.raises(HubError, match="not running"):
        _ = server.pid
    with pytest.raises(HubError, match="no address"):
        server.dsn()


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    """A data folder whose path no socket could have is served all the same."""
    with EmbeddedPostgres(tmp_path / ("long" * 20) / ("longer" * 10)) as server:
        assert ask(server, "SELECT 1") == 1


def test_it_runs_in_closed_folders_and_none_is_opened(tmp_path: Path) -> None:
    """Its data may lie in a home of mode 0700, under names with spaces, Chinese letters and signs; modes stay."""
    home = tmp_path / "home"
    folder = home / "my hub, 北方 100%+#&"
    folder.mkdir(parents=True)
    home.chmod(0o700)
    folder.chmod(0o700)
    with EmbeddedPostgres(folder / "pg") as server:
        assert ask(server, "SELECT 1") == 1
    assert [one.stat().st_mode & 0o777 for one in (home, folder)] == [0o700, 0o700]


OWNER = """
import os, sys
from pathlib import Path
from hub.local.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def runs(pid: int) -> bool:
    """Whether that process is a server still; one that goes while it is looked at is gone."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_it_ends_with_its_owner(tmp_path: Path) -> None:
    """However its owner ends, the server ends as well, and its data can be opened again."""
    owner = subprocess.run(
        [sys.executable, "-c", OWNER, str(tmp_path / "pg")],
        capture_output=True,
        encoding="utf-8",
        timeout=90,
        check=False,
    )
    pid = int(owner.stdout)
    until = time.monotonic() + GONE_S
    while runs(pid):
        assert time.monotonic() < until, "the server outlives its owner"
        time.sleep(0.05)
    with EmbeddedPostgres(tmp_path / "pg") as server:
        assert ask(server, "SELECT 1") == 1


def test_the_archives_commands_speak_for_themselves(tmp_path: Path) -> None:
    """A key is made and added to, tables are made, and an archive that has read nothing shows no place."""
    keys = str(tmp_path / "archive.keys")
    runner = CliRunner()
    for _ in range(2):
        made = runner.invoke(app, ["archive", "key", "--key-file", keys])
        assert made.exit_code == 0, made.output
    assert Path(keys).stat().st_mode & 0o777 == 0o600
    with EmbeddedPostgres(tmp_path / "pg") as server:
        done = runner.invoke(app, ["archive", "migrate", "--dsn", server.dsn()])
        assert "archive is at revision 0002" in done.output
        shown = runner.invoke(app, ["archive", "status", "--dsn", server.dsn(), "--key-file", keys, "--json"])
        assert (shown.exit_code, shown.output.strip()) == (0, "[]")
