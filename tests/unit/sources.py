"""What the project's files say: their imports, what importing them does, and how long their parts are."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.places import ROOT

REGISTERS = {"add_typer", "command", "callback"}
"""Calls a module may make for their effect while it is imported: they put a command into a typer app."""


def python_files(folder: str) -> list[Path]:
    """The Python files of a folder and of those in it."""
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def short(path: Path) -> str:
    """A file's name as seen from the root."""
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    """A file's name as it is imported."""
    return short(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def said(path: Path) -> str:
    """What stands in a file."""
    return path.read_text(encoding="utf-8")


@cache
def tree_of(source: str) -> ast.Module:
    """A source as its syntax tree."""
    return ast.parse(source)


def offenders(paths: Iterable[Path], wrong: Callable[[Path], object]) -> dict[str, object]:
    """What is wrong with each file that has something wrong."""
    return {short(path): found for path in paths if (found := wrong(path))}


HUB = python_files("hub")
TESTS = python_files("tests")
MODULES = {module_name(path): path for path in HUB}


class Import(NamedTuple):
    """One imported module. `at_import`: importing the file imports it, not only calling something in it."""

    name: str
    at_import: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def imports(source: str, module: str = "") -> list[Import]:
    """Every module a source imports, at any depth; names imported from a package count as modules of it."""
    tree = tree_of(source)
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


@cache
def imports_of(path: Path) -> list[Import]:
    """Every module a file imports."""
    return imports(said(path), module_name(path))


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
        for one in imports_of(MODULES[importer]):
            parts = one.name.split(".")
            for name in (".".join(parts[:depth]) for depth in range(1, len(parts) + 1)):
                if one.at_import and name not in found:
                    found.add(name)
                    waiting += [name] if name in MODULES else []
    return found


def effects(source: str) -> list[str]:
    """Statements of a module's top level that do something: anything but names, definitions, imports and words."""
    return [ast.unparse(node).splitlines()[0] for node in tree_of(source).body if not _is_still(node)]


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
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def not_a_front_door(source: str) -> list[str]:
    """What an `__init__.py` holds besides its docstring, imports and `__all__`."""
    first, *rest = tree_of(source).body
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
        for node in ast.walk(tree_of(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not (ast.get_docstring(node) or "").endswith(".")
    ]


PROCESSES = {"run", "Popen", "check_output", "check_call"}
MODE = re.compile(r"[rwxa][bt+]*")


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
