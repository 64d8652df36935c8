"""Programs of Debian's that the tests need: fetched with all they need, unpacked into a cache, and never installed.

What is fetched is whole: `apt-get` works it out as for a machine on which nothing is installed, so that no library a
developer happens to have is counted on, but for the C library, without which there is no Python either. It needs no
root. One process at a time asks `apt-get`, and looks again when it is its turn.

Where a program cannot be had, the tests that need it are skipped, and pytest names the reason at the end. Where
`CI` is set they fail: there, what was not tried is not known to work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from hub.local.machine import cache_folder, locked

Found = TypeVar("Found")
FETCH_S = 600
"""How long one `apt-get` may take, and how long to wait for others': two of them, for the lists and the packages."""
TURN_S = 3 * FETCH_S
UNPACK_S = 300
THE_MACHINES_OWN = ("libc6_", "libc-bin_")
"""The C library goes with the machine's own loader; every Python has it."""


class Program(NamedTuple):
    """Packages of Debian's, unpacked together.

    `name` is the folder in the cache; `packages` are what is asked for, and what they depend on comes with them.
    """

    name: str
    packages: tuple[str, ...]


class Unpacked(NamedTuple):
    """A program's files below `root`, as they would lie below `/`."""

    root: Path

    @property
    def libraries(self) -> str:
        """The value of LD_LIBRARY_PATH with which its programs find the libraries that came with them."""
        folders = [self.root / "lib", self.root / "usr/lib"]
        folders += [inner for folder in folders for inner in sorted(folder.glob("*-linux-gnu*"))]
        # Some have private ones in a folder of their own, which they look for at the place it has when installed.
        folders += sorted({one.parent for folder in folders for one in folder.glob("*/lib*.so*")} - set(folders))
        return os.pathsep.join(str(folder) for folder in folders if folder.is_dir())


def once(look: Callable[[], Found | None], fetch: Callable[[], None], folder: Path) -> Found:
    """What `look` finds, fetched first if it finds nothing; by one process of this machine at a time."""
    found = look()
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "apt.lock", "apt-get", deadline_s=TURN_S):
            found = look()
            if found is None:
                fetch()
                found = look()
    assert found is not None, "apt-get fetched it, and it is not there"
    return found


def unpacked(program: Program) -> Unpacked:
    """Where a program lies; fetched first if it is not there. The test that asks is skipped if it cannot be had."""
    found, reason = _found(program)
    if found is None:
        words = f"{program.name} of Debian cannot be fetched: {reason}"
        if os.environ.get("CI"):
            pytest.fail(words, pytrace=False)
        pytest.skip(words)
    return found


@cache
def _found(program: Program) -> tuple[Unpacked | None, str]:
    """Where it lies, or why not; a process asks once."""
    folder = cache_folder() / "debian"
    root = folder / program.name
    if not root.exists() and (missing := [one for one in ("apt-get", "dpkg-deb") if shutil.which(one) is None]):
        return None, f"no {missing[0]} on this machine"
    try:
        once(lambda: root if root.exists() else None, lambda: _unpack(program, folder), folder)
    except subprocess.SubprocessError as error:
        said = str(getattr(error, "stderr", "")).strip().splitlines()
        return None, said[-1] if said else str(error)
    return Unpacked(root), ""


def _unpack(program: Program, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
        fetched, root = Path(scratch, "fetched"), Path(scratch, "root")
        fetched.mkdir()
        command = _apt_get(folder / "apt", fetched)
        _run([*command, "update"], FETCH_S)
        _run([*command, "install", "--download-only", *program.packages], FETCH_S)
        for package in sorted(fetched.glob("*.deb")):
            if not package.name.startswith(THE_MACHINES_OWN):
                _run(["dpkg-deb", "-x", str(package), str(root)], UNPACK_S)
        root.rename(folder / program.name)


def _apt_get(state: Path, fetched: Path) -> list[str]:
    """`apt-get` with this machine's sources and nothing else of it: as if nothing were installed, by whoever asks."""
    for one in (state / "lists/partial", state / "cache", fetched / "partial"):
        one.mkdir(parents=True, exist_ok=True)
    (state / "status").write_text("", encoding="utf-8")
    options = {
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Cache::archives": fetched,
        "Debug::NoLocking": 1,  # whose lock it would be is said above; a package manager at work is not waited for
        "APT::Sandbox::User": "root",  # else `_apt`, who has no way into a home of mode 0700
        "APT::Install-Recommends": 0,
        "Acquire::Languages": "none",
    }
    return ["apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in options.items())]


def _run(command: Sequence[str], deadline_s: float) -> None:
    subprocess.run(command, check=True, capture_output=True, encoding="utf-8", errors="replace", timeout=deadline_s)
