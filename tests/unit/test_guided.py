"""Adding is guided: one line that adds something makes those tests fail that name what has to follow it.

Each case copies the project, adds one line, and runs a few files of tests on the copy. What fails there is what whoever
adds the like is led by; the words are the places that the failures name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.places import ROOT

COPIED = ("hub", "schemas", "tests", "docs", "deploy", "pyproject.toml", "README.md")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", "screenshots", ".*")
RUN_S = 500.0
CONTINUED = "--continue-on-collection-errors"
IN_TABLES = "unit/test_tables.py"
IN_CONTRACTS = "unit/wire/test_contracts.py"
IN_WORDS = "dashboard/test_words.py"


class Addition(NamedTuple):
    """One line added after another. `guides`: by file of tests under tests/, the tests that must fail.

    `named`: what their messages name.
    """

    what: str
    file: str
    after: str
    line: str
    guides: dict[str, set[str]]
    named: tuple[str, ...]


SCHEMAS = "test_an_enum_has_the_symbols_of_the_hubs_own"
UNREAD = f"tests/{IN_CONTRACTS}"
"""The file as a whole: a schema without a field of its value is found as its cases are made."""

WORDS = "test_every_member_has_words"
ROWS = "test_a_table_has_a_row_for_every_member"
GIVEN = "test_every_member_is_given_by_some_rule"

ADDITIONS = [
    Addition(
        "outcome",
        "hub/core/model.py",
        '    REINSTATED = "REINSTATED"\n',
        '    MUTED = "MUTED"\n',
        {
            IN_TABLES: {ROWS},
            IN_CONTRACTS: {SCHEMAS},
            IN_WORDS: {WORDS},
            "unit/sdk/adapter/test_acting.py": {"test_every_outcome_is_said_by_an_adapter"},
        },
        (
            *("hub/core/outcomes.py: MEANING", "hub/recount/figures.py: WORDS", "hub/cli/trying.py: MEANING"),
            *("hub/sdk/adapter/holdings.py: ANSWERS", "hub/platform/config_settings.py: HAS_ACTIONS"),
            *("pages/platform.js: OUTCOMES", "docs/concepts.md: What a platform can say"),
            *("hub/sdk/adapter/acting.py", "acknowledgement", "outcome"),
        ),
    ),
    Addition(
        "breach",
        "hub/core/model.py",
        '    REISSUED_WHILE_BLOCKED = "REISSUED_WHILE_BLOCKED"\n',
        '    RUDE = "RUDE"\n',
        {
            IN_TABLES: {GIVEN},
            IN_CONTRACTS: {SCHEMAS},
            IN_WORDS: {WORDS},
            "unit/core/test_breaches.py": {"test_every_breach_has_a_story"},
        },
        ("no rule in hub/ gives Breach.RUDE", "hub/core/breaches.py its rule", "receipt", "breach"),
    ),
    Addition(
        "refusal",
        "hub/core/model.py",
        '    HUB_FAULT = "HUB_FAULT"\n',
        '    DULL = "DULL"\n',
        {
            IN_TABLES: {ROWS, GIVEN},
            IN_CONTRACTS: {SCHEMAS},
            IN_WORDS: {WORDS},
            "unit/core/test_intake.py": {"test_every_reason_of_intake_has_its_bad_event"},
        },
        ("no rule in hub/ gives Refusal.DULL", "hub/core/model.py: REFUSAL_TODO", "rejected"),
    ),
    Addition(
        "gap class",
        "hub/core/model.py",
        '    DISPUTED = "DISPUTED"\n',
        '    LOST = "LOST"\n',
        {IN_TABLES: {ROWS, GIVEN}, IN_CONTRACTS: {SCHEMAS}, IN_WORDS: {WORDS}},
        (
            *("hub/core/clearance.py: STATUS", "hub/recount/clearance.py: BLOCKS", "overview.js: GAPS"),
            *("docs/concepts.md: Why a pair is a gap", "no rule in hub/ gives GapClass.LOST", "coverage"),
        ),
    ),
    Addition(
        "stage",
        "hub/core/model.py",
        '    RESTORED = "RESTORED"\n    WITHDRAWN = "WITHDRAWN"\n\n\nclass Outcome',
        '    PARKED = "PARKED"\n',
        {IN_TABLES: {ROWS}, IN_CONTRACTS: {SCHEMAS}, IN_WORDS: {WORDS}},
        ("hub/core/clearance.py: REASON_OF_STAGE", "hub/core/lifecycle.py: MOVES and OPENS", "release_notice"),
    ),
    Addition(
        "field of a platform's record",
        "hub/core/model.py",
        "    history: tuple[StateChange, ...] = ()\n",
        "    hotline: str | None = None\n",
        {"unit/test_roster_fields.py": {"test_every_field_of_a_record_is_asked_for"}, IN_CONTRACTS: {UNREAD}},
        ("PLATFORM has no row for ['hotline']", "platform: fields differ from Platform"),
    ),
    Addition(
        "channel",
        "hub/core/channel.py",
        '    FILE = "file"\n',
        '    PIGEON = "pigeon"\n',
        {IN_TABLES: {ROWS, "test_every_way_to_reach_a_platform_is_whole"}},
        ("hub/core/channel.py: HABITS", "hub/delivery/service.py: MAKERS", "write a page of docs/"),
    ),
    Addition(
        "setting",
        "hub/settings.py",
        "    signature_threads: int = 2\n",
        "    naps_max: int = 3\n",
        {"unit/test_settings.py": {"test_every_setting_can_be_set_or_says_why_not"}},
        ("WorkerSettings: nobody can set naps_max", "hub/cli/worker.py"),
    ),
    Addition(
        "metric",
        "hub/stream/metrics.py",
        '        self.notices = count("hub_notices", "Notices published to platforms.")\n',
        '        self.naps = count("hub_naps", "Naps taken.")\n',
        {"unit/test_metrics.py": {"test_every_metric_is_counted"}},
        ("nothing counts hub/stream/metrics.py: naps (hub_naps)",),
    ),
    Addition(
        "column of a platform's row",
        "hub/web/shapes.py",
        "    outlier: bool = False\n",
        "    rumours: int = 0\n",
        {"unit/web/access/test_fields.py": {"test_every_column_says_who_sees_it"}},
        ("TOLD[PlatformRow] has no row for ['rumours']",),
    ),
]
QUICK = {"setting"}
"""What is tried in every run; each of the others takes as long, and stands in the soak."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, to be spoilt."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


def failing(folder: Path, files: list[str]) -> tuple[set[str], str]:
    """The tests of some files that fail on a copy, by name, and all that is said of them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", CONTINUED, *files]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=RUN_S, check=False
    )
    assert done.returncode in (0, 1), f"the tests do not run on the copy:\n{done.stdout}\n{done.stderr}"
    tests = re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", done.stdout, re.MULTILINE)
    unread = re.findall(r"^ERROR (\S+\.py)(?: - |$)", done.stdout, re.MULTILINE)
    return {*tests, *unread}, done.stdout


CASES = [pytest.param(one, id=one.what, marks=[] if one.what in QUICK else [pytest.mark.soak]) for one in ADDITIONS]


@pytest.mark.long
@pytest.mark.parametrize("addition", CASES)
def test_an_addition_is_asked_for_until_it_is_whole(addition: Addition, copy: Path) -> None:
    """Of an addition that is begun with one line, the tests say what is missing and where it goes."""
    path = copy / addition.file
    before = path.read_text(encoding="utf-8")
    assert before.count(addition.after) == 1, f"{addition.file} no longer says {addition.after!r} once"
    lines = addition.after.partition("\n\n")
    path.write_text(
        before.replace(addition.after, f"{lines[0].rstrip()}\n{addition.line}{''.join(lines[1:])}"), encoding="utf-8"
    )
    found, told = failing(copy, [f"tests/{file}" for file in addition.guides])
    missing = {f"{file}::{test}" for file, tests in addition.guides.items() for test in tests if test not in found}
    assert missing == set(), f"these pass, and the addition is not whole:\n{told}"
    assert [word for word in addition.named if word not in told] == []
