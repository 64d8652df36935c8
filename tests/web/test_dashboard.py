"""The dashboard of a real run, in a real browser: what it shows is what the API says, and it moves by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from hub.core.model import EventType, Role
from tests.broker.scene import event, mobile_numbers
from tests.dashboard.browser import Visit, a_browser, visit
from tests.dashboard.checks import grave, must_be_whole
from tests.dashboard.figures import differences
from tests.web.running import NORTH, Web

pytestmark = pytest.mark.broker

FEWEST = {"overview": 30, "platforms": 20, "platform/bank": 20, "blind-spots": 5, "operators": 10}
FEWEST |= {"operators/north": 20}
PAGES = (*FEWEST, "pipeline")
CASE_FIGURES_MIN = 10
STILL_S = 30.0
FROZEN = 22


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for this module."""
    with a_browser() as one:
        yield one


def asking(web: Web, role: Role, number: str | None = None) -> Any:
    """Ask the API by path; `lookup` is the question of a number."""

    def ask(path: str) -> Any:
        if path == "lookup":
            return web.post(role, "/v1/cases/lookup", {"number": number})
        return web.get(role, path)

    return ask


def same(one: Visit, ask: Any) -> int:
    """How many figures a page has, once they are all the API's: the hub lives, so a look may fall between two."""
    until = time.monotonic() + STILL_S
    while True:
        one.settle()
        figures, wrong = differences(one.page, ask)
        if not wrong:
            return figures
        assert time.monotonic() < until, wrong
        one.page.wait_for_timeout(500)


@pytest.mark.parametrize("where", FEWEST)
def test_every_figure_of_a_page_is_the_apis(web: Web, browser: Browser, where: str) -> None:
    """Signed in as registrar, each page shows the API's figures, asks nobody else, and has no error."""
    with visit(browser, web.url, token=web.token(Role.REGISTRAR, f"reads {where}")) as one:
        one.go(where)
        assert same(one, asking(web, Role.REGISTRAR)) >= FEWEST[where]
        assert (one.errors, one.strangers) == ([], [])
        assert "token" not in one.page.url


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_page_is_whole_and_shuts_nobody_out(web: Web, browser: Browser, lang: str, theme: str) -> None:
    """In both languages and themes every page of a hub that runs is whole, and axe finds nothing serious on it."""
    found = []
    case = web.cases[web.numbers[FROZEN]]
    token = web.token(Role.REGISTRAR, f"reads {lang} {theme}")
    with visit(browser, web.url, lang=lang, theme=theme, token=token) as one:
        for where in (*PAGES, f"case/{case}"):
            one.go(where)
            must_be_whole(one, lang, theme)
            found += grave(one)
    assert found == []


def test_a_case_by_its_id_is_the_apis(web: Web, browser: Browser) -> None:
    """A case that is asked for by its id has the figures of that answer, and says of when they are."""
    with visit(browser, web.url, token=web.token(Role.REGISTRAR, "asks by id")) as one:
        one.go(f"case/{web.cases[web.numbers[FROZEN]]}")
        assert same(one, asking(web, Role.REGISTRAR)) >= CASE_FIGURES_MIN
        assert "shop" in one.text()
        assert one.page.get_attribute("[data-old]", "data-old") == "no"
        assert one.errors == []


def test_the_pipeline_is_drawn(web: Web, browser: Browser) -> None:
    """Readers and topics are there; their figures are of the moment."""
    with visit(browser, web.url, token=web.token(Role.AUDITOR, "reads pipeline")) as one:
        one.go("pipeline")
        for word in ("releases", "acks", "lookups"):
            assert word in one.text()
        assert one.errors == []


def look_up(one: Visit, number: str) -> None:
    one.go("case")
    one.page.fill("input[name=asked]", number)
    one.page.click("form[data-do=find] button")
    one.page.wait_for_selector("main article")
    one.settle()


def test_a_registrar_sees_who_froze_and_an_operator_does_not(web: Web, browser: Browser) -> None:
    """The same case: with every platform's effect, and with one word and the platforms nobody hears from."""
    number = web.numbers[FROZEN]
    with visit(browser, web.url, token=web.token(Role.REGISTRAR, "looks up")) as one:
        look_up(one, number)
        assert "bank" in one.text()
        assert same(one, asking(web, Role.REGISTRAR, number)) >= CASE_FIGURES_MIN
        assert one.errors == []
    with visit(browser, web.url, token=web.token(Role.OPERATOR)) as one:
        look_up(one, number)
        told = one.text()
        assert "bank" not in told
        assert "shop" not in told
        assert "CONNECTED PLATFORMS\nPENDING" in told.upper()
        assert number not in told
        assert one.errors == []


def test_an_event_moves_the_overview_without_a_reload(web: Web, browser: Browser) -> None:
    """What is sent on Kafka is on the page in a moment, and the page was not loaded again."""
    with visit(browser, web.url, token=web.token(Role.REGISTRAR, "watches")) as one:
        one.page.evaluate("() => { window.stayed = true; }")
        shown = "Number(document.querySelector('[data-of$=\"#cases.COOLING\"]')?.dataset.value ?? 0)"
        before = one.page.evaluate(f"() => {shown}")
        web.scene.send([web.scene.event_message(event(mobile_numbers(70, NORTH)[66], EventType.COOLING))])
        web.scene.flush()
        one.until(f"{shown} >= {before + 1}")
        assert one.page.evaluate("() => window.stayed")
