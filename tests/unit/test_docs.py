"""What the pages say is there: links, files, commands with their options, targets of make, decisions, both languages.

What the pages *show* is run elsewhere: programs by `tests/broker/` and `tests/stories/`, files by
`test_platform_config.py`.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typer.core import TyperGroup, TyperOption
from typer.main import get_command

from hub.cli.main import app
from tests.pages import ROOT

README_LINES_MAX = 200
FIRST_DECISIONS = 74
"""Those that were made before there was a file for each."""
TRANSLATED: tuple[str, ...] = ()
MARKDOWN = MarkdownIt("commonmark").enable("table")
SHELL = {"sh", "bash", "console"}
OURS = re.compile(r"(hub|tests|schemas|deploy|docs|\.github)/[\w./-]*\w/?")
"""A file or folder of the project, as a page names it between backquotes."""


def pages() -> list[Path]:
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
    return sorted([*found, ROOT / "schemas" / "README.md"])


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PAGES = pages()
LIVE = [one for one in PAGES if one.name != "CHANGELOG.md" and one.parent.name != "decisions"]
"""Decisions and the changelog are of their day, so a file or a command may be gone that they speak of."""


# ---- What a page holds ----


@cache
def tokens(text: str) -> tuple[Token, ...]:
    return tuple(inner for token in MARKDOWN.parse(text) for inner in [token, *(token.children or [])])


def targets(text: str) -> list[str]:
    """Where the links and pictures of a page lead, but for other sites."""
    found = [str(one.attrGet("href") or one.attrGet("src") or "") for one in tokens(text)]
    return [unquote(one) for one in found if one and not re.match(r"[a-z]+:", one)]


@cache
def anchors(text: str) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    stream = MARKDOWN.parse(text)
    heads = [after.content for token, after in pairwise(stream) if token.type == "heading_open"]
    slugs = [re.sub(r"[^\w\- ]", "", head.replace("`", "").lower()).replace(" ", "-") for head in heads]
    seen: Counter[str] = Counter()
    found = set()
    for slug in slugs:
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken(page: Path, text: str) -> list[str]:
    """Links of a page that lead nowhere in this checkout."""
    wrong = []
    for target in targets(text):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        here = text if file == page else file.read_text(encoding="utf-8") if file.suffix == ".md" else ""
        there = file.exists() and file.is_relative_to(ROOT)
        if not there or (anchor and anchor not in anchors(here)):
            wrong.append(target)
    return wrong


def said(text: str) -> Iterator[str]:
    """Lines of a page that may be commands: those of shell blocks, and what stands between backquotes."""
    for token in tokens(text):
        if token.type == "fence" and token.info in SHELL:
            yield from token.content.replace("\\\n", " ").splitlines()
        elif token.type == "code_inline":
            yield token.content


# ---- What there is ----


class Commands(NamedTuple):
    """The command line: every command's options by its path, and the paths that only lead to others."""

    options: dict[tuple[str, ...], set[str]]
    groups: set[tuple[str, ...]]


@cache
def commands() -> Commands:
    found = Commands({}, set())
    waiting: list[tuple[tuple[str, ...], Any]] = [((), get_command(app))]
    while waiting:
        path, command = waiting.pop()
        if isinstance(command, TyperGroup):
            found.groups.add(path)
            waiting += [((*path, name), inner) for name, inner in command.commands.items()]
        else:
            names = (one.opts + one.secondary_opts for one in command.params if isinstance(one, TyperOption))
            found.options[path] = {"--help", *(name for some in names for name in some)}
    return found


def words_of(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quotation that goes on elsewhere: no command
        return []


def unknown_command(line: str) -> str | None:
    """What is wrong with a line that is a command of the hub; None if nothing is, or if it is none."""
    words = words_of(line)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # variables before a command
        words.pop(0)
    if words[:1] == ["unbind-hub"]:
        words.pop(0)
    elif len(words) < 2 or (words[0],) not in commands().groups:
        return _unknown_option(words)
    path: tuple[str, ...] = ()
    while path in commands().groups and words and not words[0].startswith("-"):
        path, words = (*path, words[0]), words[1:]
    if path in commands().groups:
        return None if set(words) <= {"--help"} else f"no option of {path}: {words}"
    if path not in commands().options:
        return f"no command {' '.join(path)}"
    wrong = _options(words) - commands().options[path]
    return f"{' '.join(path)} has no {sorted(wrong)}" if wrong else None


def _unknown_option(words: list[str]) -> str | None:
    """An option that stands alone has to be one of some command."""
    known = set().union(*commands().options.values())
    return None if not words or not words[0].startswith("--") or _options(words) <= known else f"no option {words[0]}"


def _options(words: list[str]) -> set[str]:
    return {one.partition("=")[0] for one in words if re.match(r"--?[a-z]", one)}


@cache
def makefile() -> tuple[set[str], set[str]]:
    """The targets and the variables of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", text, re.MULTILINE)), set(re.findall(r"^([A-Z]+) \?=", text, re.MULTILINE))


def unknown_target(line: str) -> str | None:
    """What is wrong with a line that is a command of make; None if nothing is, or if it is none."""
    words = words_of(line)
    if words[:1] != ["make"]:
        return None
    there, variables = makefile()
    assigned = {one.partition("=")[0] for one in words[1:] if "=" in one}
    wrong = {one for one in words[1:] if "=" not in one} - there | (assigned - variables)
    return f"make has no {sorted(wrong)}" if wrong else None


def code_of(path: Path) -> list[tuple[str, str]]:
    text = path.read_text(encoding="utf-8")
    return [(one.info, one.content) for one in tokens(text) if one.type == "fence"]


# ---- The rules ----


@pytest.mark.parametrize("name", ["README.md"])
def test_the_first_page_is_read_in_one_sitting(name: str) -> None:
    """The first page says the problem, the commands and where to go on, in at most 200 lines."""
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= README_LINES_MAX


@pytest.mark.parametrize("path", PAGES, ids=short)
def test_every_link_leads_somewhere(path: Path) -> None:
    """Files, pictures and headings that a page links to are there."""
    assert broken(path, path.read_text(encoding="utf-8")) == []


def test_every_page_is_found_from_the_first() -> None:
    """Whoever begins at the README comes to every page by links."""
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            names = [one.partition("#")[0] for one in targets(page.read_text(encoding="utf-8"))]
            waiting += [file for one in names if (file := (page.parent / one).resolve()).suffix == ".md"]
    assert {short(one) for one in PAGES if ".github" not in one.parts} == {short(one) for one in seen}


@pytest.mark.parametrize("path", LIVE, ids=short)
def test_every_command_shown_is_there(path: Path) -> None:
    """Commands of `unbind-hub` and `make` that a page shows exist, with every option."""
    lines = list(said(path.read_text(encoding="utf-8")))
    assert [wrong for line in lines if (wrong := unknown_command(line) or unknown_target(line))] == []


@pytest.mark.parametrize("path", LIVE, ids=short)
def test_every_file_named_is_there(path: Path) -> None:
    """Files and folders of the project that a page names exist."""
    names = [one for one in said(path.read_text(encoding="utf-8")) if OURS.fullmatch(one)]
    assert [one for one in names if not (ROOT / one).exists() and "<" not in one] == []


def test_no_decision_is_missing() -> None:
    """Decisions are numbered without a gap, each in a file of its number and in the index with its title and date."""
    folder = ROOT / "docs" / "decisions"
    files = sorted(folder.glob("[0-9]*.md"))
    assert [int(one.name[:4]) for one in files] == list(range(1, len(files) + 1))
    assert len(files) >= FIRST_DECISIONS
    index = (folder / "README.md").read_text(encoding="utf-8")
    for number, file in enumerate(files, 1):
        head, _, date, _, why, *_ = file.read_text(encoding="utf-8").splitlines()
        title = head.removeprefix(f"# {number}. ")
        assert title != head, file.name
        assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", date), file.name
        assert why, file.name
        assert f"| {number} | {date.removeprefix('Date: ')} | [{title}]({file.name})" in index, file.name


@pytest.mark.parametrize(
    ("english", "chinese"),
    [(f"docs/{one}.md", f"docs/zh/{one}.md") for one in TRANSLATED],
)
def test_both_languages_show_the_same(english: str, chinese: str) -> None:
    """Every program, file and command shown in Chinese is that of the English page, which the tests run."""
    assert code_of(ROOT / chinese) == code_of(ROOT / english)
    heads = [
        Counter(one.tag for one in tokens((ROOT / page).read_text(encoding="utf-8"))) for page in (english, chinese)
    ]
    assert heads[0]["h2"] == heads[1]["h2"], "a section without its other language"
    assert heads[0]["tr"] == heads[1]["tr"], "a row without its other language"


def test_the_storeys_are_the_rooms() -> None:
    """The table of storeys names every room of the hub and no other."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (\d+) \| `hub/([a-z_]+)(?:/|\.py)` \|", page, re.MULTILINE)
    rooms = {one.stem for one in (ROOT / "hub").iterdir() if one.is_dir() or one.suffix == ".py"}
    assert {name for _, name in told} == rooms - {"__init__", "__main__", "__pycache__"}
    assert [int(number) for number, _ in told] == list(range(1, len(told) + 1))


# ---- That the rules can fail ----


def test_the_rules_see_what_is_not_there() -> None:
    """Each rule refuses a page made to break it."""
    page = ROOT / "docs" / "install.md"
    assert broken(page, "# A `b` c\n[x](#a-b-c) [y](operate.md#looking) ![](../README.md)") == []
    assert broken(page, "[x](#a) ![p](no.png) [y](operate.md#no) [z](../../etc)") == [
        "#a",
        "no.png",
        "operate.md#no",
        "../../etc",
    ]
    for line in (
        "unbind-hub up --web-port 1 # --no",
        "A=b unbind-hub gaps",
        "platform set a --zh=x",
        "case",
        "--no-web",
        "unbind-hub",
    ):
        assert unknown_command(line) is None, line
    for line in (
        "unbind-hub upp",
        "unbind-hub up --port 1",
        "platform sat a",
        "platform set a --zz",
        "--nothing",
        "unbind-hub --no",
    ):
        assert unknown_command(line) is not None, line
    assert unknown_target("make demo DURATION=30") is None
    assert unknown_target("make tea") == "make has no ['tea']"
    assert unknown_target("make demo SECONDS=3") == "make has no ['SECONDS']"
    assert list(said("`a`\n\n```sh\nb \\\nc\n```\n\n```python\nd\n```\n")) == ["a", "b  c"]
