"""The hub on machines of many kinds, in short: its Kafka and PostgreSQL stand, and what is wrong is said in a line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machines import crowded
from tests.machines.machine import (
    CLOSED,
    ODD,
    ROOT,
    Machine,
    environment,
    machine,
    root,
    somebody,
    with_our_environment,
)

pytestmark = pytest.mark.broker
TRACE = "Traceback"


def stands(made: Machine) -> str:
    """What it says once Kafka and PostgreSQL stood on the machine."""
    ended = made.run(".venv/bin/python", "-m", "tests.machines.stand", ".data/hub")
    assert ended.code == 0, ended.said
    assert ended.said.startswith("stands: "), ended.said
    return ended.said


def test_root_with_a_clone_in_a_closed_home(place: Path) -> None:
    """Programs and data of root's PostgreSQL lie where its servant has no way in; it runs, and no folder is opened."""
    with machine(place, root()) as made:
        with_our_environment(made)
        made.clone.chmod(CLOSED)
        stands(made)
        assert [one.stat().st_mode & 0o777 for one in (made.home, made.clone)] == [CLOSED, CLOSED]


def test_a_careful_user_with_an_odd_path_and_no_usual_port(place: Path) -> None:
    """Under umask 077 and `LC_ALL=C`, in a folder with a space and Chinese letters, on a crowded machine, it stands."""
    with machine(place, somebody(), name=ODD, umask=0o077) as made:
        careful = with_our_environment(made).with_env(LC_ALL="C")
        fetched = careful.run(".venv/bin/python", "-c", "from hub.local.kafka_jars import class_path; class_path()")
        assert fetched.code == 0, fetched.said
        said = stands(careful.crowded() if os.getuid() == 0 else careful)
        if os.getuid() == 0:
            port = int(said.split()[1].rpartition(":")[2])
            assert port not in crowded.TAKEN


SMALL_DISK = 'mount -t tmpfs -o size="$0" none "$1" && cd "$1" && shift && exec "$@"'


def on_a_small_disk(place: Path, size: str, *command: str) -> str:
    """What a command says that fails in a folder on a disk of its own."""
    root()
    folder = place / "disk"
    folder.mkdir(exist_ok=True)
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SMALL_DISK, size, str(folder), *command],
        env={**environment(place), "TMPDIR": str(folder), "HOME": str(Path.home())},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert ended.returncode != 0, ended.stdout
    assert TRACE not in ended.stderr, ended.stderr
    return ended.stderr


def test_a_full_disk_is_said_before_anything_starts(place: Path) -> None:
    """A demo whose temporary files would not fit says how much is left, how much it needs, and which setting helps."""
    said = on_a_small_disk(place, "16m", sys.executable, "-m", "hub", "demo", "--duration", "5")
    assert "MB left, and a hub needs" in said, said
    assert "TMPDIR" in said, said


START = """
import sys
from pathlib import Path
from hub.errors import HubError
from hub.local.postgres import EmbeddedPostgres
try:
    EmbeddedPostgres(Path("data")).start()
except HubError as error:
    sys.exit(str(error))
"""


def test_a_disk_that_fills_at_the_start_is_what_the_failure_says(place: Path) -> None:
    """A PostgreSQL that ends because its disk is full says that, and to make room, and not to read a log."""
    said = on_a_small_disk(place, "24m", sys.executable, "-c", START)
    assert "is full" in said, said
    assert "make room there" in said, said


def test_setup_on_a_small_disk_is_refused_in_a_line(place: Path) -> None:
    """`make` says that there is no room for the environment before pip fills the disk."""
    clone = f"git clone -q --no-hardlinks {ROOT} hub && cd hub && make setup PYTHON={sys.executable}"
    assert ".venv needs" in on_a_small_disk(place, "64m", "sh", "-c", clone)


def test_a_missing_python_is_said_in_a_line(tmp_path: Path) -> None:
    """A machine without Python is told what to install."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("screenshots"))
    ended = subprocess.run(
        ["make", "demo", "PYTHON=python3-that-is-not-there"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "apt-get install python3 python3-venv" in ended.stderr.splitlines()[0]
