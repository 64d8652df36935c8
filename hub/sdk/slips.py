"""This module knows how people of a region write a number that their form does not write so.

They leave out the plus before their own country code, dial the code for calls abroad as at home, or lose a leading
zero. Such a text matters where it is another number too. For example, in Germany `4915123459160` is meant as
+49 15123459160, and in Korea, where one may dial 001 for abroad, `0016561234567` as +65 61234567.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata

from hub.core.numbers import NUMBER_MAX, is_e164
from hub.sdk.readings import digits_of

ABROAD = "00"
"""This stands before a country code in most of the world (ITU-T E.123)."""

ABROAD_DIGITS_MAX = 5
"""No code for calls abroad that is looked for has more digits; longer ones choose a carrier, and nobody stores them."""

CODE_DIGITS_MAX = 3


class Slips:
    """These are the slips of one region.

    Args:
        region: ISO 3166-1 alpha-2, such as "CN".
    """

    def __init__(self, region: str) -> None:
        metadata = PhoneMetadata.metadata_for_region(region)
        assert metadata is not None, "the region is supported"
        assert metadata.general_desc is not None, "a region has numbers"
        self._code = str(metadata.country_code)
        self._trunk = metadata.national_prefix or ""
        general = metadata.general_desc
        self._whole = re.compile(general.national_number_pattern or "")
        self._digits_max = max(general.possible_length) + len(self._trunk)
        self._abroad = _codes_for_abroad(metadata.international_prefix or ABROAD)
        self._starts = (self._code, *self._abroad)
        # Gabon wrote a zero before its numbers and then made it part of them, so one without it may be either.
        self.drops_zeros = not self._trunk and bool(metadata.national_prefix_for_parsing)

    def may_be_national(self, digits: str) -> bool:
        """Return whether digits have the shape of a national number, with or without the trunk prefix."""
        if len(digits) > self._digits_max:
            return False
        if self._whole.fullmatch(digits):
            return True
        return digits.startswith(self._trunk) and self._whole.fullmatch(digits[len(self._trunk) :]) is not None

    def meant(self, text: str) -> list[str]:
        """Return the valid numbers that people of the region may have meant by a text that is no plain spelling."""
        if text[:1] == "+":
            return []
        digits = text if text.isdigit() else digits_of(text)
        if not self.drops_zeros and not digits.startswith(self._starts):
            return []
        found = []
        if digits.startswith(self._code):
            found.append("+" + digits)
        if digits.startswith(self._abroad):
            found += ["+" + digits[len(one) :] for one in self._abroad if digits.startswith(one)]
        if self.drops_zeros and self._whole.fullmatch("0" + digits):
            found.append(f"+{self._code}0{digits}")
        return [one for one in found if is_e164(one)]

    def texts(self, e164: str) -> Iterator[str]:
        """Yield the slips of a number, as digits, that may be a number in another way too."""
        digits = e164[1:]
        if digits.startswith(self._code):
            if self.may_be_national(digits):
                yield digits
            if self.drops_zeros and digits.startswith("0", len(self._code)):
                yield digits[len(self._code) + 1 :]
        for code in self._abroad:
            text = code + digits
            if (code != ABROAD and may_be_number(text[len(ABROAD) :])) or self.may_be_national(text):
                yield text


def may_be_number(digits: str) -> bool:
    """Return whether digits begin with a country code and are as many as its numbers have."""
    lengths = _lengths(digits[:CODE_DIGITS_MAX])
    return len(digits) < NUMBER_MAX and len(digits) in lengths


@lru_cache(maxsize=1_000)
def _lengths(start: str) -> frozenset[int]:
    """Return how many digits numbers with a country code have that begins so, the code's included."""
    for size in range(1, CODE_DIGITS_MAX + 1):
        code = int(start[:size] or 0)
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code)
        if regions is not None:
            found = [PhoneMetadata.metadata_for_region_or_calling_code(code, one) for one in regions]
            generals = [one.general_desc for one in found if one is not None]
            return frozenset(size + count for one in generals if one is not None for count in one.possible_length)
    return frozenset()


@lru_cache(maxsize=1_000)
def _codes_for_abroad(pattern: str) -> tuple[str, ...]:
    """Return "00" and every code for calls abroad that fits a pattern and that a number written with "00" may hide."""
    wanted, found = re.compile(pattern), [ABROAD]
    for size in range(ABROAD_DIGITS_MAX - len(ABROAD) + 1):
        texts = (f"{ABROAD}{one:0{size}d}" for one in range(10**size)) if size else ()
        found += [one for one in texts if wanted.fullmatch(one)]
    if pattern.isdigit() and pattern not in found:
        found.append(pattern)
    return tuple(found)
