"""Phone numbers: what libphonenumber calls valid, and who assigns them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import phonenumbers

NUMBER_CACHE = 65_536
NUMBER_MAX = 16
"""The plus sign and fifteen digits (ITU-T E.164)."""


def is_e164(number: str) -> bool:
    """Whether libphonenumber calls it valid and its E.164 form (ITU-T E.164) is the very same string."""
    return len(number) <= NUMBER_MAX and _is_e164(number)


@lru_cache(maxsize=NUMBER_CACHE)
def _is_e164(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    if not phonenumbers.is_valid_number(parsed):
        return False
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number


def in_ranges(number: str, ranges: Iterable[str]) -> bool:
    """Whether a number begins with one of an operator's prefixes."""
    return number.startswith(tuple(ranges))
