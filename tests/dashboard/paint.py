"""How long a person waits for a page: until it is drawn where nothing is kept of it, and until it shows what moved."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Browser

from tests.dashboard.browser import Visit

PAUSE_MS = 4_500
"""Longer than a page rests between two askings, so that its rest is in no figure."""

LOOK_S = 0.005
DRAWN = (
    "() => document.querySelector('main')?.dataset.ready === 'yes'"
    " && [...document.querySelectorAll('[data-chart]')].every((one) => one.dataset.drawn)"
)
SHOWS = (
    "(() => { const all = [...document.querySelectorAll('main [data-of]')]"
    ".filter((one) => /#[\\w.]*pairs\\.in_force$/.test(one.dataset.of));"
    " return all.length > 0 && all.every((one) => Number(one.dataset.value) === EACH); })()"
)


def first_paint_ms(browser: Browser, url: str, token: str, page: str) -> float:
    """From navigation until every figure and chart is drawn, in a browser that has nothing of it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.add_init_script(f"sessionStorage.setItem('token', '{token}')")
    tab = context.new_page()
    began = time.monotonic()
    tab.goto(f"{url}/#/{page}", wait_until="commit")
    while not tab.evaluate(DRAWN):
        time.sleep(LOOK_S)
    took_ms = (time.monotonic() - began) * 1_000
    context.close()
    return took_ms


def shows(each: int) -> str:
    """That every count of cases in force on the page is so many."""
    return SHOWS.replace("EACH", str(each))


def update_ms(one: Visit, move: Callable[[], None], each: int) -> float:
    """From when `move` has returned until the page shows so many cases in force everywhere."""
    one.until("document.querySelector('[data-lamp=on]')")
    one.page.wait_for_timeout(PAUSE_MS)
    move()
    began = time.monotonic()
    while not one.page.evaluate(shows(each)):
        time.sleep(LOOK_S)
    return (time.monotonic() - began) * 1_000
