"""Every number on a page equals the API's."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests import plain_http
from tests.dashboard.answers import NUMBER
from tests.dashboard.browser import EMPTY_PAGES, PAGES, visit
from tests.dashboard.figures import at, differences, work_out
from tests.dashboard.simulator import Simulator
from tests.dashboard.world import World

FEWEST = {"overview": 40, "platforms": 100, "platform": 50, "blind-spots": 60, "operators": 50, "case": 30}
FEWEST |= {"pipeline": 20}
MEASURES = ("coverage", "safe", "lag", "mix")


def asking(sim: Simulator, token: str = "sim-auditor") -> Any:
    """Ask the API by path; `lookup` is the question of a number."""
    headers = {"Authorization": f"Bearer {token}"}

    def ask(path: str) -> Any:
        if path == "lookup":
            return plain_http.post(f"{sim.url}/v1/cases/lookup", json={"number": NUMBER}, headers=headers).json()
        return plain_http.get(f"{sim.url}{path}", headers=headers).raise_for_status().json()

    return ask


@pytest.mark.parametrize("where", PAGES)
def test_every_figure_is_the_apis(browser: Browser, sim: Simulator, where: str) -> None:
    """Every figure of a page, shares and sums too, is what the API's JSON comes to."""
    with visit(browser, sim.url) as one:
        one.go(where)
        figures, wrong = differences(one.page, asking(sim))
        assert wrong == []
        assert figures >= FEWEST[where.partition("/")[0]]


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_of_the_heat_map_is_the_apis(browser: Browser, sim: Simulator, measure: str) -> None:
    """The heat map's table shows the API's cells, whichever measure is looked at."""
    with visit(browser, sim.url) as one:
        one.go("platforms")
        one.page.select_option("select[name=measure]", measure)
        one.page.select_option("select[name=days]", "30")
        one.until("document.querySelectorAll('[data-key=a-heat] th').length > 31")
        one.settle()
        assert differences(one.page, asking(sim))[1] == []


def test_a_number_that_was_looked_up_shows_the_apis_figures(browser: Browser, sim: Simulator) -> None:
    """A case found by its number has the figures of the answer to that question."""
    with visit(browser, sim.url) as one:
        one.go("case")
        one.page.fill("input[name=asked]", NUMBER)
        one.page.click("form[data-do=find] button")
        one.page.wait_for_selector("main article")
        figures, wrong = differences(one.page, asking(sim))
        assert (figures > 30, wrong) == (True, [])


def test_an_empty_hub_has_the_apis_figures_too(browser: Browser) -> None:
    """Where there is nothing, noughts and nothing else are shown, and no share of nothing."""
    sim = Simulator(World(cases=0))
    sim.start()
    with visit(browser, sim.url) as one:
        for where in EMPTY_PAGES:
            one.go(where)
            assert differences(one.page, asking(sim))[1] == [], where
            assert "NaN" not in one.text()
    sim.stop()


def test_a_wrong_figure_is_found(browser: Browser, sim: Simulator) -> None:
    """The comparison can fail: a figure that is off by one is named."""
    with visit(browser, sim.url) as one:
        one.page.evaluate("document.querySelector('.hero b .num').dataset.value -= 1")
        assert len(differences(one.page, asking(sim))[1]) == 1


def test_expressions_are_worked_out() -> None:
    """Paths, sums over lists, and fractions come to what they say."""
    document = {"a": {"B": 4, "C": 2}, "l": [{"n": 3, "m": None}, {"n": 5, "m": 1}], "none": None}
    assert work_out(document, "a.B / a.C") == 2
    assert work_out(document, "(a.B - a.C) / l.1.n") == 0.4
    assert work_out(document, "sum(l.*.n)") == 8
    assert work_out(document, "sum(a)") == 6
    assert work_out(document, "len(l)") == 2
    assert work_out(document, "max(l.*.n)") == 5
    assert work_out(document, "a.B / a.MISSING") is None
    assert work_out(document, "none / 24") is None
    with pytest.raises(AssertionError, match="no missing"):
        at(document, "a.missing")
