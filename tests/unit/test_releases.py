"""What a release rests on: pinned packages and actions, a changelog with versions, and what lies in wheel and sdist."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.pages import ROOT

SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""Those of Keep a Changelog 1.1.0."""
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BUILD_S = 300


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


@cache
def pinned() -> dict[str, list[tuple[Version, int]]]:
    """Each package of the constraints with its versions, one for each kind of machine, and how many hashes each has."""
    found: dict[str, list[tuple[Version, int]]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", (ROOT / "deploy/constraints.txt").read_text(encoding="utf-8")):
        if not entry.startswith("#"):
            (only,) = Requirement(entry.partition("\\")[0].strip()).specifier
            name = canonicalize_name(re.split(r"[=\[]", entry)[0])
            assert only.operator == "==", entry[:80]
            found.setdefault(name, []).append((Version(only.version), len(re.findall(r"sha256:[0-9a-f]{64}", entry))))
    return found


def wanted() -> list[Requirement]:
    """Every dependency of the project, of the base and of all extras, but itself."""
    extras = project()["optional-dependencies"].values()
    every = [*project()["dependencies"], *(one for extra in extras for one in extra)]
    return [one for one in map(Requirement, every) if one.name != project()["name"]]


def released() -> list[tuple[str, str | None]]:
    """The changelog's versions with their dates, newest first."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return [(name, date or None) for name, date in re.findall(r"^## \[(.+?)\](?: - (\S+))?$", text, re.MULTILINE)]


# ---- The rules ----


def test_every_package_is_pinned_by_its_hashes() -> None:
    """`make setup` installs one known file of each package: no dependency is left to the day it is installed on."""
    assert len(pinned()) > len({one.name for one in wanted()})
    assert [name for name, found in pinned().items() if not all(hashes for _, hashes in found)] == []
    for one in wanted():
        versions = pinned().get(canonicalize_name(one.name), [])
        assert versions, f"{one.name} is not in deploy/constraints.txt: make constraints"
        assert all(version in one.specifier for version, _ in versions), one


def test_the_changelog_is_by_version() -> None:
    """What changed stands under a version with its date, newest first, and what is to come under Unreleased."""
    (first, undated), *rest = released()
    assert (first, undated) == ("Unreleased", None)
    assert [name for name, date in rest if not re.fullmatch(r"\d{4}-\d\d-\d\d", date or "")] == []
    versions = [Version(name) for name, _ in rest]
    assert versions == sorted(versions, reverse=True)
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= SECTIONS


def test_the_version_is_the_changelogs() -> None:
    """The project's version is the newest that the changelog has, or in work towards the next."""
    version, newest = Version(project()["version"]), Version(released()[1][0])
    assert version == newest or (version.is_devrelease and version > newest)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_pinned_and_has_no_more_rights_than_it_says(path: Path) -> None:
    """Actions are named by commit, each beside its version; no job has a right that it does not name."""
    text = path.read_text(encoding="utf-8")
    uses = re.findall(r"uses: *(.*)", text)
    assert uses
    assert [one for one in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    assert [name for name, job in workflow["jobs"].items() if not job.get("permissions")] == []
    assert [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job] == []


def test_an_action_has_one_commit() -> None:
    """The same action is pinned to the same commit in every workflow."""
    lines = {one for path in WORKFLOWS for one in re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8"))}
    assert len(lines) == len({one.partition("@")[0] for one in lines})


@pytest.mark.long
def test_a_release_holds_what_it_needs(tmp_path: Path) -> None:
    """The sdist holds the sources; the wheel made of it holds every file of the hub and every schema, no more."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=BUILD_S, check=False)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    ((wheel,), (sdist,)) = (list(tmp_path.glob(ending)) for ending in ("*.whl", "*.tar.gz"))
    sources = {f"hub/{one}" for one in files(ROOT / "hub")} | {f"hub/schemas/{one}" for one in files(ROOT / "schemas")}
    with zipfile.ZipFile(wheel) as archive:
        assert {one for one in archive.namelist() if ".dist-info/" not in one} == sources
    with tarfile.open(sdist) as archive:
        names = {one.name.partition("/")[2] for one in archive.getmembers()}
    assert {
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "deploy/constraints.txt",
        "Makefile",
        "tests/unit/test_releases.py",
    } <= names
    assert {one for one in names if one.startswith((".git", ".ci", ".venv", "dist"))} <= {".gitignore"}


def files(folder: Path) -> list[str]:
    found = (one for one in folder.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    return [one.relative_to(folder).as_posix() for one in found]
