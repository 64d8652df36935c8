"""What every page must be in every language and theme, whoever serves it: whole, quiet, from one origin, accessible."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

from tests.dashboard.browser import Visit

GRAVE = {"serious", "critical"}
LANGS = {"zh": "zh-CN", "en": "en"}
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def must_be_whole(one: Visit, lang: str, theme: str) -> None:
    """No error in the console, no word without a translation, no request elsewhere, no sideways scroll."""
    where = one.page.url
    assert one.page.evaluate(SIDEWAYS) <= 0, where
    text = one.text("body")
    for broken in ("⟦", "NaN", "undefined", "[object"):
        assert broken not in text, (where, broken)
    assert one.page.locator("h1").count() == 1, where
    root = one.page.locator("html")
    assert (root.get_attribute("lang"), root.get_attribute("data-theme")) == (LANGS[lang], theme), where
    assert (one.errors, one.strangers) == ([], []), where


def grave(one: Visit) -> list[tuple[str, str, list[str]]]:
    """What axe finds serious or critical on a page, everything on it unfolded."""
    one.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    return [
        (one.page.url, rule["id"], [node["html"][:160] for node in rule["nodes"][:3]])
        for rule in Axe().run(one.page).response["violations"]
        if rule["impact"] in GRAVE
    ]
