"""What moves is shown as it moves, and what is old, late, missing or unheard is said in so many words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.dashboard.answers import CASE
from tests.dashboard.browser import EMPTY_PAGES, Visit, visit
from tests.dashboard.simulator import Simulator
from tests.dashboard.world import World

RESOLVED = "document.querySelector('.legend .num').dataset.value"
MARK = "window.sameLoad = true"


@pytest.fixture
def lagging() -> Iterator[Simulator]:
    """A hub whose read model is behind its logs."""
    one = Simulator(World(behind=1_204))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def empty() -> Iterator[Simulator]:
    """A hub nobody has told anything."""
    one = Simulator(World(cases=0))
    one.start()
    yield one
    one.stop()


def shown(one: Visit, kind: str) -> str:
    """The words of a banner, once it is there."""
    one.until(f"document.querySelector('[data-banner={kind}]')")
    return one.text(f"[data-banner={kind}]")


def test_figures_move_without_a_reload(browser: Browser, sim: Simulator) -> None:
    """When the hub says that something moved, the figures of the page follow, and the page was not loaded again."""
    with visit(browser, sim.url) as one:
        one.until("document.querySelector('[data-lamp=on]')")
        one.page.evaluate(MARK)
        before = one.page.evaluate(RESOLVED)
        sim.world.step += 40
        one.until(f"{RESOLVED} !== '{before}'")
        assert one.page.evaluate("window.sameLoad") is True


def test_a_chart_is_the_same_one_after_an_update(browser: Browser, sim: Simulator) -> None:
    """It is drawn again where it stands: a new one at every update would fill the memory of a page left open."""
    marked = "[...document.querySelectorAll('[data-chart] canvas')].map((one) => Boolean(one.mark))"
    with visit(browser, sim.url) as one:
        for page in ("overview", "platforms"):
            one.go(page)
            one.until("document.querySelector('[data-lamp=on]')")
            one.page.evaluate("document.querySelectorAll('[data-chart] canvas').forEach((one) => { one.mark = true })")
            canvases = one.page.evaluate(marked)
            assert canvases
            shown = "[...document.querySelectorAll('main [data-value]')].map((one) => one.dataset.value).join()"
            before = one.page.evaluate(shown)
            sim.world.step += 40
            one.until(f"{shown} !== {before!r}")
            assert one.page.evaluate(marked) == canvases == [True] * len(canvases)


def test_what_a_person_is_doing_survives_an_update(browser: Browser, sim: Simulator) -> None:
    """An update takes neither the focus, nor an open table, nor the sorting away."""
    with visit(browser, sim.url) as one:
        one.go("platforms")
        one.until("document.querySelector('[data-lamp=on]')")
        one.page.click("[data-do='sort:platforms:incident']")
        one.page.evaluate("document.querySelector('details.alt').open = true")
        one.page.focus("select[name=measure]")
        first = "document.querySelector('[data-key=table] tbody tr').dataset.key"
        top = one.page.evaluate(first)
        before = one.page.inner_text("[data-key=table] tbody")
        sim.world.step += 40
        text = "document.querySelector('[data-key=table] tbody').innerText"
        one.until(f"{text} !== {before!r}")
        assert one.page.evaluate("document.activeElement.name") == "measure"
        assert one.page.evaluate("document.querySelector('details.alt').open") is True
        assert one.page.evaluate(first) == top
        assert one.page.get_attribute("th:has([data-do='sort:platforms:incident'])", "aria-sort") == "descending"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_empty_hub_says_so(browser: Browser, empty: Simulator, lang: str) -> None:
    """A hub without cases says that it is empty, on every page, and nothing breaks."""
    with visit(browser, empty.url, lang=lang) as one:
        assert {"zh": "还没有号码记录", "en": "is empty"}[lang] in shown(one, "info")
        for where in EMPTY_PAGES:
            one.go(where)
            assert one.page.locator("[data-banner=info]").count() == 1, where
        assert one.errors == []


@pytest.mark.parametrize("where", ["platforms", "case"])
def test_whichever_page_comes_first_says_what_the_hub_is(browser: Browser, empty: Simulator, where: str) -> None:
    """A page opened by its own address says that the hub is empty, and that it is down, like the overview."""
    with visit(browser, empty.url) as one:
        one.page.evaluate("where => { location.hash = `#/${where}`; }", where)
        one.page.reload()
        one.settle()
        assert "is empty" in shown(one, "info")
        empty.stop()
        one.page.evaluate("dispatchEvent(new Event('hashchange'))")
        assert "No answer since" in shown(one, "down")
        empty.start()
        one.until("!document.querySelector('[data-banner=down]')")


def test_an_empty_hub_fills_by_itself(browser: Browser, empty: Simulator) -> None:
    """With the first cases the banner goes and the figures come."""
    with visit(browser, empty.url) as one:
        shown(one, "info")
        one.until("document.querySelector('[data-lamp=on]')")
        empty.world.cases = 90
        empty.world.step += 1
        one.until("!document.querySelector('[data-banner=info]')")
        assert one.page.locator(".blindcall").count() == 1


def test_a_lagging_hub_says_how_far(browser: Browser, lagging: Simulator) -> None:
    """Figures of a reader that is behind are shown with how many messages and how long it is behind."""
    with visit(browser, lagging.url) as one:
        words = shown(one, "lag")
        assert "1,204 messages" in words
        assert "96 s" in words
        assert one.page.get_attribute("[data-old]", "data-old") == "yes"
        lagging.world.behind = 0
        lagging.world.step += 1
        one.until("!document.querySelector('[data-banner=lag]')")
        one.until("document.querySelector('[data-old]').dataset.old === 'no'")


def test_a_reader_nobody_hears_of_is_named(browser: Browser, lagging: Simulator) -> None:
    """The pipeline says of a reader that is gone that it is, beside how far it is behind."""
    with visit(browser, lagging.url) as one:
        one.go("pipeline")
        assert "Not heard of" in one.text("tr[data-key=archive-acks]")
        assert "Not heard of" not in one.text("tr[data-key=workers-acks]")


def test_a_hub_whose_logs_do_not_answer_says_so(browser: Browser, sim: Simulator) -> None:
    """Where nobody can say how much is missing, the page says that, and no count."""
    sim.world.unheard = True
    with visit(browser, sim.url) as one:
        words = shown(one, "lag")
        assert "do not answer" in words
        assert "0 messages" not in words


def test_a_case_says_of_when_it_is(browser: Browser, sim: Simulator) -> None:
    """A case is of when it was asked for, and so old; asked again it is of now."""
    with visit(browser, sim.url) as one:
        sim.world.behind = 1_204
        one.go(f"case/{CASE}")
        assert one.page.get_attribute("[data-old]", "data-old") == "yes"
        assert "1,204 messages" in shown(one, "lag")
        sim.world.behind = 0
        one.page.click("[data-do^=again]")
        one.until("document.querySelector('[data-old]').dataset.old === 'no'")


def test_an_api_that_is_down_is_said_and_waited_for(browser: Browser, sim: Simulator) -> None:
    """While nothing answers, the last figures stay with since when they are old; when it is back they move again."""
    with visit(browser, sim.url) as one:
        one.until("document.querySelector('[data-lamp=on]')")
        before = one.page.evaluate(RESOLVED)
        sim.stop()
        assert "No answer since" in shown(one, "down")
        assert one.page.get_attribute("[data-lamp]", "data-lamp") == "down"
        assert one.page.get_attribute("[data-old]", "data-old") == "yes"
        assert one.page.evaluate(RESOLVED) == before
        sim.world.step += 40
        sim.start()
        one.until("!document.querySelector('[data-banner=down]')")
        one.until(f"{RESOLVED} !== '{before}'")
        one.until("document.querySelector('[data-lamp=on]')")


def test_a_hub_that_answers_with_its_own_fault_is_down(browser: Browser, sim: Simulator) -> None:
    """A 503 is shown as what it is to whoever looks, and gone when the hub has recovered."""
    with visit(browser, sim.url) as one:
        sim.broken = True
        one.page.evaluate("dispatchEvent(new Event('hashchange'))")
        shown(one, "down")
        sim.broken = False
        one.until("!document.querySelector('[data-banner=down]')")


def test_without_live_updates_it_asks_and_says_so(browser: Browser, sim: Simulator) -> None:
    """When the stream cannot be had, the page says that it is not live, and goes on asking."""
    sim.live = False
    with visit(browser, sim.url) as one:
        assert "asks every 10 seconds" in shown(one, "off")
        before = one.page.evaluate(RESOLVED)
        sim.world.step += 40
        one.until(f"{RESOLVED} !== '{before}'")


def test_a_token_that_ends_leads_to_the_way_in(browser: Browser, sim: Simulator) -> None:
    """A token the hub no longer takes is forgotten, and the person told why; another one goes on."""
    with visit(browser, sim.url) as one:
        one.page.evaluate("sessionStorage.setItem('token', 'old')")
        one.page.evaluate("dispatchEvent(new Event('hashchange'))")
        one.until("document.querySelector('form[data-do=sign-in] [role=alert]')")
        one.page.fill("input[name=token]", "sim-viewer")
        one.page.press("input[name=token]", "Enter")
        one.settle()
        assert one.page.evaluate("sessionStorage.getItem('token')") == "sim-viewer"


def test_a_role_is_told_what_it_does_not_see(browser: Browser, sim: Simulator) -> None:
    """A page the role may not see says so instead of staying blank."""
    with visit(browser, sim.url, token="sim-viewer") as one:
        one.go("pipeline")
        assert "Your role does not see this page" in one.text()
