"""Each page in both languages, both themes, on a wide screen and a phone: whole, quiet, from one origin, accessible."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.dashboard.browser import PAGES, PHONE, WIDE, visit
from tests.dashboard.checks import grave, must_be_whole
from tests.dashboard.simulator import Simulator

WAYS = [(lang, theme, width) for lang in ("zh", "en") for theme in ("light", "dark") for width in (WIDE, PHONE)]


@pytest.mark.parametrize(("lang", "theme", "width"), WAYS)
def test_each_page_is_whole(browser: Browser, sim: Simulator, lang: str, theme: str, width: int) -> None:
    """No page has an error in the console, words without a translation, a request elsewhere or a sideways scroll."""
    with visit(browser, sim.url, lang=lang, theme=theme, width=width) as one:
        for where in PAGES:
            one.go(where)
            must_be_whole(one, lang, theme)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_no_page_shuts_anybody_out(browser: Browser, sim: Simulator, theme: str, width: int) -> None:
    """axe finds nothing serious or critical on any page, nor at the way in."""
    found = []
    with visit(browser, sim.url, theme=theme, width=width) as one:
        for where in (*PAGES, "gate"):
            if where == "gate":
                one.page.evaluate("document.querySelector('[data-do=out]').click()")
                one.page.wait_for_selector("form[data-do=sign-in]")
            else:
                one.go(where)
            found += grave(one)
    assert found == []


@pytest.mark.parametrize("where", ["overview", "platforms", "platform/cartwheel", "blind-spots"])
@pytest.mark.parametrize(("role", "inexact"), [("viewer", True), ("auditor", False)])
def test_figures_in_tens_are_said_to_be(browser: Browser, sim: Simulator, where: str, role: str, inexact: bool) -> None:
    """Who is told of platforms in tens is told so."""
    with visit(browser, sim.url, token=f"sim-{role}") as one:
        one.go(where)
        assert one.page.locator("main [data-key=in-tens]").count() == inexact


def test_axe_would_notice(browser: Browser, sim: Simulator) -> None:
    """The check above can fail: grey on grey is found."""
    with visit(browser, sim.url) as one:
        one.page.evaluate("document.querySelector('.hero .of').style.color = '#e2e0da'")
        assert "color-contrast" in {rule for _, rule, _ in grave(one)}


def test_everything_is_reached_by_keyboard(browser: Browser, sim: Simulator) -> None:
    """The first tab leads past the menu; every link and button shows that it has the focus."""
    with visit(browser, sim.url) as one:
        one.page.evaluate("document.activeElement.blur()")
        one.page.keyboard.press("Tab")
        assert one.page.evaluate("document.activeElement.className") == "skip"
        for _ in range(12):
            one.page.keyboard.press("Tab")
            style = "const of = getComputedStyle(document.activeElement); return of.outlineStyle + of.outlineWidth"
            assert one.page.evaluate(f"(() => {{ {style} }})()") == "solid2px"


def test_language_and_theme_are_kept(browser: Browser, sim: Simulator) -> None:
    """What a person chose stays chosen after a reload, whatever the system says."""
    with visit(browser, sim.url, lang="en", theme="light") as one:
        one.page.click("[data-do='language:zh']")
        one.page.wait_for_selector("html[lang=zh-CN]")
        one.page.click("[data-do='theme:dark']")
        one.page.wait_for_selector("html[data-theme=dark]")
        one.page.reload()
        one.settle()
        assert one.page.locator("html").get_attribute("data-theme") == "dark"
        assert "总览" in one.text("nav")
