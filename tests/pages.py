"""The pages of README and `docs/`: what stands on them, and running what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN_S = 60


def page(name: str) -> str:
    """The text of a page of `docs/`, by its name without `.md`."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """Every block of a language on a page, in order."""
    return re.findall(rf"```{language}\n(.*?)```", page(name), flags=re.DOTALL)


def block(name: str, language: str, having: str = "") -> str:
    """The one block of a language on a page that has some words in it."""
    (found,) = [one for one in blocks(name, language) if having in one]
    return found


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
        ["bash", "-ec", commands], cwd=folder, capture_output=True, encoding="utf-8", timeout=RUN_S, check=False,
        env=os.environ | env,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
