"""This module checks phone numbers with libphonenumber, finds them in operators' ranges, and hides them in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import phonenumbers

NUMBER_CACHE = 65_536
NUMBER_MAX = 16
"""The length of the plus sign and fifteen digits (ITU-T E.164)."""

DIGITS = re.compile(r"0(?:[\W_]*0){6,}")
"""Seven digits or more, with anything but letters between them: fewer digits cannot be dialled."""


def is_e164(number: str) -> bool:
    """Return whether libphonenumber calls a number valid and its E.164 form (ITU-T E.164) is exactly this string."""
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
    """Return whether a number begins with one of an operator's prefixes."""
    return number.startswith(tuple(ranges))


def without_numbers(text: str) -> str:
    """Return what a person wrote, with `#` in place of anything that may be a phone number.

    That is seven digits or more with only spaces and punctuation between them. The digits may be of any script: also
    full-width, Arabic-Indic, encircled or Chinese. For example, "call 138 0013 8000" becomes "call #".
    """
    digits = "".join("0" if one.isnumeric() else one for one in text)  # same length, so places agree
    found, at = [], 0
    for run in DIGITS.finditer(digits):
        found += [text[at : run.start()], "#"]
        at = run.end()
    return "".join((*found, text[at:]))
