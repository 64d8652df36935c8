"""What people wrote is shown and kept without phone numbers, however they wrote them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.model import AcceptedReport, ReportKind, Source
from hub.core.numbers import without_numbers
from hub.core.reports import reported_numbers, unknown_name

WRITTEN = [
    "13512345678",
    "135 1234 5678",
    "135-1234-5678",
    "+86 135.1234.5678",
    "(0086) 135 / 1234 / 5678",
    "1.3.5.1.2.3.4.5.6.7.8",
    "135\u200b1234\u200b5678",
    "135_1234_5678",
    "１３５１２３４５６７８",
    "１３５　１２３４　５６７８",
    "١٣٥١٢٣٤٥٦٧٨",
    "۱۳۵-۱۲۳۴-۵۶۷۸",
    "①③⑤①②③④⑤⑥⑦⑧",
    "一三五 一二三四 五六七八",
    "010 8765432",
]


@pytest.mark.parametrize("number", WRITTEN)
def test_a_number_is_hidden_in_every_way_people_write_it(number: str) -> None:
    """Of a name with a number in it the words stay and the number does not, also in the form names are compared in."""
    left = without_numbers(f"丢号 {number}, Shop")
    assert left.replace("+", "").replace("(", "") == "丢号 #, Shop"
    assert unknown_name(f"丢号 {number}, Shop").endswith("#,shop")
    assert sum(one.isnumeric() for one in unknown_name(number)) == 0


@pytest.mark.parametrize(
    "text", ["12306", "Shop 24/7", "58同城", "4399 Games 2048", "三六零", "acks 3-7: value of 65 bytes, 64"]
)
def test_names_with_a_few_digits_stay_as_they_are(text: str) -> None:
    """Digits that cannot be a number are a name's own."""
    assert without_numbers(text) == text


@given(st.text(max_size=80), st.text("0123456789٣３⑤五 -./", max_size=40), st.text())
def test_no_seven_digits_in_a_row_are_left(before: str, written: str, after: str) -> None:
    """Whatever is written, no seven digits follow one another with only punctuation between, in any script."""
    left = without_numbers(before + written + after)
    row = 0
    for one in left:
        row = row + 1 if one.isnumeric() else 0 if one.isalpha() else row
        row = 0 if one == "#" else row
        assert row < 7
    assert without_numbers(left) == left


def test_reports_of_one_name_count_together_whatever_number_stands_in_it() -> None:
    """The number somebody wrote beside an unknown platform's name neither shows nor makes another platform of it."""
    rest = (ReportKind.STILL_BOUND, None, 1, 1, None)
    reports = [
        AcceptedReport(Source(0, at), bytes(16), "north", f"+861351234567{at}", None, name, *rest)
        for at, name in enumerate(["某店 135 1234 5670", "某店 13512345671", "某店"])
    ]
    assert {name: len(found) for name, found in reported_numbers(reports).items()} == {"某店#": 2, "某店": 1}
