"""Every figure of a page worked out again from the API's JSON. A figure says where it comes from: `path#expression`.

Expressions name fields by their path (`platforms.3.pairs.resolved`; `*` for every item of a list), with `+ - / ( )`,
`sum`, `len` and `max`. What a mapping leaves out is nought; what a division by nought would be is nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

NAMES = re.compile(r"(sum|len|max)(?=\()|[A-Za-z_](?:[\w*.-]*[\w*])?|\d+(?:\.\d+)?|[()+/-]|\s+")
COLLECT = (
    "() => [...document.querySelectorAll('[data-of]')]"
    ".map((one) => [one.dataset.of, one.dataset.value, one.textContent])"
)


def at(document: Any, path: str) -> Any:
    """The value at a path."""
    here = document
    parts = path.split(".")
    for index, part in enumerate(parts):
        if part == "*":
            return [at(one, ".".join(parts[index + 1 :])) for one in here]
        if isinstance(here, list):
            here = here[int(part)]
        elif part in here:
            here = here[part]
        else:
            assert part.isupper(), f"{path}: the API has no {part}"
            return 0
    return here


def work_out(document: Any, expression: str) -> Any:
    """What an expression comes to; None where the API says nothing or divides by nought."""
    names: dict[str, Any] = {}
    parts = []
    for match in NAMES.finditer(expression):
        word = match.group()
        if match.group(1) or not re.match(r"[A-Za-z_]", word):
            parts.append(word)
            continue
        name = f"v{len(names)}"
        names[name] = at(document, word)
        parts.append(name)
    assert "".join(match.group() for match in NAMES.finditer(expression)) == expression, expression
    if len(names) == 1 and parts == ["v0"]:
        return names["v0"]
    if any(value is None for value in names.values()):
        return None
    functions: dict[str, Callable[..., Any]] = {"sum": _sum, "len": len, "max": _max}
    try:
        return eval("".join(parts), {"__builtins__": {}}, {**names, **functions})
    except ZeroDivisionError:
        return None


def _values(of: Any) -> list[Any]:
    return list(of.values()) if isinstance(of, dict) else list(of)


def _sum(of: Any) -> Any:
    return sum(_values(of))


def _max(of: Any) -> Any:
    return max(_values(of), default=0)


def differences(page: Page, ask: Callable[[str], Any]) -> tuple[int, list[str]]:
    """How many figures the page has, and those that are not the API's. `ask`: the JSON at a path."""
    answers: dict[str, Any] = {}
    wrong = []
    figures = page.evaluate(COLLECT)
    for of, value, shown in figures:
        path, _, expression = of.partition("#")
        if path not in answers:
            answers[path] = ask(path)
        expected = work_out(answers[path], expression)
        same = value == "" if expected is None else value != "" and math.isclose(float(value), float(expected))
        if not same or not reads_as(shown, expected):
            wrong.append(f"{of}: the page has {value!r} ({shown!r}), the API {expected!r}")
    return len(figures), wrong


def reads_as(shown: str, value: Any) -> bool:
    """Whether what is to be read says the value: a count to the unit, a share to a tenth of a percent."""
    if value is None:
        return shown in {"–", "?"}
    plain = shown.replace(",", "")
    if plain.isdigit():
        return int(plain) == math.floor(float(value) + 0.5)
    if plain.endswith("%"):
        return abs(float(plain[:-1]) - float(value) * 100) < 0.1 and (plain == "100.0%") == (value == 1)
    return shown.strip() != ""
