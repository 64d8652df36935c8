"""What `unbind-hub platform check` says of the numbers of a table."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hub.platform.assembly import store_of
from hub.platform.checking import Finding, Verdict, numbers
from hub.platform.config import read_config

TWO = "4915123459160"
SHAPE = "#############: +49############# or +49###########"


def found_in(folder: Path, form: str, rows: list[str]) -> list[Finding]:
    """What is found in a table of these rows, whose numbers are said to be written so."""
    with sqlite3.connect(folder / "app.sqlite") as app:
        app.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT)")
        app.executemany("INSERT INTO users (phone) VALUES (?)", [(one,) for one in rows])
    text = f"""
platform: panbox
key: {{id: panbox-1, file: panbox.pem}}
hub: {{bootstrap_servers: "127.0.0.1:9", hub_id: local-hub}}
store:
  sql:
    url: sqlite:///app.sqlite
    table: users
    columns: {{account_id: id, number: phone}}
    numbers: {form}
"""
    config = read_config(text, folder=folder)
    return list(numbers(store_of(config, make_tables=False).readability(), config))


def test_ambiguous_rows_are_counted_and_shown_without_digits(tmp_path: Path) -> None:
    """How many numbers may be one of several, what they look like, and what to do; no digit of anybody's number."""
    wrong, two = found_in(tmp_path, "{region: DE}", [TWO, "015123459160", "015123459161"])
    assert (wrong.verdict, wrong.what) == (Verdict.WRONG, "1 of 3 numbers cannot be read")
    assert (two.verdict, two.what) == (Verdict.CARE, f"1 of these may be one of several numbers, such as {SHAPE}")
    assert "+ and the country code" in two.todo
    assert TWO[2:] not in str((wrong, two))


def test_below_the_limit_it_is_for_a_person_to_look_at(tmp_path: Path) -> None:
    """A few such rows among many keep nobody from running."""
    rows = [f"0151234{place:05d}" for place in range(200)]
    assert [one.verdict for one in found_in(tmp_path, "{region: DE}", [TWO, *rows])] == [Verdict.CARE, Verdict.CARE]


@pytest.mark.parametrize("rows", [["+4915123459160"], ["015123459160", "004915123459160"]])
def test_an_ordinary_table_has_nothing_to_look_at(tmp_path: Path, rows: list[str]) -> None:
    """Rows that can be one number only are fine."""
    assert found_in(tmp_path, "{region: DE}", rows) == []


def test_bare_digits_without_a_region_are_pointed_out(tmp_path: Path) -> None:
    """Rows that are taken at their word are fine, and a person is told that they are."""
    (care,) = found_in(tmp_path, '{international: [""]}', [TWO])
    assert (care.verdict, "no region is said" in care.what) == (Verdict.CARE, True)
