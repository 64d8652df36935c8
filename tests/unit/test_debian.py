"""Fetching what the tests need of Debian's."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import playwright
import pytest

from tests import databases
from tests.dashboard import browser
from tests.debian import Program, once, unpacked

MANY = 4
LOADED = re.compile(r"^\s*(\S+) => (.+?)(?: \(0x|$)", re.MULTILINE)
C_LIBRARY = re.compile(r"(lib(c|m|dl|pthread|rt|resolv|util|anl|mvec)|ld-linux[\w-]*)\.so\.\d+")
"""What comes with every Python, in the package that is the machine's own."""

PROGRAMS = [
    pytest.param(databases.MARIADB, "usr/sbin/mariadbd", id="mariadb"),
    pytest.param(browser.CHROMIUM, browser.BINARY, id="chromium"),
    pytest.param(browser.CHROMIUM, str(Path(playwright.__file__).parent / "driver" / "node"), id="playwright"),
]


def test_of_many_that_miss_a_program_one_fetches_it(tmp_path: Path) -> None:
    """Processes that start at once on a fresh machine do not trip over each other's `apt-get`."""
    all_missed_it = threading.Barrier(MANY)
    looked = threading.local()
    fetching = threading.Lock()
    fetched: list[str] = []

    def look() -> str | None:
        if not hasattr(looked, "once"):
            looked.once = True
            all_missed_it.wait()
            return None
        return next(iter(fetched), None)

    def fetch() -> None:
        assert fetching.acquire(blocking=False), "two at a time"
        fetched.append("it")
        fetching.release()

    with ThreadPoolExecutor(MANY) as pool:
        assert list(pool.map(lambda _: once(look, fetch, tmp_path), range(MANY))) == ["it"] * MANY
    assert fetched == ["it"]


@pytest.mark.long
@pytest.mark.parametrize(("program", "binary"), PROGRAMS)
def test_what_is_fetched_is_whole(program: Program, binary: str) -> None:
    """Every library of a program was fetched with it: none is one that a developer's machine happens to have."""
    found = unpacked(program)
    environment = {**os.environ, "LD_LIBRARY_PATH": found.libraries}
    command = ["ldd", str(found.root / binary)]
    said = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=True, timeout=60)
    libraries = dict(LOADED.findall(said.stdout))
    elsewhere = {name for name, path in libraries.items() if not path.startswith(f"{found.root}/")}
    assert libraries.keys() - elsewhere, said.stdout
    assert {name for name in elsewhere if not C_LIBRARY.fullmatch(name)} == set(), said.stdout


@pytest.mark.parametrize(("on_the_forge", "how"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_where_it_cannot_be_fetched_the_reason_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_the_forge: str, how: type[BaseException]
) -> None:
    """Without `apt-get` the tests that need a program of Debian's are skipped and say why; on the forge they fail."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", on_the_forge)
    with pytest.raises(how, match="teapot of Debian cannot be fetched: no apt-get on this machine"):
        unpacked(Program("teapot", ("teapot",)))
