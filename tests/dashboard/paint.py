"""How long a person waits for the dashboard: `python -m tests.dashboard.paint [--platforms 1000]`.

Per page: from opening it in a new tab (nothing cached) until its figures and charts are drawn, and from the moment the
hub says that something moved until the page shows it. The simulator's own time to answer is in both.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

from playwright.sync_api import Browser

from tests.dashboard.browser import a_browser, visit
from tests.dashboard.simulator import Simulator
from tests.dashboard.world import World

TIMES = 3
PAGES = ("overview", "platforms")


def first_paint_ms(browser: Browser, url: str, page: str) -> float:
    """From navigation to everything drawn, in a browser that has nothing of it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.add_init_script("sessionStorage.setItem('token', 'sim-auditor')")
    tab = context.new_page()
    began = time.monotonic()
    tab.goto(f"{url}/#/{page}", wait_until="commit")
    ready = (
        "() => document.querySelector('main')?.dataset.ready === 'yes'"
        " && [...document.querySelectorAll('[data-chart]')].every((one) => one.dataset.drawn)"
    )
    while not tab.evaluate(ready):
        time.sleep(0.005)
    took = (time.monotonic() - began) * 1000
    context.close()
    return took


def update_ms(browser: Browser, sim: Simulator, page: str) -> float:
    """From a step of the world to figures that show it."""
    with visit(browser, sim.url) as one:
        one.go(page)
        one.until("document.querySelector('[data-lamp=on]')")
        one.page.wait_for_timeout(4_500)
        figures = "[...document.querySelectorAll('main [data-of]')].map((one) => one.dataset.value).join()"
        before = one.page.evaluate(figures)
        began = time.monotonic()
        sim.world.step += 25
        while one.page.evaluate(figures) == before:
            time.sleep(0.005)
        return (time.monotonic() - began) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platforms", type=int, default=1_000)
    chosen = parser.parse_args()
    sim = Simulator(World(many=max(0, chosen.platforms - 18)))
    sim.start()
    with a_browser() as browser:
        for page in PAGES:
            first = median(first_paint_ms(browser, sim.url, page) for _ in range(TIMES))
            update = median(update_ms(browser, sim, page) for _ in range(3))
            print(f"{page:12} first {first:6.0f} ms   update {update:6.0f} ms")  # noqa: T201
    sim.stop()


if __name__ == "__main__":
    main()
