"""The style that matters, as tests: what a module may know, what importing does, and how large a thing may grow.

Each rule names every file that breaks it in one message. Who may import whom is in `test_house_rooms.py`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.model import REFUSAL_TODO, Refusal
from tests.places import ROOT
from tests.unit.sources import (
    HUB,
    MODULES,
    TESTS,
    Import,
    effects,
    functions,
    imports,
    imports_of,
    left_to_the_locale,
    module_name,
    not_a_front_door,
    offenders,
    python_files,
    reached,
    said,
    short,
    tree_of,
    unspoken,
)

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
PAGE_CHARS_MAX = 160
"""In a line of the dashboard's files; what Python's lines may be is ruff's business."""

LONGER: dict[str, str] = {
    "hub/core/model.py": "the words of the hub on one page; a list, not code",
    "hub/web/shapes.py": "every JSON answer of the API on one page; a list, not code",
    "hub/archive/rows.py": "every row of the archive on one page; a list, not code",
    "hub/core/intake.py": "the rules of intake in the order they are checked, which is the order they are read in",
}
"""Modules over the limit, each with its reason; one that has shrunk must leave this list."""
NOT_IN_CORE = {"faust", "aiokafka", "asyncio", "time", "os", "random", "logging", "prometheus_client"} | {
    *("secrets", "socket", "subprocess", "threading", "pathlib", "io", "sqlite3", "rocksdict", "fastavro", "yaml"),
}
HUB_IN_CORE = ("hub.core", "hub.errors")
NOT_IN_SDK = {"faust", "mode", "nacl", "numpy", "rocksdict", "prometheus_client", "fastapi", "uvicorn"}
FAUST = {"faust", "mode"}
NO_NAMES = {"utils", "util", "helpers", "common", "misc"}
MOCKS = {"unittest.mock", "mock", "pytest_mock"}
REGISTRIES = [
    ".".join(parts)
    for parts in (
        *(("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com")),
        *(("repo1", "maven"), ("repo", "maven"), ("crates", "io"), ("proxy", "golang"), ("rubygems", "org")),
        *(("docker", "io"), ("quay", "io"), ("gcr", "io"), ("ghcr", "io"), ("anaconda", "org"), ("jitpack", "io")),
    )
]
"""Put together here, so that this file does not name them."""
TEXT = {
    ".py",
    ".toml",
    ".yaml",
    ".yml",
    ".md",
    ".json",
    ".avsc",
    ".cfg",
    ".ini",
    ".sh",
    ".html",
    ".js",
    ".css",
    ".txt",
    "",
}
PAGE_FILES = sorted(
    path
    for path in (ROOT / "hub/web/dashboard").rglob("*")
    if path.suffix in {".js", ".css", ".html"} and "vendor" not in path.parts
)


def not_for_the_core(path: Path) -> list[str]:
    """What a file of the core imports that the core may not know."""
    return [
        one.name
        for one in imports_of(path)
        if one.top in NOT_IN_CORE or (one.top == "hub" and one.name != "hub" and not one.name.startswith(HUB_IN_CORE))
    ]


def test_the_core_knows_no_clock_no_broker_and_no_framework() -> None:
    """What the hub decides depends on the values given and nothing else, so it can be decided again years later."""
    assert offenders([*python_files("hub/core"), ROOT / "hub/errors.py"], not_for_the_core) == {}


def test_the_core_reaches_nothing_outside_through_others() -> None:
    """The core stays pure through every module of the hub that it imports."""
    for module in (name for name in MODULES if name.startswith("hub.core")):
        found = reached(module)
        assert {name for name in found if name.partition(".")[0] in NOT_IN_CORE} == set(), module
        assert {name for name in found & set(MODULES) if not name.startswith(HUB_IN_CORE)} <= {"hub"}, module


def test_faust_is_met_in_one_place() -> None:
    """Only the stream folder knows the stream processor, so it can be replaced there."""
    elsewhere = [path for path in HUB if not short(path).startswith("hub/stream/")]
    assert offenders(elsewhere, lambda path: {one.top for one in imports_of(path)} & FAUST) == {}


def not_for_the_sdk(path: Path) -> set[str]:
    """What a file of the SDK imports, itself or through others, that a platform does not install."""
    names = {one.name for one in imports_of(path)} | reached(module_name(path))
    return {name for name in names if name.partition(".")[0] in NOT_IN_SDK or name.startswith("hub.stream")}


def test_the_sdk_asks_for_nothing_of_the_hubs_own() -> None:
    """A platform installs the base package and imports the SDK: no framework, no database, no metrics server."""
    assert offenders(python_files("hub/sdk"), not_for_the_sdk) == {}


def test_a_package_opens_with_words_and_reexports_alone() -> None:
    """A package's front door says what is inside and hides no code."""
    doors = [path for path in HUB if path.name == "__init__.py"]
    assert offenders(doors, lambda path: not_a_front_door(said(path))) == {}


def test_a_module_says_what_it_is_and_does_nothing_when_imported() -> None:
    """Importing the hub opens, prints, starts and changes nothing."""
    assert offenders(HUB, lambda path: not ast.get_docstring(tree_of(said(path)))) == {}, "no docstring"
    assert offenders(HUB, lambda path: effects(said(path))) == {}


WATCH = """
import importlib, sys, threading
seen = []
def by_the_hub():
    frame = sys._getframe(2)
    while frame is not None:  # Passing over the standard library: whose code asked for it?
        name = frame.f_code.co_filename
        if "site-packages" in name or name.startswith(sys.argv[1]):
            return "site-packages" not in name
        frame = frame.f_back
def hook(event, args):
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    starts = event in {"socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.fork"}
    if (writes or starts) and by_the_hub():
        seen.append((event, str(args)[:200]))
sys.addaudithook(hook)
for name in sys.argv[2:]:
    importlib.import_module(name)
print(seen, threading.active_count())
"""


@pytest.mark.long
def test_importing_the_whole_hub_starts_nothing() -> None:
    """Importing every module of the hub opens no connection, writes no file, starts no process and no thread."""
    names = [name for name in MODULES if not name.endswith("__main__")]
    ended = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, str(ROOT / "hub"), *names],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert ended.stdout == "[] 1\n", ended.stdout + ended.stderr[-2_000:]


def lines_of(path: Path) -> int:
    """How many lines a file has."""
    return len(said(path).splitlines())


def test_a_module_is_short_enough_to_read() -> None:
    """A newcomer reads a module in one sitting; the few longer ones have their reason in a list."""
    assert {short(path) for path in HUB if lines_of(path) > MODULE_LINES_MAX} == set(LONGER)
    assert offenders(HUB, lambda path: path.stem.lower() in NO_NAMES) == {}, "a name that says nothing"


def too_long(source: str) -> dict[str, int]:
    """Functions over the limit, with their lines."""
    return {name: lines for name, lines in functions(source) if lines > FUNCTION_LINES_MAX}


def test_a_function_fits_a_page() -> None:
    """No function is longer than can be held in mind."""
    assert offenders([*HUB, *TESTS], lambda path: too_long(said(path))) == {}


def test_a_file_of_the_dashboard_is_short_enough_to_read() -> None:
    """Scripts, styles and pages fit a screen in width and a sitting in length, but what is vendored."""

    def wide(path: Path) -> list[int]:
        return [number for number, line in enumerate(said(path).splitlines(), 1) if len(line) > PAGE_CHARS_MAX]

    assert PAGE_FILES != []
    assert offenders(PAGE_FILES, wide) == {}
    assert offenders(PAGE_FILES, lambda path: lines_of(path) > MODULE_LINES_MAX) == {}


def test_every_test_says_what_it_proves() -> None:
    """Every test has a sentence about the hub, and none replaces the hub's code by a mock."""
    assert offenders(TESTS, lambda path: unspoken(said(path))) == {}
    assert offenders(TESTS, lambda path: {one.name for one in imports_of(path)} & MOCKS) == {}


def test_every_text_names_its_encoding() -> None:
    """A file reads the same on every machine, whatever its language: `LC_ALL=C` and GBK change nothing."""
    assert offenders([*HUB, *TESTS], lambda path: left_to_the_locale(said(path))) == {}


def test_every_refusal_says_what_to_do_next() -> None:
    """Whoever is refused learns what to do, for every reason there is and no other."""
    assert set(REFUSAL_TODO) == set(Refusal)
    assert all(todo.endswith((".", "…")) for todo in REFUSAL_TODO.values())


def text_files() -> Iterator[Path]:
    """What is written by hand, at the root and in the folders of the project."""
    folders = [one for one in ROOT.iterdir() if one.is_dir() and (one.name[0] != "." or one.name in {".github", ".ci"})]
    for path in [*ROOT.iterdir(), *(inner for folder in folders for inner in folder.rglob("*"))]:
        if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts and path.name != ".gitignore":
            yield path


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the business of whoever installs: no file names a registry's host."""
    found = [
        (short(path), host)
        for path in text_files()
        for host in REGISTRIES
        if host in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert found == []


# ---- That the rules can fail ----


def test_the_rules_see_what_they_forbid() -> None:
    """Each rule refuses a source made to break it."""
    assert Import("time", True) in imports("import time")
    assert Import("time", False) in imports("def f():\n    import time")
    assert Import("hub.stream", True) in imports("from hub import stream")
    assert Import("hub.core.model", True) in imports("from .model import Key", "hub.core.coverage")
    assert Import("faust", False) in imports("if TYPE_CHECKING:\n    import faust")
    for source in ("print('x')", "for x in y:\n    pass", "with a:\n    pass", "x = open('y')", "run()", "del x"):
        assert effects(source) != [], source
    assert effects("'words'\nX = 1\nY = f(2)\napp.command()(go)\nif __name__ == '__main__':\n    go()") == []
    assert not_a_front_door("x = 1") == ["no docstring"]
    assert not_a_front_door("'words'\nx = 1\n__all__ = []\nimport a") == ["x = 1"]
    assert too_long("def f():\n" + "    x\n" * 60 + "def g():\n" + "    x\n" * 59) == {"f": 61}
    for source in (
        "p.read_text()",
        "p.write_text(x)",
        "open(p)",
        "p.open('w')",
        "run(c, text=True)",
        "open(p, mode='r')",
    ):
        assert left_to_the_locale(source) != [], source
    assert left_to_the_locale("p.read_text(encoding='utf-8')\np.open('rb')\nstore.open()\nrun(c, encoding='u')") == []
    assert unspoken("def test_a():\n    pass\ndef test_b():\n    'It is so.'") == ["test_a"]
