"""This module says how an account store writes phone numbers, and finds E.164 numbers in it.

The hub speaks E.164 (ITU-T E.164, `+8613800138000`); stores rarely do. A form gives every string a number may be
stored as, so that a store is asked by equality, with its own index, and never scanned. For example, `National("CN")`
looks for `+8613800138000` as `13800138000`, `138 0013 8000` and `138-0013-8000`.

All forms keep two rules. A form reads a string only if it would also look that string up: a row that looks like a
number but is spelt in a way that is never looked for is unreadable, and counted; otherwise it would be a silent, false
"not bound". And a form reads a string only if it can be no other number: `hub.sdk.readings` says what a string tells.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

from hub.core.numbers import is_e164
from hub.errors import PlatformError
from hub.sdk.national import NationalWriter
from hub.sdk.readings import NumberForm, digits_of
from hub.sdk.slips import ABROAD, Slips

__all__ = ["AnyOf", "International", "Keyed", "National", "NumberForm", "usual_forms"]

_E164 = re.compile(r"\+[1-9][0-9]{3,14}")
_KEY = re.compile("[0-9a-f]{64}")
_TWO = re.compile("1[3-9][0-9]{2}[2-9][0-9]{6}")
CHINA = "+86"
KEY_BYTES_MIN = 16
"""A lookup key shorter than this can be guessed; then all numbers can be found, for there are only 10^10 of them."""


class International(NumberForm):
    """This form writes the country code first: `+8613800138000`, `008613800138000`, `8613800138000`.

    Bare digits without a region beside them (`AnyOf` with a `National`) are taken at their word: the country code is
    there. Only eleven digits that may as well be a Chinese mobile number without it are ambiguous, such as 13123456789,
    in North America +1 312 345 6789.

    Args:
        prefix: what stands in place of the plus: "+", "00", or "" for bare digits.
    """

    def __init__(self, prefix: str = "+") -> None:
        self.prefix = prefix

    def written(self, e164: str) -> list[str]:
        """Return the number's digits after the prefix."""
        return [self.prefix + e164[1:]] if _E164.fullmatch(e164) else []

    def own(self, text: str) -> Sequence[str]:
        """Return the number, if the string is the prefix and a valid number's digits."""
        if not text.startswith(self.prefix):
            return ()
        number = "+" + text[len(self.prefix) :]
        # libphonenumber has to judge: no notice names a number that was cut off, and bare national digits would pass
        # for another country's (13800138000 for +1 380 013 8000).
        return (number,) if is_e164(number) else ()

    def meant(self, text: str) -> Sequence[str]:
        """Return the Chinese mobile number that bare digits may be without their country code."""
        if self.prefix or not _is_two(text):
            return ()
        return (CHINA + text,) if is_e164(CHINA + text) else ()

    def slips(self, e164: str) -> Sequence[str]:
        """Return a Chinese mobile number without its country code, if digits are bare."""
        text = e164[len(CHINA) :]
        return (text,) if self.prefix == "" and e164.startswith(CHINA) and _is_two(text) else ()

    def unmistakable(self, text: str) -> bool:
        """Return whether the country code is marked as such."""
        return self.prefix != "" and text.startswith(self.prefix)


class National(NumberForm):
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
        self._slips = Slips(region)

    def written(self, e164: str) -> list[str]:
        """Return the national number: bare, with its trunk prefix, and as libphonenumber formats it."""
        if not e164.startswith(self._prefix) or not _E164.fullmatch(e164):
            return []
        return self._writer.spellings(e164[len(self._prefix) :])

    def own(self, text: str) -> Sequence[str]:
        """Return the number, if libphonenumber reads it in the region and would write it so."""
        if text[:1] == "+" or (text.startswith(ABROAD) and not self._slips.may_be_national(text)):
            return ()
        number = _parsed(text, self.region)
        if number is None or not phonenumbers.is_valid_number(number):
            return ()
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        if not e164.startswith(self._prefix):
            return ()
        return (e164,) if text in self._writer.spellings(e164[len(self._prefix) :]) else ()

    def may_write(self, digits: str) -> bool:
        """Return whether digits have the shape of a number as this form writes it."""
        return self._slips.may_be_national(digits)

    def meant(self, text: str) -> Sequence[str]:
        """Return what people of the region may have meant besides (`hub.sdk.slips`)."""
        return self._slips.meant(text)

    def slips(self, e164: str) -> Sequence[str]:
        """Return the texts by which people of the region may mean a number, although they are not its spelling."""
        return list(self._slips.texts(e164))

    def unmistakable(self, text: str) -> bool:
        """Return whether it begins with neither a trunk prefix nor what passes for a country code."""
        return not self._slips.drops_zeros and not text.startswith(self._mistakable)


class Keyed(NumberForm):
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

    def own(self, text: str) -> Sequence[str]:  # noqa: ARG002 - nothing can be read from it
        """Return nothing, because what is keyed cannot be read back."""
        return ()

    def is_key(self, text: str) -> bool:
        """Return whether the text has the form of such a string: 64 lower-case hex digits."""
        return _KEY.fullmatch(text) is not None

    def unmistakable(self, text: str) -> bool:
        """Return True for any text, because it is one number's digest."""
        return bool(text)


class AnyOf(NumberForm):
    """This form is for a column with several forms side by side.

    A text that one form reads is ambiguous if another form reads it as another number, or people may mean another.
    """

    def __init__(self, *forms: NumberForm) -> None:
        self._forms: list[NumberForm] = []
        for one in forms:
            self._forms += one._forms if isinstance(one, AnyOf) else [one]
        self._homes = [one for one in self._forms if isinstance(one, National)]
        self._keys = [one for one in self._forms if isinstance(one, Keyed)]
        self._bare = any(isinstance(one, International) and one.prefix == "" for one in self._forms)
        # Beside a region's national numbers, it is these that bare digits may be instead, and no other region's.
        self._meaning = [one for one in self._forms if not (self._homes and isinstance(one, International))]

    def written(self, e164: str) -> list[str]:
        """Return what any of the forms writes."""
        return list(dict.fromkeys(text for form in self._forms for text in form.written(e164)))

    def own(self, text: str) -> Sequence[str]:
        """Return the numbers that the forms write so, in the order of the forms."""
        return [number for form in self._forms for number in form.own(text)]

    def meant(self, text: str) -> Sequence[str]:
        """Return what people may have meant by the text, of all the forms."""
        meant = [number for form in self._meaning for number in form.meant(text)]
        if self._bare and self._homes and text[:1] != "+" and not text.isdigit():
            number = "+" + digits_of(text)  # a country code and spaces
            meant += [number] if is_e164(number) else []
        return meant

    def slips(self, e164: str) -> Sequence[str]:
        """Return the slips of all the forms."""
        slips = [text for form in self._meaning for text in form.slips(e164)]
        if self._bare and any(home.may_write(e164[1:]) for home in self._homes):
            slips.append(e164[1:])
        return slips

    def is_key(self, text: str) -> bool:
        """Return whether the text is a key in any of the forms."""
        return bool(self._keys) and any(form.is_key(text) for form in self._keys)

    def unmistakable(self, text: str) -> bool:
        """Return whether a form finds the text unmistakable, and no form takes bare digits for a country code."""
        if self._bare or (self._homes and text.startswith(ABROAD)):
            return False
        return any(form.unmistakable(text) for form in self._forms)


def usual_forms(region: str) -> NumberForm:
    """Return the forms that most stores of a region hold: `+86…`, `0086…`, and the national number in any spacing."""
    return AnyOf(International(), International("00"), National(region))


def _is_two(text: str) -> bool:
    """Return whether digits have the shape of a Chinese mobile number and of a North American one with its code."""
    return _TWO.fullmatch(text) is not None


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
