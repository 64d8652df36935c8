"""In which order tests run: the longest files first, by durations that are kept, so that all workers end together.

`durations.json` holds the seconds that each file took; `make durations` writes it anew. A file that is not in it yet
is taken for a long one. The files of a folder in `TOGETHER` share what they start, and go to one worker.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

KEPT = Path(__file__).with_name("durations.json")
TOGETHER = ("tests/web/",)
"""One hub with an API and an archive, started for all of them."""
NEW_S = 60.0
"""What a file without a kept duration is taken to last."""


def file_of(test: str) -> str:
    """The file of a test, by the test's id."""
    return test.partition("::")[0]


def group_of(test: str) -> str:
    """The name of the tests that go to one worker with this one."""
    file = file_of(test)
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def kept(path: Path = KEPT) -> dict[str, float]:
    """Seconds by file."""
    found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return found


def longest_first(tests: Iterable[str], seconds: dict[str, float]) -> list[str]:
    """Groups of tests, those that last longest first."""
    total: Counter[str] = Counter()
    for file in {file_of(one) for one in tests}:
        total[group_of(file)] += seconds.get(file, NEW_S)  # type: ignore[assignment]
    return sorted(total, key=lambda group: (-total[group], group))


def arrange(items: list[pytest.Item]) -> None:
    """Put tests in the order in which their groups are to be handed out; within a file they stay as they are."""
    places = {group: place for place, group in enumerate(longest_first((one.nodeid for one in items), kept()))}
    items.sort(key=lambda one: places[group_of(one.nodeid)])


class LongestFirst(LoadScopeScheduling):
    """Hands out whole groups of tests in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


class Keeper:
    """Adds up how long the tests of each file take, and writes it down at the end."""

    def __init__(self, path: Path = KEPT) -> None:
        self._path = path
        self._seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a test took, with what it set up and put away."""
        self._seconds[file_of(report.nodeid)] += report.duration  # type: ignore[assignment]

    def pytest_sessionfinish(self) -> None:
        """Write them down, in order of names."""
        rounded = {file: round(seconds, 1) for file, seconds in sorted(self._seconds.items())}
        self._path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
