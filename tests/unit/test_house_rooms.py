"""The rooms of the house, as tests: storeys climbed one way, no circle, and a test's file beside its module."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.places import ROOT
from tests.unit.sources import HUB, MODULES, imports, module_name, offenders, python_files, said, short, tree_of

STOREYS = (
    *("errors", "clock", "settings", "whole_files", "yaml_nodes", "problems"),
    *("core", "wire", "kafka", "folds", "recount", "sdk", "platform", "stream", "staff", "clearance"),
    *("delivery", "archive", "web", "local", "cli", "__main__"),
)
"""The rooms of the hub from the ground up. A file imports what is in its own room and in those below it."""

ABOUT_NO_MODULE = {
    "test_house.py": "it is about every file",
    "test_house_rooms.py": "it is about every file",
    "test_house_order.py": "it is about the order of tests",
    "test_deploy.py": "it is about deploy/check_machine.py and its neighbour, which `make setup` runs",
    "test_releases.py": "it is about what a release holds, and the files that make one",
    "test_docs.py": "it is about the pages of docs/",
    "test_guided.py": "it is about what tests say of an addition that is begun",
    "test_metrics.py": "it is about every `metrics.py`",
    "test_roster_fields.py": "it is about the records of the roster wherever they go",
    "test_tables.py": "it is about the tables that each enum has all over the hub",
    "test_base_install.py": "it is about the packages that an installation brings",
    "test_forked.py": "it is about `tests.forked`, which starts the programs that tests need",
    "test_debian.py": "it is about `tests.debian`, which fetches what the tests need",
    "sdk/stores/test_every_store.py": "it is one suite over all of the stores",
}
"""Files of tests/unit that are named after no module of the hub, each with its reason."""


def upward(source: str, module: str) -> list[str]:
    """The modules a source imports out of rooms that are not below its own."""
    height = STOREYS.index(room_of(module))
    names = {one.name for one in imports(source, module) if one.top == "hub" and one.name != "hub"}
    return sorted(name for name in names if room_of(name) in STOREYS and STOREYS.index(room_of(name)) > height)


def room_of(module: str) -> str:
    """The room that a module stands in; a loose file is a room of its own."""
    return module.split(".")[1]


def rooms() -> set[str]:
    """The rooms that there are."""
    return {room_of(name) for name in MODULES if name != "hub"}


def test_every_room_has_its_storey() -> None:
    """The list of storeys names each room of the hub once, and none that is gone."""
    assert sorted(STOREYS) == sorted(rooms())


def test_a_file_imports_only_from_the_rooms_below_its_own() -> None:
    """Whoever changes a room need look only at those above it for what depends on it."""
    files = [path for path in HUB if module_name(path) != "hub"]
    assert offenders(files, lambda path: upward(said(path), module_name(path))) == {}


def imported(source: str, module: str, modules: Iterable[str]) -> set[str]:
    """The files that a source's import statements name and that are read with it."""
    known = frozenset(modules)
    found = set()
    for one in imports(source, module):
        if one.at_import and one.name in known:
            found.add(one.name)
    packages = {name for name in found if any(other.startswith(f"{name}.") for other in found)}
    return found - packages - {module}


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Files that import each other in a circle; nothing if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_file_imports_itself_through_others() -> None:
    """Files can be read in an order in which each builds on what was read before."""
    edges = {name: imported(said(path), name, MODULES) for name, path in MODULES.items()}
    assert sum(map(len, edges.values())) > len(MODULES), "hardly an import is seen"
    assert circle(edges) == []


@cache
def known_in(folder: str) -> frozenset[str]:
    """The names of modules and packages that stand in a folder of the hub."""
    place = ROOT / "hub" / folder
    return frozenset(
        [path.stem for path in place.glob("*.py") if path.stem != "__init__"]
        + [path.name for path in place.glob("*") if (path / "__init__.py").is_file()]
    )


def is_about_a_module(name: str) -> bool:
    """Whether a test's file, seen from tests/unit, is called as a module of the hub, or as one and what of it."""
    folder, _, file = name.rpartition("/")
    subject = file.removeprefix("test_").removesuffix(".py")
    return any(subject == one or subject.startswith(f"{one}_") for one in known_in(folder))


def test_a_test_file_is_named_after_what_it_is_about() -> None:
    """Whoever changes a module of the hub finds its tests by its name; the few others have their reason in a list."""
    names = {path.relative_to(ROOT / "tests/unit").as_posix() for path in python_files("tests/unit")}
    tests = {name for name in names if Path(name).name.startswith("test_")}
    assert {name for name in tests if not is_about_a_module(name)} == set(ABOUT_NO_MODULE)


def holds_tests(path: Path) -> bool:
    """Whether a file has a test in it."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        for node in ast.walk(tree_of(said(path)))
    )


def test_no_test_is_in_a_file_that_is_never_collected() -> None:
    """A test stands in a file whose name begins with `test_`, so it is run."""
    scenes = [path for path in python_files("tests") if not path.name.startswith("test_")]
    assert {short(path) for path in scenes if holds_tests(path)} == set()


# ---- That the rules can fail ----


@pytest.mark.parametrize(
    ("source", "module", "found"),
    [
        ("from hub.web.shapes import Row", "hub.staff.held", ["hub.web.shapes", "hub.web.shapes.Row"]),
        ("from hub import cli", "hub.core.gaps", ["hub.cli"]),
        ("from ..stream import app", "hub.sdk.times", ["hub.stream", "hub.stream.app"]),
        ("def f():\n    import hub.kafka.spans", "hub.wire.signing", ["hub.kafka.spans"]),
        ("if TYPE_CHECKING:\n    import hub.core.model", "hub.clock", ["hub.core.model"]),
        ("from hub.core import model\nimport hub.errors", "hub.wire.signing", []),
        ("from hub.web.shapes import Row", "hub.web.board.board", []),
    ],
)
def test_an_arrow_upward_is_seen(source: str, module: str, found: list[str]) -> None:
    """An import from a room above is seen however it is written, and one from below is let pass."""
    assert upward(source, module) == found


def test_a_circle_is_seen() -> None:
    """Two files that import each other are a circle, and a file that is read only when a function runs makes none."""
    modules = ["hub", "hub.a", "hub.a.one", "hub.b"]
    both = {
        "hub.a.one": imported("from hub.b import thing", "hub.a.one", modules),
        "hub.b": imported("from hub.a import one", "hub.b", modules),
    }
    assert both == {"hub.a.one": {"hub.b"}, "hub.b": {"hub.a.one"}}
    assert set(circle(both)) == {"hub.a.one", "hub.b"}
    lazy = imported("def f():\n    from hub.a import one", "hub.b", modules)
    assert circle({**both, "hub.b": lazy}) == []


def test_a_name_that_is_no_modules_is_seen() -> None:
    """A test's file in the wrong room, or with a made-up name, is about no module."""
    assert is_about_a_module("core/test_gaps.py")
    assert is_about_a_module("core/test_intake_world.py")
    assert is_about_a_module("local/test_worlds.py")
    for name in ("wire/test_gaps.py", "core/test_desk.py", "core/test_intakes.py", "web/test_seen.py"):
        assert not is_about_a_module(name), name
