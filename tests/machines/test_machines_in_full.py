"""The two commands of the README on fresh machines of many kinds, from a clone to the end."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.machines import bare
from tests.machines.machine import CLOSED, ODD, Ended, Machine, cloned, machine, root, somebody

pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(7_200)]
DEMO = ("demo", "DURATION=30")
DEMO_S = 1_200.0
TEST_S = 5_400.0
INSTALL_S = 600.0
FETCH = "from hub.local.kafka_jars import class_path; class_path()"
BARE = ("python3", "make", "git", "ca-certificates")
VENV = "python3-venv"

Maker = Callable[..., Machine]


@pytest.fixture
def fresh(place: Path) -> Iterator[Maker]:
    """Makes a machine that goes at the end of the test."""
    with ExitStack() as stack:
        yield lambda person, **how: stack.enter_context(machine(place, person, **how))


def shows(ended: Ended) -> None:
    """The demo ended well, with its summary."""
    assert ended.code == 0, ended.said
    assert "Blind spot: " in ended.said, ended.said
    assert "Traceback" not in ended.said, ended.said


def passes(ended: Ended) -> None:
    """The tests passed, and what they skipped is said."""
    assert ended.code == 0, ended.said
    print(ended.said.splitlines()[-1])  # noqa: T201 - how many, and how long, for who reads `make soak`


def test_root_at_home(fresh: Maker) -> None:
    """Root with a clone in its closed home has a demo and passing tests, and every folder is as closed as before."""
    made = fresh(root())
    made.clone.chmod(CLOSED)
    shows(made.make(*DEMO, deadline_s=DEMO_S))
    passes(made.make("test", deadline_s=TEST_S))
    assert [one.stat().st_mode & 0o777 for one in (made.home, made.clone)] == [CLOSED, CLOSED]


def test_a_careful_user(fresh: Maker) -> None:
    """An ordinary user whose files nobody else may read has a demo and passing tests."""
    made = fresh(somebody(), umask=0o077)
    shows(made.make(*DEMO, deadline_s=DEMO_S))
    passes(made.make("test", deadline_s=TEST_S))


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_an_odd_path(fresh: Maker, locale: str) -> None:
    """A clone in a folder with a space, a comma and Chinese letters has a demo, in any language of the machine."""
    shows(fresh(somebody(), name=ODD).with_env(LC_ALL=locale).make(*DEMO, deadline_s=DEMO_S))


def test_no_home(fresh: Maker) -> None:
    """Where nothing says where the home is, the demo keeps what it fetches in the clone."""
    made = fresh(somebody()).without_home()
    shows(made.make(*DEMO, deadline_s=DEMO_S))
    assert (made.clone / ".data" / "home" / ".cache" / "unbind-hub").is_dir()


@pytest.mark.skipif(os.getuid() != 0, reason="a network of its own, with all ports taken, needs root")
def test_no_usual_port(fresh: Maker) -> None:
    """Where other servers hold every usual port, the demo finds others."""
    made = fresh(somebody())
    for command in (("make", "setup", f"PYTHON={made.python}"), (".venv/bin/python", "-c", FETCH)):
        ended = made.run(*command, deadline_s=DEMO_S)
        assert ended.code == 0, ended.said
    shows(made.crowded().make(*DEMO, deadline_s=DEMO_S))


def test_a_bare_debian(place: Path) -> None:
    """Debian with Python, make and git is told what is missing; with that it has a demo and passing tests."""
    root()
    system = place / "debian"
    bare.make(system, BARE)
    clone = cloned(system / "root" / "hub")
    where = "/" + str(clone.relative_to(system))
    told = bare.run(system, where, "make demo", deadline_s=INSTALL_S)
    assert told.code != 0
    assert f"apt-get install {VENV}" in told.said.splitlines()[0], told.said
    got = bare.run(system, where, f"apt-get update && apt-get install -q -y {VENV}", deadline_s=INSTALL_S)
    assert got.code == 0, got.said
    shows(bare.run(system, where, shlex.join(["make", *DEMO]), deadline_s=DEMO_S))
    passes(bare.run(system, where, "make test", deadline_s=TEST_S))
