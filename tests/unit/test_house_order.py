"""The order of tests: the longest files first, what shares a hub together, and nothing left out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from tests import order
from tests.unit.sources import python_files, short

SECONDS = {"tests/unit/test_a.py": 1.0, "tests/broker/test_b.py": 9.0, "tests/web/test_c.py": 5.0}


def test_the_longest_files_come_first() -> None:
    """Files are handed out by how long they took, those that share a hub as one, and a new one among the long ones."""
    tests = [f"{file}::test_it[{nth}]" for file in SECONDS for nth in range(2)] + ["tests/web/test_d.py::test_it"]
    known = SECONDS | {"tests/web/test_d.py": 5.0}
    assert order.longest_first(tests, known) == ["tests/web/", "tests/broker/test_b.py", "tests/unit/test_a.py"]
    assert order.longest_first(["tests/new.py::test_it", *tests], known)[0] == "tests/new.py"


def test_durations_are_kept_by_file(tmp_path: Path) -> None:
    """What setting up, running and putting away a file's tests took is added up and written down."""
    file = tmp_path / "durations.json"
    keeper = order.Keeper(file)
    parts: tuple[tuple[Literal["setup", "call", "teardown"], float], ...]
    parts = (("setup", 2.0), ("call", 0.25), ("teardown", 0.5))
    for when, took in parts:
        where = ("tests/x.py", 1, "test_it")
        keeper.pytest_runtest_logreport(
            pytest.TestReport("tests/x.py::test_it[a]", where, {}, "passed", None, when, duration=took)
        )
    keeper.pytest_sessionfinish()
    assert order.kept(file) == {"tests/x.py": 2.8}


def test_kept_durations_are_of_files_that_are_there() -> None:
    """A file that is gone is not waited for: `make durations` writes the list anew."""
    assert set(order.kept()) - {short(path) for path in python_files("tests")} == set()
