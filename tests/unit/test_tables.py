"""Total tables: an enum's member that some table has forgotten is named here with the table and its file.

Whoever adds a member follows what fails here until nothing does. Schemas, the words of the dashboard, breaches' stories
and adapters' answers ask for themselves: `wire/test_contracts.py`, `tests/dashboard/test_words.py`,
`core/test_breaches.py`, `sdk/adapter/test_acting.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

import pytest

from hub.cli import trying
from hub.core import channel, clearance, lifecycle, outcomes
from hub.core.channel import Way
from hub.core.model import REFUSAL_TODO, Breach, GapClass, Outcome, Refusal, Stage
from hub.delivery import service
from hub.platform import config_settings
from hub.recount import clearance as recounted
from hub.recount import figures
from hub.sdk.adapter import holdings
from tests.places import ROOT
from tests.unit.sources import HUB, said, short, tree_of

PAGES = ROOT / "hub/web/dashboard/js"
CONCEPTS = (ROOT / "docs/concepts.md").read_text(encoding="utf-8")


class Table(NamedTuple):
    """Something that has to have a row for every member of an enum. `rows`: the members it has."""

    enum: type[StrEnum]
    where: str
    rows: Collection[str | None]


def of_page(file: str, name: str) -> list[str]:
    """The words of a constant list in a page's JavaScript."""
    found = re.search(rf"const {name} = \[(.*?)\]", (PAGES / file).read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, f"{file} has no list {name}"
    return re.findall(r'"(\w+)"', found[1])


def of_concepts(heading: str) -> list[str]:
    """The words in the first column of the table under a heading of docs/concepts.md."""
    section = CONCEPTS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return [word for cell in cells[2:] for word in re.findall(r"\w+", cell.upper())]


TABLES = [
    Table(Outcome, "hub/core/outcomes.py: MEANING", outcomes.MEANING),
    Table(Outcome, "hub/recount/figures.py: WORDS", figures.WORDS),
    Table(Outcome, "hub/sdk/adapter/holdings.py: ANSWERS", holdings.ANSWERS),
    Table(Outcome, "hub/platform/config_settings.py: HAS_ACTIONS", config_settings.HAS_ACTIONS),
    Table(Outcome, "hub/cli/trying.py: MEANING", trying.MEANING.keys() - {None}),
    Table(Outcome, "hub/web/dashboard/js/pages/platform.js: OUTCOMES", of_page("pages/platform.js", "OUTCOMES")),
    Table(Outcome, "docs/concepts.md: What a platform can say", of_concepts("What a platform can say")),
    Table(GapClass, "hub/core/clearance.py: STATUS", clearance.STATUS),
    Table(GapClass, "hub/recount/clearance.py: BLOCKS", recounted.BLOCKS),
    Table(GapClass, "hub/web/dashboard/js/pages/platform.js: GAPS", of_page("pages/platform.js", "GAPS")),
    Table(GapClass, "hub/web/dashboard/js/pages/overview.js: GAPS", of_page("pages/overview.js", "GAPS")),
    Table(GapClass, "docs/concepts.md: Why a pair is a gap", of_concepts("Why a pair is a gap")[: len(GapClass)]),
    Table(Stage, "hub/core/clearance.py: REASON_OF_STAGE", clearance.REASON_OF_STAGE),
    Table(Stage, "hub/core/lifecycle.py: MOVES and OPENS", {*lifecycle.MOVES.values(), *lifecycle.OPENS.values()}),
    Table(Refusal, "hub/core/model.py: REFUSAL_TODO", REFUSAL_TODO),
    Table(Way, "hub/core/channel.py: HABITS", channel.HABITS),
    Table(Way, "hub/delivery/service.py: MAKERS", service.MAKERS),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda one: f"{one.enum.__name__} {one.where}")
def test_a_table_has_a_row_for_every_member(table: Table) -> None:
    """What the hub has a word for, each of its tables knows; and no row is of a word that there is not."""
    members = {str(one) for one in table.enum}
    missing = sorted(members - {str(one) for one in table.rows})
    assert not missing, f"{table.where} has no row for {table.enum.__name__} {', '.join(missing)}: write it there"
    left_over = sorted({str(one) for one in table.rows} - members)
    assert not left_over, f"{table.where} has rows of no {table.enum.__name__}: {', '.join(left_over)}"


# ---- What is said at all ----

GIVEN_BY_A_TABLE: dict[str, str] = {
    "GapClass.FROZEN": "by hub/core/outcomes.py",
    "GapClass.DECLINED": "by hub/core/outcomes.py",
    "GapClass.FAILED": "by hub/core/outcomes.py",
}
"""Members that no code names, for a table says when they are given."""


def named_outside_tables(enum: type[StrEnum], tables: frozenset[str]) -> set[str]:
    """The members that the hub's code names, in files and tables that are not the given ones."""
    found = set()
    for path in HUB:
        for statement in tree_of(said(path)).body:
            if short(path) == "hub/core/model.py" or _names(statement) & tables:
                continue
            found |= {
                f"{enum.__name__}.{node.attr}"
                for node in ast.walk(statement)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
                if node.value.id == enum.__name__
            }
    return found


def _names(statement: ast.stmt) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return {one.id for one in targets if isinstance(one, ast.Name)}


@pytest.mark.parametrize("enum", [Refusal, Breach, GapClass])
def test_every_member_is_given_by_some_rule(enum: type[StrEnum]) -> None:
    """A reason, a breach or a gap that no rule ever gives is a word that misleads: the code names each."""
    given = named_outside_tables(enum, frozenset({"STATUS", "BLOCKS"})) | set(GIVEN_BY_A_TABLE)
    missing = sorted({f"{enum.__name__}.{one.name}" for one in enum} - given)
    assert not missing, f"no rule in hub/ gives {', '.join(missing)}: write the rule, or take the word out"


# ---- Channels beside their tables ----

PAGE_OF = {Way.KAFKA: "platform-sql.md", Way.WEBHOOK: "platform-webhook.md", Way.FILE: "platform-file.md"}
"""Where a platform reads how it is reached that way."""


@pytest.mark.parametrize("way", Way)
def test_every_way_to_reach_a_platform_is_whole(way: Way) -> None:
    """A way has a page and, if it is told by delivery, a receiver in the suite that all channels pass."""
    page = PAGE_OF.get(way)
    assert page, f"write a page of docs/ for {way!r} and name it in PAGE_OF of {__name__}"
    assert way in (ROOT / "docs" / page).read_text(encoding="utf-8").lower(), f"docs/{page} does not name {way}"
    suite = said(ROOT / "tests/unit/delivery/test_channels.py")
    tried = service.MAKERS.get(way) is None or f'"{way}":' in suite
    assert tried, f"CHANNELS in tests/unit/delivery/test_channels.py has no receiver for {way}"
