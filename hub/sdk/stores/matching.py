"""This module matches stored texts with numbers, for every store that reads them itself.

A lookup asks for every text that may be a number, and each text that is found is read again. For example, in a table
of German national numbers a notice about +49 15123459160 finds the row `4915123459160`, which may be another number as
well: its account is AMBIGUOUS, so it is neither unbound nor passed over as "not bound".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from hub.sdk.accounts import AMBIGUOUS, ELSEWHERE, Readability
from hub.sdk.readings import FINDS, NumberForm, Reading, Told, shape

SHAPES_SHOWN = 3


class Bound(NamedTuple):
    """This is what an account is bound to, as `hub.sdk.accounts.Account` has it."""

    number: str
    may_be: frozenset[str] = frozenset()


def sought(form: NumberForm, numbers: Iterable[str]) -> dict[str, str]:
    """Return every text that may be one of these numbers, with the number; if it may be several, with one of them."""
    return {text: number for number in sorted(numbers) for text in form.sought(number)}


BOUND: dict[Told, Callable[[Reading, str], Bound]] = {
    Told.READ: lambda found, _: Bound(found.numbers[0]),
    Told.KEYED: lambda _, asked: Bound(asked),
    Told.UNREADABLE: lambda _, asked: Bound(asked),
    Told.AMBIGUOUS: lambda found, _: Bound(AMBIGUOUS, frozenset(found.numbers)),
}
"""This gives what an account is bound to, from what its text tells and from the number that was asked for by it."""


def bound(form: NumberForm, text: str, number_of: Mapping[str, str]) -> Bound:
    """Return what a stored text binds an account to: ELSEWHERE if neither the text nor what was asked for tells it.

    Args:
        number_of: what was asked for, as `sought` returns it.
    """
    asked = number_of.get(text, ELSEWHERE)
    if asked is not ELSEWHERE and form.unmistakable(text):
        return Bound(asked)
    found = form.reading(text)
    return BOUND[found.told](found, asked)


def kept(form: NumberForm, number: str) -> str:
    """Return the text as which records keep a number: as the store writes it, so none is in the clear beside keys."""
    text = form.plainest(number) or ""
    plain = form.unmistakable(text) or form.reading(text).told is not Told.AMBIGUOUS
    return text if plain else number


def kept_number(form: NumberForm, text: str, number_of: Mapping[str, str]) -> str:
    """Return the number of a text that `kept` gave, or ELSEWHERE if neither it nor what was asked for tells it."""
    if text.startswith("+"):
        return text
    asked = number_of.get(text, ELSEWHERE)
    if asked is not ELSEWHERE and form.unmistakable(text):
        return asked
    return next(iter(form.reading(text).numbers), asked)


def is_of(form: NumberForm, text: str, number: str) -> bool:
    """Return whether a stored text may be a number."""
    return number in form.reading(text).numbers or text in form.written(number)


def count(form: NumberForm, texts: Iterable[str]) -> Readability:
    """Read texts; return how many there are, and how many cannot be read or may be several numbers."""
    rows = unfound = 0
    shapes = Counter[str]()
    for text in texts:
        found = form.reading(text)
        rows += 1
        unfound += found.told not in FINDS
        if found.told is Told.AMBIGUOUS:
            shapes[shape(text, found)] += 1
    shown = tuple(one for one, _ in shapes.most_common(SHAPES_SHOWN))
    return Readability(rows, unfound, shapes.total(), shown)
