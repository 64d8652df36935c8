"""A release installs and runs where there is no checkout: wheel and sdist, in fresh environments, on two Pythons."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.pages import ROOT

pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(2_400)]
INSTALL_S = 1_200
DEMO_S = 600
MINORS = range(30, 11, -1)
"""Of Python 3, newest first; 11 is the oldest that the hub runs on."""


def made(*command: str, folder: Path, deadline_s: int) -> str:
    """What a command prints that has to end well, away from the checkout and from this environment."""
    ours = ("PYTHON", "VIRTUAL_ENV", "UNBIND_HUB")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        command, cwd=folder, env=outside, capture_output=True, encoding="utf-8", timeout=deadline_s, check=False
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return done.stdout


@cache
def newest() -> str | None:
    """The newest Python on this machine, newer than this one, that makes environments; from the path or of pyenv."""
    homes = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in (one for one in MINORS if one > sys.version_info.minor):
        name = f"python3.{minor}"
        found = [shutil.which(name), *map(str, sorted(homes.glob(f"3.{minor}.*/bin/{name}"), reverse=True))]
        for python in filter(None, found):
            if subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
                return python
    return None


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the sdist of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    made(*build, folder=folder, deadline_s=INSTALL_S)
    return folder


@pytest.mark.parametrize("python", ["this one", "the newest"])
@pytest.mark.parametrize("ending", ["*.whl", "*.tar.gz"])
def test_a_release_runs_without_the_checkout(dist: Path, tmp_path: Path, ending: str, python: str) -> None:
    """Installed from the wheel or the sdist alone, the hub takes a made-up world through and sums it up."""
    base = sys.executable if python == "this one" else newest()
    if base is None:
        pytest.skip("no Python newer than this one on this machine")
    made(base, "-m", "venv", "env", folder=tmp_path, deadline_s=INSTALL_S)
    (release,) = dist.glob(ending)
    binaries = tmp_path / "env" / "bin"
    install = (str(binaries / "python"), "-m", "pip", "install", "-q", f"unbind-hub[local] @ {release.as_uri()}")
    made(*install, folder=tmp_path, deadline_s=INSTALL_S)
    where = made(str(binaries / "python"), "-c", "import hub; print(hub.__file__)", folder=tmp_path, deadline_s=60)
    assert Path(where.strip()).is_relative_to(tmp_path / "env"), where
    demo = (str(binaries / "unbind-hub"), "demo", "--duration", "30", "--data-dir", str(tmp_path / "data"))
    assert "Blind spot: " in made(*demo, folder=tmp_path, deadline_s=DEMO_S)
