"""The words of the dashboard: one dictionary a language, alike, whole, and nothing in them that is not used."""

from __future__ import annotations

import json
import re

import pytest

from hub.core.blindspots import Sureness
from hub.core.model import Breach, EventType, GapClass, Limit, Outcome, PlatformState, Refusal, ReportKind, Role, Stage
from hub.core.standing import Standing
from hub.web.routes.pages import FOLDER

WORDS = {lang: json.loads((FOLDER / "words" / f"{lang}.json").read_text(encoding="utf-8")) for lang in ("zh", "en")}
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((FOLDER / "js").rglob("*.js")))
LITERALS = set(re.findall(r'"([a-z_]+(?:[.][\w-]+)*)"', SOURCE))
PREFIXES = set(re.findall(r"\bt\(`([\w-]+)\.\$\{", SOURCE)) | set(re.findall(r'\bword\("(\w+)"', SOURCE))
PREFIXES |= set(re.findall(r'"(\w+)"', re.search(r"const WHATS = \[(.*?)\]", SOURCE).group(1)))  # type: ignore[union-attr]
ENUMS = {
    "stage": Stage,
    "outcome": Outcome,
    "gap": GapClass,
    "state": PlatformState,
    "standing": Standing,
    "sureness": Sureness,
    "role": Role,
    "breach": Breach,
    "refusal": Refusal,
    "remedy": Refusal,
    "report": ReportKind,
    "limit": Limit,
}


def test_both_languages_have_the_same_keys_and_holes() -> None:
    """No word is missing in one language, and the same values go into both."""
    assert set(WORDS["zh"]) == set(WORDS["en"])
    for key, text in WORDS["en"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", WORDS["zh"][key])), key
        assert text.strip(), key


def test_no_word_is_left_over() -> None:
    """Every key is asked for somewhere, by itself or as a member under its prefix."""
    unused = {key for key in WORDS["en"] if key not in LITERALS and key.partition(".")[0] not in PREFIXES}
    assert unused == set()


def test_every_word_asked_for_is_there() -> None:
    """Every key the code spells out is in the dictionaries."""
    asked = set(re.findall(r'\bt\("([^"]+)"', SOURCE))
    assert asked - set(WORDS["en"]) == set()


@pytest.mark.parametrize("prefix", ENUMS)
def test_every_member_has_words(prefix: str) -> None:
    """What the hub can say is said in words, member by member, and no member is made up."""
    spoken = {key.partition(".")[2] for key in WORDS["zh"] if key.startswith(f"{prefix}.")}
    assert spoken == {str(one) for one in ENUMS[prefix]}


def test_events_are_stages_or_have_words_of_their_own() -> None:
    """Every event of an operator has words in a case's timeline."""
    for event in EventType:
        assert f"stage.{event}" in WORDS["zh"] or f"event.{event}" in WORDS["zh"], event


def test_no_word_of_the_page_stands_in_its_code() -> None:
    """Chinese is in the dictionary alone, but for the switch that names the language in itself."""
    assert set(re.findall(r"[\u4e00-\u9fff]+", SOURCE)) == {"中文"}
