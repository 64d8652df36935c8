"""What a stored text tells of its number, over every region of libphonenumber: never another number than was meant."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat, format_number, national_significant_number

from hub.core.numbers import is_e164
from hub.sdk.numbering import AnyOf, International, Keyed, National, NumberForm, usual_forms
from hub.sdk.readings import FOUND, Told, shape

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = 11
"""libphonenumber numbers its types from 0 (fixed line) to 10 (voice mail)."""

LOOSE = ("DE", "GA", "ID", "JP", "KR", "SE", "XK")
"""In these regions a text is ambiguous more often than elsewhere."""

STRANGERS = 20
GERMAN_MOBILE, GERMAN_LAND_LINE, GERMAN_TEXT = "+4915123459160", "+494915123459160", "4915123459160"


def _e164(number: PhoneNumber) -> str:
    return str(format_number(number, PhoneNumberFormat.E164))


def _national(number: PhoneNumber) -> str:
    return str(format_number(number, PhoneNumberFormat.NATIONAL))


def _international(number: PhoneNumber) -> str:
    return str(format_number(number, PhoneNumberFormat.INTERNATIONAL))


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdigit())


def _code_for_abroad(region: str) -> str:
    """What people of a region dial before a country code; where they may choose, what libphonenumber prefers."""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    pattern = metadata.international_prefix or "00"
    return _digits(metadata.preferred_international_prefix or (pattern if pattern.isdigit() else "00"))


Way = Callable[[PhoneNumber, str], str]

WITH_A_MARK: dict[str, Way] = {
    "+": lambda number, _: _e164(number),
    "00": lambda number, _: "00" + _e164(number)[1:],
    "dialled from home": lambda number, home: _code_for_abroad(home) + _e164(number)[1:],
    "+ and spaces": lambda number, _: _international(number),
    "+ and (0)": lambda number, _: _international(number).replace(" ", " (0)", 1),
    "00 and spaces": lambda number, _: "00" + _international(number)[1:],
    "as a link": lambda number, _: str(format_number(number, PhoneNumberFormat.RFC3966)),
}
"""Something before the country code says that it is one."""

BARE_CODE: dict[str, Way] = {
    "country code": lambda number, _: _e164(number)[1:],
    "country code and spaces": lambda number, _: _international(number)[1:],
}
NATIONAL: dict[str, Way] = {
    "national": lambda number, _: str(national_significant_number(number)),
    "with its trunk prefix": lambda number, _: _digits(_national(number)),
    "formatted": lambda number, _: _national(number),
    "hyphens": lambda number, _: _national(number).replace(" ", "-"),
    "a whole number": lambda number, _: str(int(national_significant_number(number))),
}
WAYS = WITH_A_MARK | BARE_CODE | NATIONAL


class Text(NamedTuple):
    """A text, and what it was written from."""

    number: str
    way: str
    text: str


@cache
def _numbers(region: str, more: int = 0) -> dict[str, PhoneNumber]:
    """libphonenumber's example numbers of every type, and `more` valid ones like each, by seed."""
    found, rng = {}, random.Random(region)
    for kind in range(KINDS):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        found[_e164(example)] = example
        bare = national_significant_number(example)
        for _ in range(more):
            e164 = f"+{example.country_code}{bare[:2]}" + "".join(rng.choice("0123456789") for _ in bare[2:])
            if is_e164(e164):
                found[e164] = phonenumbers.parse(e164, None)
    return found


def _texts(numbers: Iterable[PhoneNumber], home: str, ways: dict[str, Way]) -> Iterator[Text]:
    for number in numbers:
        e164 = _e164(number)
        yield from (Text(e164, name, way(number, home)) for name, way in ways.items() if is_e164(e164))


def _wrong(form: NumberForm, texts: Iterable[Text]) -> list[tuple[Text, str]]:
    """Return the texts that are read as another number than they were written from."""
    read = ((one, form.read(one.text)) for one in texts)
    return [(one, number) for one, number in read if number not in (None, one.number)]


def _everybody() -> list[PhoneNumber]:
    return [number for region in REGIONS for number in _numbers(region).values()]


def _with_bare_codes(region: str) -> NumberForm:
    return AnyOf(International(), International("00"), National(region), International(""))


def _walk(more: int, strangers: int) -> None:
    everybody = _everybody()
    wrong: list[tuple[str, Text, str]] = []
    asked = 0
    for place, region in enumerate(REGIONS):
        abroad: Sequence[PhoneNumber] = everybody[place % len(everybody) :: max(1, len(everybody) // strangers)]
        home = list(_texts(_numbers(region, more).values(), region, WAYS))
        marked = list(_texts(abroad, region, WITH_A_MARK))
        bare = list(_texts(abroad, region, BARE_CODE))
        forms: dict[str, tuple[NumberForm, list[Text]]] = {
            "plus": (International(), home),
            "zeros": (International("00"), home),
            "keyed": (Keyed(b"0123456789abcdef"), home),
            "national": (National(region), home + marked),
            "usual": (usual_forms(region), home + marked),
            "with bare codes": (_with_bare_codes(region), home + marked + bare),
        }
        for name, (form, texts) in forms.items():
            asked += len(texts)
            wrong += [(f"{name} {region}", *one) for one in _wrong(form, texts)]
    assert asked > len(REGIONS) * len(WAYS)
    assert not wrong, f"{len(wrong)} of {asked}: {wrong[:10]}"


def test_no_text_is_read_as_another_number() -> None:
    """Whatever region, type and way of writing: a text is read as the number it was written from, or is not read."""
    _walk(more=0, strangers=STRANGERS)


@pytest.mark.soak
def test_no_text_is_read_as_another_number_at_length() -> None:
    """The same over numbers like the examples, and with every example of the world in every region's table."""
    _walk(more=8, strangers=len(_everybody()))


def test_bare_country_codes_are_taken_at_their_word_but_for_china() -> None:
    """Digits with a country code before them are read so, unless they may be a Chinese mobile number without it."""
    form = International("")
    assert not _wrong(form, _texts(_everybody(), "CN", WITH_A_MARK | BARE_CODE))
    rng = random.Random(8)
    mobiles = [phonenumbers.parse(f"+861{rng.randrange(3 * 10**9, 10**10)}", None) for _ in range(200)]
    texts = list(_texts(mobiles, "CN", WAYS))
    assert not _wrong(form, texts)
    told = {form.reading(one.text).told for one in texts if one.way == "national"}
    assert told == {Told.AMBIGUOUS, Told.UNREADABLE}
    assert {form.reading(one.text).told for one in texts if one.way == "country code"} == {Told.READ}


def test_each_of_an_ambiguous_texts_numbers_is_looked_up_by_it() -> None:
    """No number that a text may be is said to be not bound without the text having been looked for."""
    ambiguous = 0
    for place, region in enumerate(sorted({*REGIONS[::4], *LOOSE})):
        form = _with_bare_codes(region)
        for table in (form, usual_forms(region), National(region)):
            texts = [*_texts(_numbers(region).values(), region, WAYS)]
            texts += _texts(_everybody()[place::50], region, BARE_CODE | WITH_A_MARK)
            for one in texts:
                found = table.reading(one.text)
                ambiguous += found.told is Told.AMBIGUOUS
                for number in found.numbers:
                    assert one.text in table.sought(number), (region, one, found)
                assert not table.unmistakable(one.text) or found.told in (Told.READ, Told.UNREADABLE), (region, one)
    assert ambiguous > 100


@pytest.mark.parametrize(
    ("form", "text", "numbers"),
    [
        (National("DE"), GERMAN_TEXT, (GERMAN_LAND_LINE, GERMAN_MOBILE)),
        (usual_forms("DE"), GERMAN_TEXT, (GERMAN_LAND_LINE, GERMAN_MOBILE)),
        (National("ID"), "62218350123", ("+6262218350123", "+62218350123")),
        (National("SE"), "461328177", ("+46461328177", "+461328177")),
        (National("XK"), "38343201234", ("+38338343201234", "+38343201234")),
        (AnyOf(National("CN"), International("")), "13123456789", ("+8613123456789", "+13123456789")),
        (International(""), "13123456789", ("+13123456789", "+8613123456789")),
        (usual_forms("KR"), "0016562234567", ("+16562234567", "+6562234567")),
        (National("GA"), "6031234", ("+2416031234", "+24106031234")),
    ],
)
def test_a_text_with_two_readings_is_ambiguous(form: NumberForm, text: str, numbers: tuple[str, ...]) -> None:
    """A spelling with two valid readings is said to be that, and is read as neither."""
    assert form.reading(text) == (Told.AMBIGUOUS, numbers)
    assert form.read(text) is None
    assert not form.readable(text)


@pytest.mark.parametrize(
    ("form", "text", "number"),
    [
        (National("DE"), "0" + GERMAN_TEXT, GERMAN_LAND_LINE),
        (National("DE"), "015123459160", GERMAN_MOBILE),
        (usual_forms("DE"), GERMAN_MOBILE, GERMAN_MOBILE),
        (International(""), GERMAN_TEXT, GERMAN_MOBILE),
        (AnyOf(National("US"), International("")), "13123456789", "+13123456789"),
        (AnyOf(usual_forms("US"), International("")), "13123456789", "+13123456789"),
        (usual_forms("CN"), "13123456789", "+8613123456789"),
        (AnyOf(National("CN"), International("")), "8613123456789", "+8613123456789"),
    ],
)
def test_a_form_that_tells_the_country_apart_reads_on(form: NumberForm, text: str, number: str) -> None:
    """Whoever says which form the rows have, or writes what tells it, has nothing ambiguous."""
    assert form.reading(text) == (Told.READ, (number,))


def test_ordinary_tables_are_not_ambiguous() -> None:
    """E.164 with its plus is read everywhere, and a Chinese table of national numbers whole."""
    for region in REGIONS:
        form = _with_bare_codes(region)
        assert all(form.read(number) == number for number in _numbers(region) if is_e164(number))
    rng, form = random.Random(86), usual_forms("CN")
    numbers = [one for _ in range(400) if is_e164(one := f"+861{rng.randrange(3 * 10**9, 10**10)}")]
    assert len(numbers) > 200
    for number in numbers:
        assert [form.read(text) for text in form.written(number)] == [number] * len(form.written(number))
        assert form.sought(number) == form.written(number)


def test_a_number_is_stored_by_its_plainest_spelling() -> None:
    """Where a number is written into a table, it is by a text that is read as it, if there is one."""
    assert National("DE").plainest(GERMAN_LAND_LINE) == "0" + GERMAN_TEXT
    assert National("DE").plainest(GERMAN_MOBILE) == "15123459160"
    assert AnyOf(National("CN"), International("")).plainest("+13123456789") == "13123456789"
    assert National("CN").plainest("+13123456789") is None


def test_a_shape_shows_no_digit_of_a_person() -> None:
    """Of an ambiguous number only its length and the country codes are shown."""
    shown = shape(GERMAN_TEXT, National("DE").reading(GERMAN_TEXT))
    assert shown == "#############: +49############# or +49###########"


def test_every_word_says_whether_a_lookup_finds() -> None:
    """What is not found by a lookup, or not for one number alone, is counted as unreadable."""
    assert {one for one in Told if not FOUND[one]} == {Told.UNREADABLE, Told.AMBIGUOUS}
    assert set(FOUND) == set(Told)
