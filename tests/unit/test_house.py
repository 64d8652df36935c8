"""The style that matters, as tests: who may import whom, what importing does, and how large a thing may grow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hub.core.model import REFUSAL_TODO, Refusal

ROOT = Path(__file__).resolve().parents[2]
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
REGISTERS = {"add_typer", "command", "callback"}
"""Calls a module may make for their effect while it is imported: they put a command into a typer app."""
PROCESSES = {"run", "Popen", "check_output", "check_call"}
MODE = re.compile(r"[rwxa][bt+]*")
NO_NAMES = {"utils", "util", "helpers", "common", "misc"}
REGISTRIES = [
    ".".join(parts)
    for parts in (
        *(("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com")),
        *(("repo1", "maven"), ("repo", "maven"), ("crates", "io"), ("proxy", "golang"), ("rubygems", "org")),
        *(("docker", "io"), ("quay", "io"), ("gcr", "io"), ("ghcr", "io"), ("anaconda", "org"), ("jitpack", "io")),
    )
]
"""Put together here, so that this file does not name them."""
TEXT = {".py", ".toml", ".yaml", ".yml", ".md", ".json", ".avsc", ".cfg", ".ini", ".sh", ".html", ".js", ".css", ""}


def python_files(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    return short(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


HUB = [pytest.param(path, id=short(path)) for path in python_files("hub")]
TESTS = [pytest.param(path, id=short(path)) for path in python_files("tests")]
PAGE_FILES = sorted(
    path
    for path in (ROOT / "hub/web/dashboard").rglob("*")
    if path.suffix in {".js", ".css", ".html"} and "vendor" not in path.parts
)
MODULES = {module_name(path): path for path in python_files("hub")}


# ---- What a file says ----


class Import(NamedTuple):
    """One imported module. `at_import`: importing the file imports it, not only calling something in it."""

    name: str
    at_import: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def imports(source: str, module: str = "") -> list[Import]:
    """Every module a source imports, at any depth; names imported from a package count as modules of it."""
    tree = ast.parse(source)
    lazy = {id(inner) for node in ast.walk(tree) if _is_lazy(node) for inner in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join(filter(None, [*module.split(".")[: -node.level], node.module])) if node.level else node.module
            )
            names = [base or "", *(f"{base}.{one.name}" for one in node.names)]
        found += [Import(name, id(node) not in lazy) for name in names]
    return found


def _is_lazy(node: ast.AST) -> bool:
    """A function, or a block that only type checkers enter."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def reached(module: str) -> set[str]:
    """Every module that importing one of the hub's imports through the hub's own files, packages on the way too."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        importer = waiting.pop()
        for one in imports(MODULES[importer].read_text(encoding="utf-8"), importer):
            parts = one.name.split(".")
            for name in (".".join(parts[:depth]) for depth in range(1, len(parts) + 1)):
                if one.at_import and name not in found:
                    found.add(name)
                    waiting += [name] if name in MODULES else []
    return found


def effects(source: str) -> list[str]:
    """Statements of a module's top level that do something: anything but names, definitions, imports and words."""
    return [ast.unparse(node).splitlines()[0] for node in ast.parse(source).body if not _is_still(node)]


def _is_still(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        call = node.value
        return isinstance(call, ast.Constant) or (
            isinstance(call, ast.Call)
            and any(isinstance(one, ast.Attribute) and one.attr in REGISTERS for one in ast.walk(call.func))
        )
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in {"__name__ == '__main__'", "TYPE_CHECKING"}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
        return not any(isinstance(one, ast.Name) and one.id in {"open", "print", "input", "exec"} for one in calls)
    definitions = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assert
    return isinstance(node, definitions)


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Every function with its length in lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def not_a_front_door(source: str) -> list[str]:
    """What an `__init__.py` holds besides its docstring, imports and `__all__`."""
    first, *rest = ast.parse(source).body
    wrong = [] if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else ["no docstring"]
    return wrong + [
        ast.unparse(node).splitlines()[0]
        for node in rest
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    ]


def unspoken(source: str) -> list[str]:
    """Tests without a sentence."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not (ast.get_docstring(node) or "").endswith(".")
    ]


def left_to_the_locale(source: str) -> list[str]:
    """Calls that read or write text as the machine's language says, since they name no encoding."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if _leaves_to_the_locale(node)]


def _leaves_to_the_locale(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    named = {one.arg for one in node.keywords}
    if name in PROCESSES:
        return bool(named & {"text", "universal_newlines"})
    if "encoding" in named:
        return False
    if name in {"read_text", "write_text"}:
        return len(node.args) < (1 if name == "read_text" else 2)
    words = [one.value for one in (*node.args, *(one.value for one in node.keywords)) if isinstance(one, ast.Constant)]
    mode = next((one for one in words if isinstance(one, str) and MODE.fullmatch(one)), "")
    of_a_path = isinstance(node.func, ast.Attribute)
    return name in {"open", "fdopen"} and "b" not in mode and bool(mode or not of_a_path)


# ---- The rules ----


@pytest.mark.parametrize("path", [*python_files("hub/core"), ROOT / "hub/errors.py"], ids=short)
def test_the_core_knows_no_clock_no_broker_and_no_framework(path: Path) -> None:
    """What the hub decides depends on the values given and nothing else, so it can be decided again years later."""
    for one in imports(path.read_text(encoding="utf-8"), module_name(path)):
        assert one.top not in NOT_IN_CORE, one.name
        assert one.top != "hub" or one.name == "hub" or one.name.startswith(HUB_IN_CORE), one.name


def test_the_core_reaches_nothing_outside_through_others() -> None:
    """The core stays pure through every module of the hub that it imports."""
    for module in (name for name in MODULES if name.startswith("hub.core")):
        found = reached(module)
        assert {name for name in found if name.partition(".")[0] in NOT_IN_CORE} == set(), module
        assert {name for name in found & set(MODULES) if not name.startswith(HUB_IN_CORE)} <= {"hub"}, module


@pytest.mark.parametrize("path", HUB)
def test_faust_is_met_in_one_place(path: Path) -> None:
    """Only the stream folder knows the stream processor, so it can be replaced there."""
    found = {one.top for one in imports(path.read_text(encoding="utf-8"), module_name(path))}
    assert not found & FAUST or short(path).startswith("hub/stream/")


@pytest.mark.parametrize("path", python_files("hub/sdk"), ids=short)
def test_the_sdk_asks_for_nothing_of_the_hubs_own(path: Path) -> None:
    """A platform installs the base package and imports the SDK: no framework, no database, no metrics server."""
    for one in imports(path.read_text(encoding="utf-8"), module_name(path)):
        assert one.top not in NOT_IN_SDK, one.name
        assert not one.name.startswith("hub.stream"), one.name
    found = reached(module_name(path))
    assert {name for name in found if name.partition(".")[0] in NOT_IN_SDK or name.startswith("hub.stream")} == set()


@pytest.mark.parametrize("path", [one for one in python_files("hub") if one.name == "__init__.py"], ids=short)
def test_a_package_opens_with_words_and_reexports_alone(path: Path) -> None:
    """A package's front door says what is inside and hides no code."""
    assert not_a_front_door(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", HUB)
def test_a_module_says_what_it_is_and_does_nothing_when_imported(path: Path) -> None:
    """Importing the hub opens, prints, starts and changes nothing."""
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)), "no docstring"
    assert effects(source) == []


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


@pytest.mark.parametrize("path", HUB)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    """A newcomer reads a module in one sitting; the few longer ones have their reason in a list."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert (lines > MODULE_LINES_MAX) == (short(path) in LONGER), f"{lines} lines"
    assert path.stem.lower() not in NO_NAMES, "a name that says nothing"


@pytest.mark.parametrize("path", HUB + TESTS)
def test_a_function_fits_a_page(path: Path) -> None:
    """No function is longer than can be held in mind."""
    found = {name: lines for name, lines in functions(path.read_text(encoding="utf-8")) if lines > FUNCTION_LINES_MAX}
    assert found == {}


@pytest.mark.parametrize("path", PAGE_FILES, ids=short)
def test_a_file_of_the_dashboard_is_short_enough_to_read(path: Path) -> None:
    """Scripts, styles and pages fit a screen in width and a sitting in length, but what is vendored."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > PAGE_CHARS_MAX] == []
    assert len(lines) <= MODULE_LINES_MAX


@pytest.mark.parametrize("path", TESTS)
def test_every_test_says_what_it_proves(path: Path) -> None:
    """Every test has a sentence about the hub, and none replaces the hub's code by a mock."""
    source = path.read_text(encoding="utf-8")
    assert unspoken(source) == []
    assert not {one.name for one in imports(source)} & {"unittest.mock", "mock", "pytest_mock"}


@pytest.mark.parametrize("path", HUB + TESTS)
def test_every_text_names_its_encoding(path: Path) -> None:
    """A file reads the same on every machine, whatever its language: `LC_ALL=C` and GBK change nothing."""
    assert left_to_the_locale(path.read_text(encoding="utf-8")) == []


def test_every_refusal_says_what_to_do_next() -> None:
    """Whoever is refused learns what to do, for every reason there is and no other."""
    assert set(REFUSAL_TODO) == set(Refusal)
    assert all(todo.endswith((".", "…")) for todo in REFUSAL_TODO.values())


def text_files() -> Iterator[Path]:
    """What is written by hand, at the root and in the folders of the project."""
    folders = [one for one in ROOT.iterdir() if one.is_dir() and not one.name.startswith(".")]
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
    assert dict(functions("def f():\n" + "    x\n" * 60)) == {"f": 61}
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
