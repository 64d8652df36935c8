"""Pages of the README, and running what stands on them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.broker.scene import DEADLINE_S

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def block(title: str, language: str, having: str = "") -> str:
    """The one block of a language on a page that has some words in it."""
    page = README.split(f"\n## {title}\n")[1].split("\n## ")[0]
    (found,) = [one for one in re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL) if having in one]
    return str(found)


def filled(text: str, words: Mapping[str, str]) -> str:
    """A text with a page's example words replaced; each has to be there."""
    for word, real in words.items():
        assert word in text, word
        text = text.replace(word, real)
    return text


def run(commands: str, folder: Path, **env: str) -> str:
    """What a shell prints that runs commands in a folder, with this Python's `unbind-hub`."""
    for word, real in (("unbind-hub ", f"{sys.executable} -m hub "), ("python deeds", f"{sys.executable} deeds")):
        commands = commands.replace(word, real)
    done = subprocess.run(
        ["bash", "-ec", commands], cwd=folder, capture_output=True, encoding="utf-8", timeout=DEADLINE_S, check=False,
        env=os.environ | env,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
