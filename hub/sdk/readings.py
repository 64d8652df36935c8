"""This module says what a stored text tells of its number: one number, nothing, or that it may be one of several.

A text with two valid readings is never silently taken for one of them, because an account would then be unbound for
another person's number, or a false "not bound" be said. Which readings a text has is a property of the text and of the
form (`hub.sdk.numbering`): where people write German national numbers, `4915123459160` is the number
+49 4915123459160, and also what is left of +49 15123459160 without its plus; it is AMBIGUOUS, with both as `numbers`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import phonenumbers


class Told(StrEnum):
    """This says what a text tells of its number."""

    READ = "read"
    """It is this one number, and a lookup of the number finds the text."""

    KEYED = "keyed"
    """It is one number's key: a lookup finds it, but nobody can read the number in it."""

    UNREADABLE = "unreadable"
    """No lookup finds it, or it is not a number."""

    AMBIGUOUS = "ambiguous"
    """It is one of several numbers, and nobody can tell which; a lookup of each of them finds the text."""


FOUND: dict[Told, bool] = {Told.READ: True, Told.KEYED: True, Told.UNREADABLE: False, Told.AMBIGUOUS: False}
"""This says whether a lookup finds the text, and finds by it only the account that it is meant to find."""


FINDS = tuple(one for one, finds in FOUND.items() if finds)
"""A member of an enum is found in a tuple faster than by its hash, and tables have millions of rows."""


class Reading(NamedTuple):
    """This is what a text tells. `numbers` are in E.164: one if READ, several if AMBIGUOUS, else none.

    The first of several is the form's own reading: what the text is if it was written by this form.
    """

    told: Told
    numbers: tuple[str, ...] = ()


class NumberForm(ABC):
    """This is one way, or several, of writing numbers."""

    @abstractmethod
    def written(self, e164: str) -> list[str]:
        """Return every text as which this form writes a number; the list is empty if it cannot hold the number."""

    @abstractmethod
    def own(self, text: str) -> Sequence[str]:
        """Return the E.164 numbers that this form writes so."""

    def meant(self, text: str) -> Sequence[str]:
        """Return the E.164 numbers that people may have meant by a text, although this form does not write them so."""
        del text
        return ()

    def slips(self, e164: str) -> Sequence[str]:
        """Return texts in digits as which a number may be stored by people who do not keep to the form.

        There may be too many of them: `sought` keeps those that the form also reads as another number.
        """
        del e164
        return ()

    def is_key(self, text: str) -> bool:
        """Return whether a text is a number's key, in which the number cannot be read."""
        del text
        return False

    @abstractmethod
    def unmistakable(self, text: str) -> bool:
        """Return whether a text found by looking up a number can mean no other number, so it need not be read."""

    def reading(self, text: str) -> Reading:
        """Return what a stored text tells of its number. Nothing else decides it."""
        own = self.own(text)
        if not own:
            return Reading(Told.KEYED if self.is_key(text) else Told.UNREADABLE)
        meant = self.meant(text)
        if not meant and len(own) == 1:  # so it is nearly always
            return Reading(Told.READ, (own[0],))
        numbers = tuple(dict.fromkeys((*own, *meant)))
        return Reading(Told.READ if len(numbers) == 1 else Told.AMBIGUOUS, numbers)

    def read(self, text: str) -> str | None:
        """Return the E.164 number of a stored text, or None if it cannot be told."""
        found = self.reading(text)
        return found.numbers[0] if found.told is Told.READ else None

    def readable(self, text: str) -> bool:
        """Return whether a stored text is one that a lookup finds, for one number alone."""
        return self.reading(text).told in FINDS

    def sought(self, e164: str) -> list[str]:
        """Return every text to look for when a number is looked up: what is written, and what may be the number.

        So no text that may be the number is passed over as "not bound".
        """
        texts = self.written(e164)
        for slip in self.slips(e164):
            others = self.reading(slip).numbers
            spelt = (one for other in others for one in self.written(other) if digits_of(one) == slip)
            texts += [one for one in (slip, *spelt) if one not in texts and e164 in self.reading(one).numbers]
        return texts

    def plainest(self, e164: str) -> str | None:
        """Return the text by which to store a number: the first that is read as it, or None if none can be stored."""
        texts = self.written(e164)
        plain = (one for one in texts if self.unmistakable(one) or self.reading(one).told is not Told.AMBIGUOUS)
        return next(plain, next(iter(texts), None))


def digits_of(text: str) -> str:
    """Return the digits of a text."""
    return text if text.isdigit() else "".join(one for one in text if one.isdigit())


def shape(text: str, found: Reading) -> str:
    """Return what an ambiguous text looks like without its digits: `#######: +49##### or +4#######`."""
    return f"{_masked(text)}: {' or '.join(_masked_number(one) for one in found.numbers)}"


def _masked(text: str) -> str:
    return "".join("#" if one.isdigit() else one for one in text)


def _masked_number(e164: str) -> str:
    parsed = phonenumbers.parse(e164, None)
    return f"+{parsed.country_code}{'#' * len(phonenumbers.national_significant_number(parsed))}"
