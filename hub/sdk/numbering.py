"""This module says how an account store writes phone numbers, and finds E.164 numbers in it.

The hub speaks E.164 (ITU-T E.164, `+8613800138000`); stores rarely do. A form gives every string a number may be
stored as, so that a store is asked by equality, with its own index, and never scanned. For example, `National("CN")`
looks for `+8613800138000` as `13800138000`, `138 0013 8000` and `138-0013-8000`.

All forms keep one rule: a form reads a string only if it would also look that string up. A row that looks like a
number but is spelt in a way that is never looked for is unreadable, and counted; otherwise it would be a silent,
false "not bound".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Protocol

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

from hub.core.numbers import is_e164
from hub.errors import PlatformError
from hub.sdk.national import NationalWriter

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
KEY_BYTES_MIN = 16
"""A lookup key shorter than this can be guessed; then all numbers can be found, for there are only 10^10 of them."""


class NumberForm(Protocol):
    """This is one way, or several, of writing numbers."""

    def written(self, e164: str) -> list[str]:
        """Return every string this number may be stored as; the list is empty if this form cannot hold it."""
        ...

    def read(self, text: str) -> str | None:
        """Return the E.164 number of a stored string, or None if it cannot be told."""
        ...

    def readable(self, text: str) -> bool:
        """Return whether a stored string is one that a lookup could find."""
        ...

    def unmistakable(self, text: str) -> bool:
        """Return whether a string found by looking up a number can mean no other number, so it need not be read."""
        ...


class International:
    """This form writes the country code first: `+8613800138000`, `008613800138000`, `8613800138000`.

    Args:
        prefix: what stands in place of the plus: "+", "00", or "" for bare digits.
    """

    def __init__(self, prefix: str = "+") -> None:
        self.prefix = prefix

    def written(self, e164: str) -> list[str]:
        """Return the number's digits after the prefix."""
        return [self.prefix + e164[1:]] if _E164.fullmatch(e164) else []

    def read(self, text: str) -> str | None:
        """Return the number, if the string is the prefix and a valid number's digits."""
        if not text.startswith(self.prefix):
            return None
        number = "+" + text[len(self.prefix) :]
        # libphonenumber has to judge: no notice names a number that was cut off, and bare national digits would pass
        # for another country's (13800138000 for +1 380 013 8000).
        return number if is_e164(number) else None

    def readable(self, text: str) -> bool:
        """Return whether `read` can read it."""
        return self.read(text) is not None

    def unmistakable(self, text: str) -> bool:
        """Return whether the country code is marked as such."""
        return self.prefix != "" and text.startswith(self.prefix)


class National:
    """This form writes numbers as people of one region do: `13800138000`, `138 0013 8000`, `(020) 8765 4321`.

    It cannot write numbers of other regions; a store that holds those too needs `AnyOf`.

    Args:
        region: ISO 3166-1 alpha-2, such as "CN".
    """

    def __init__(self, region: str) -> None:
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise PlatformError(f"{region!r} is no region", todo="Give an ISO 3166 code, such as CN.")
        self.region = region
        code = phonenumbers.country_code_for_region(region)
        self._prefix = f"+{code}"
        self._mistakable = ("0", "+", str(code))
        self._writer = NationalWriter(code)

    def written(self, e164: str) -> list[str]:
        """Return the national number: bare, with its trunk prefix, and as libphonenumber formats it."""
        if not e164.startswith(self._prefix) or not _E164.fullmatch(e164):
            return []
        return self._writer.spellings(e164[len(self._prefix) :])

    def read(self, text: str) -> str | None:
        """Return the number, if libphonenumber reads it in the region and would write it so."""
        number = _parsed(text, self.region)
        if number is None or not phonenumbers.is_valid_number(number):
            return None
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        return e164 if text in self.written(e164) else None

    def readable(self, text: str) -> bool:
        """Return whether `read` can read it."""
        return self.read(text) is not None

    def unmistakable(self, text: str) -> bool:
        """Return whether it begins with neither a trunk prefix nor what passes for a country code."""
        return not text.startswith(self._mistakable)


class Keyed:
    """This form writes, in place of the number, HMAC-SHA-256 of its E.164 form with a secret key, in lower-case hex.

    A hash without a key is not offered: all numbers of a country can be hashed within the hour.

    Args:
        key: the secret, at least 16 bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES_MIN:
            raise PlatformError("the lookup key is too short", todo=f"Use at least {KEY_BYTES_MIN} random bytes.")
        self._key = key

    def written(self, e164: str) -> list[str]:
        """Return the one keyed string."""
        return [hmac.new(self._key, e164.encode(), hashlib.sha256).hexdigest()]

    def read(self, text: str) -> str | None:  # noqa: ARG002 - nothing can be read from it
        """Return None, because what is keyed cannot be read back."""
        return None

    def readable(self, text: str) -> bool:
        """Return whether the text has the form of such a string: 64 lower-case hex digits."""
        return re.fullmatch("[0-9a-f]{64}", text) is not None

    def unmistakable(self, text: str) -> bool:
        """Return True for any text, because it is one number's digest."""
        return bool(text)


class AnyOf:
    """This form is for a column with several forms side by side; the first form that reads a string decides."""

    def __init__(self, *forms: NumberForm) -> None:
        self._forms = forms

    def written(self, e164: str) -> list[str]:
        """Return what any of the forms writes."""
        return list(dict.fromkeys(text for form in self._forms for text in form.written(e164)))

    def read(self, text: str) -> str | None:
        """Return the number that the first form that can read the text reads."""
        return next((number for form in self._forms if (number := form.read(text)) is not None), None)

    def readable(self, text: str) -> bool:
        """Return whether a lookup by any of the forms could find the text."""
        return any(form.readable(text) for form in self._forms)

    def unmistakable(self, text: str) -> bool:
        """Return whether a form finds the text unmistakable, and no form takes bare digits for a country code."""
        bare = any(isinstance(form, International) and form.prefix == "" for form in self._forms)
        return not bare and any(form.unmistakable(text) for form in self._forms)


def usual_forms(region: str) -> NumberForm:
    """Return the forms that most stores of a region hold: `+86…`, `0086…`, and the national number in any spacing."""
    return AnyOf(International(), International("00"), National(region))


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
