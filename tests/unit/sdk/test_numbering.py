"""How stores write numbers: what is looked up, what is read, and that the two never disagree."""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.numbers import is_e164
from hub.errors import PlatformError
from hub.sdk.numbering import AnyOf, International, Keyed, National, NumberForm, usual_forms

MOBILE = "+8613800138000"
FIXED = "+862087654321"
KEY = b"0123456789abcdef"
FORMS: dict[str, NumberForm] = {
    "plus": International(),
    "zeros": International("00"),
    "digits": International(""),
    "china": National("CN"),
    "britain": National("GB"),
    "italy": National("IT"),
    "usual": usual_forms("CN"),
}


@pytest.mark.parametrize(
    ("form", "number", "written"),
    [
        (International(), MOBILE, ["+8613800138000"]),
        (International("00"), MOBILE, ["008613800138000"]),
        (International(""), MOBILE, ["8613800138000"]),
        (National("CN"), MOBILE, ["13800138000", "138 0013 8000", "138-0013-8000"]),
        (National("CN"), FIXED, ["2087654321", "02087654321", "020 8765 4321", "020-8765-4321"]),
        (National("CN"), "+85291234567", []),
        (National("GB"), "+447911123456", ["7911123456", "07911123456", "07911 123456", "07911-123456"]),
        (National("IT"), "+390612345678", ["0612345678", "06 1234 5678", "06-1234-5678"]),
        (Keyed(KEY), MOBILE, [hmac.new(KEY, b"+8613800138000", hashlib.sha256).hexdigest()]),
        (AnyOf(International(), International()), MOBILE, ["+8613800138000"]),
    ],
)
def test_a_number_is_looked_up_in_every_way_it_may_be_written(
    form: NumberForm, number: str, written: list[str]
) -> None:
    """Each form names every string a number may be stored as, and none for a number it cannot hold."""
    assert form.written(number) == written


@pytest.mark.parametrize(
    ("form", "text", "number"),
    [
        (International(), "+8613800138000", MOBILE),
        (International("00"), "008613800138000", MOBILE),
        (International(""), "8613800138000", MOBILE),
        (National("CN"), "13800138000", MOBILE),
        (National("CN"), "138 0013 8000", MOBILE),
        (National("CN"), "138-0013-8000", MOBILE),
        (National("CN"), "02087654321", FIXED),
        (usual_forms("CN"), "138 0013 8000", MOBILE),
        (usual_forms("CN"), "008613800138000", MOBILE),
        (usual_forms("CN"), "+85291234567", "+85291234567"),
    ],
)
def test_what_is_written_is_read(form: NumberForm, text: str, number: str) -> None:
    """A stored string gives the number it stands for."""
    assert form.read(text) == number
    assert form.readable(text)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (International(), "13800138000"),
        (International(), "+861380013800"),  # one digit short
        (International(), "+86 13800138000"),
        (International(), " +8613800138000"),
        (International("00"), "0013800138000"),
        (International(""), "13800138000"),  # would be +1 380 013 8000
        (National("CN"), "+8613800138000"),
        (National("CN"), "1380013800"),
        (National("CN"), "1380-0138-000"),
        (National("CN"), "138００138000"),  # full-width digits
        (National("CN"), "13800138000 "),
        (National("CN"), "unknown"),
        (National("CN"), ""),
        (Keyed(KEY), "13800138000"),
        (Keyed(KEY), "A" * 64),
        (usual_forms("CN"), "1380013800"),
    ],
)
def test_what_nobody_would_look_for_is_unreadable(form: NumberForm, text: str) -> None:
    """A number cut off, or spelt in a way no lookup asks for, is counted and never passed over as "not bound"."""
    assert form.read(text) is None
    assert not form.readable(text)


def test_what_is_keyed_cannot_be_read_back() -> None:
    """A keyed store is found in by equality alone; its rows are readable as keys and name no number."""
    (text,) = Keyed(KEY).written(MOBILE)
    assert Keyed(KEY).readable(text)
    assert Keyed(KEY).read(text) is None
    assert Keyed(b"another key 0123").written(MOBILE) != [text]


def test_a_short_key_is_refused() -> None:
    """A key that can be guessed protects no number."""
    with pytest.raises(PlatformError, match="too short"):
        Keyed(b"0123456789abcde")


def test_an_unknown_region_is_refused() -> None:
    """A misspelt region is an error at once, and not a store in which nothing is found."""
    with pytest.raises(PlatformError, match="region"):
        National("China")


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None)
@given(number=st.from_regex(r"\+(86(1[3-9][0-9]{9}|20[2-8][0-9]{7})|4479[0-9]{8}|390[2-6][0-9]{8})", fullmatch=True))
def test_a_form_reads_what_it_writes(name: str, number: str) -> None:
    """Whatever a valid number is looked up as, a row written so gives that number back."""
    for text in FORMS[name].written(number) if is_e164(number) else ():
        assert FORMS[name].read(text) == number


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None)
@given(text=st.text("+0123456789 -()", max_size=18) | st.from_regex(r"(\+86|0086|86|0)?1[3-9][0-9]{9}", fullmatch=True))
def test_a_form_reads_only_what_it_would_look_up(name: str, text: str) -> None:
    """Every string that reads is one that a lookup of its number asks for, so no readable row is missed."""
    number = FORMS[name].read(text)
    assert number is None or text in FORMS[name].written(number)


def _examples(region: str) -> Iterator[str]:
    """Valid numbers of a region: libphonenumber's own examples with other digits behind the first two."""
    rng = random.Random(region)
    code = phonenumbers.country_code_for_region(region)
    for kind in range(11):
        example = phonenumbers.example_number_for_type(region, kind)
        bare = "" if example is None else phonenumbers.national_significant_number(example)
        for _ in range(4 if bare else 0):
            e164 = f"+{code}{bare[:2]}" + "".join(rng.choice("0123456789") for _ in bare[2:])
            if is_e164(e164):
                yield e164


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_numbers_are_spelt_as_libphonenumber_spells_them(region: str) -> None:
    """The quick way of spelling a number comes to what the library itself writes, in every region there is."""
    for e164 in _examples(region):
        number = phonenumbers.parse(e164, None)
        formatted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        digits = "".join(one for one in formatted if one.isdigit())
        bare = phonenumbers.national_significant_number(number)
        expected = dict.fromkeys([bare, digits, formatted, formatted.replace(" ", "-")])
        assert National(region).written(e164) == list(expected)
