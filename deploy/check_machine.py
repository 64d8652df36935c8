"""Whether this machine can make the hub's environment; what is missing is said in a line, with what to install.

The Makefile runs it before anything else, with whatever Python there is: it uses the standard library alone, and
nothing that is younger than Python 3.6.
"""

import importlib.util
import shutil
import sys

PYTHON = (3, 11)
MB = 1024 * 1024
NEEDED_MB = 1_200
"""Of the packages of `.[dev]`, and of what pip unpacks on the way."""


def missing():
    """The first thing that is missing, with what to do about it; nothing if all is there."""
    if sys.version_info < PYTHON:
        found = ".".join(str(one) for one in sys.version_info[:3])
        return f"Python 3.11 or newer is needed, and {sys.executable} is {found}: make PYTHON=python3.11 ..."
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            return f"this Python has no {module}: install python3-venv (Debian, Ubuntu: apt-get install python3-venv)"
    free_mb = shutil.disk_usage(".").free // MB
    if free_mb < NEEDED_MB:
        return f"the disk of this folder has {free_mb} MB left, and .venv needs {NEEDED_MB} MB: make room there"
    return None


if __name__ == "__main__":
    sys.exit(missing())
