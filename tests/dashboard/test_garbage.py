"""Answers that are none: the dashboard says so and recovers."""

from __future__ import annotations

from playwright.sync_api import Browser, Route

from tests.dashboard.browser import visit
from tests.dashboard.simulator import Simulator


def test_a_proxys_page_in_place_of_an_answer_is_no_answer(browser: Browser, sim: Simulator) -> None:
    """HTML where JSON should be counts as a hub that does not answer, and the page goes on when answers are back."""

    def garbage(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<html>maintenance</html>")

    with visit(browser, sim.url) as one:
        one.page.route("**/v1/overview", garbage)
        one.page.evaluate("dispatchEvent(new Event('hashchange'))")
        one.until("document.querySelector('[data-banner=down]')")
        one.page.unroute("**/v1/overview")
        one.until("!document.querySelector('[data-banner=down]')")
