"""The tests notice the faults that matter most: each is built into a copy of the hub, and its tests must fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.faults import FAULTS, Fault
from tests.places import ROOT

RUN_S = 900
FAILED = 1
"""What pytest ends with if it ran and a test failed."""


def copy_of_the_project(folder: Path) -> Path:
    """The hub, its schemas and its tests, where they can be spoilt."""
    made = folder / "project"
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("hub", "schemas", "tests", "docs", "deploy"):
        shutil.copytree(ROOT / name, made / name, ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile"):
        shutil.copy(ROOT / name, made / name)
    return made


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy of the project."""
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *words]
    return subprocess.run(
        command,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=RUN_S,
        check=False,
    )


def run_tests(project: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a copy of the project until the first fails."""
    options = ("-q", "-x", "-m", "not soak", "-p", "no:cacheprovider", "-p", "no:schemathesis")
    return run(project, "-m", "pytest", *options, tests)


def build_in(project: Path, fault: Fault) -> None:
    """Change the hub's text.

    Raises:
        AssertionError: the text stands there no more, or more than once.
    """
    path = project / fault.file
    text = path.read_text(encoding="utf-8")
    assert text.count(fault.before) == 1, f"write this fault anew: {fault.file} has changed"
    path.write_text(text.replace(fault.before, fault.after), encoding="utf-8")


def some(*, cheap: bool) -> list[object]:
    """The faults that `make test` shows, or the others, for `make soak`."""
    marks = () if cheap else (pytest.mark.soak,)
    return [pytest.param(one, id=one.name.replace(" ", "-"), marks=marks) for one in FAULTS if one.cheap is cheap]


@pytest.mark.timeout(2 * RUN_S)
@pytest.mark.parametrize("fault", [*some(cheap=True), *some(cheap=False)])
def test_a_fault_is_noticed(tmp_path: Path, fault: Fault) -> None:
    """A hub with this fault fails the tests that are named beside it."""
    project = copy_of_the_project(tmp_path)
    build_in(project, fault)
    ended = run_tests(project, fault.tests)
    assert ended.returncode == FAILED, f"it lives: {ended.returncode}\n{ended.stdout[-2_000:]}{ended.stderr[-2_000:]}"
    assert "FAILED" in ended.stdout, ended.stdout[-2_000:]


@pytest.mark.soak
@pytest.mark.timeout(2 * RUN_S)
@pytest.mark.parametrize("tests", sorted({one.tests for one in FAULTS}))
def test_a_copy_without_a_fault_passes(tmp_path: Path, tests: str) -> None:
    """The same tests pass in a copy of the hub as it is: what they notice in another is its fault, not its place."""
    project = copy_of_the_project(tmp_path)
    here = run(project, "-c", "import hub, sys; sys.stdout.write(hub.__file__)").stdout
    assert Path(here) == project / "hub" / "__init__.py"
    ended = run_tests(project, tests)
    assert ended.returncode == 0, ended.stdout[-3_000:]


def test_every_fault_can_still_be_built_in() -> None:
    """The text that a fault changes is in its file, once, and its tests are there."""
    for fault in FAULTS:
        assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.before) == 1, fault.name
        assert (ROOT / fault.tests).exists(), fault.name
    assert len({one.name for one in FAULTS}) == len(FAULTS) == 20
