"""What strangers write stays text, numbers stay out of addresses, and the page asks nobody but its hub."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from hub.web.routes.pages import FOLDER
from tests import plain_http
from tests.dashboard.answers import CASE, NUMBER
from tests.dashboard.browser import PAGES, PHONE, visit
from tests.dashboard.simulator import Simulator
from tests.dashboard.world import HOSTILE, World


@pytest.mark.parametrize("width", [1280, PHONE])
def test_a_platforms_name_is_never_markup(browser: Browser, width: int) -> None:
    """A platform called `<img onerror=…>` is shown by that name everywhere, and nothing of it runs."""
    sim = Simulator(World(hostile=True))
    sim.start()
    with visit(browser, sim.url, width=width) as one:
        for where in ("platforms", "platform/hostile", "blind-spots", f"case/{CASE}"):
            one.go(where)
            assert HOSTILE.en in (one.page.text_content("main") or ""), where
            assert one.page.locator("main img").count() == 0, where
            assert one.page.evaluate("window.hacked") is None, where
        one.go("platforms")
        one.page.hover("[data-chart=heat]", position={"x": width / 3, "y": 80})
        assert one.page.evaluate("window.hacked") is None
        assert one.errors == []
    sim.stop()


def test_a_number_is_in_no_address(browser: Browser, sim: Simulator) -> None:
    """A number goes into the body of a POST: no address of a request or of the page has its digits."""
    with visit(browser, sim.url) as one:
        one.go("case")
        one.page.fill("input[name=asked]", NUMBER)
        one.page.click("form[data-do=find] button")
        one.until("document.querySelector('main article')")
        digits = NUMBER.removeprefix("+")
        assert not [path for path in sim.asked if digits[-8:] in path]
        assert digits[-8:] not in one.page.url
        assert one.page.input_value("input[name=asked]") == ""
        kept = one.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, history.state])")
        assert digits[-8:] not in kept
        assert "POST /v1/cases/lookup?" in sim.asked


def test_a_case_is_asked_for_once(browser: Browser, sim: Simulator) -> None:
    """Every lookup is recorded, so an update of the page does not look a case up again by itself."""
    with visit(browser, sim.url) as one:
        one.go(f"case/{CASE}")
        one.until("document.querySelector('[data-lamp=on]')")
        asked = sim.asked.count(f"GET /v1/cases/{CASE}?")
        before = len(sim.asked)
        sim.world.step += 1
        one.wait("the update asks the hub", lambda: "GET /v1/overview?" in sim.asked[before:])
        assert (asked, sim.asked.count(f"GET /v1/cases/{CASE}?")) == (1, 1)


def test_a_case_that_is_not_there_is_said(browser: Browser, sim: Simulator) -> None:
    """A case id nobody knows and a number without a case get words, not a blank page."""
    with visit(browser, sim.url) as one:
        one.go("case/1-1")
        assert "There is no such case here" in one.text()
        one.page.fill("input[name=asked]", "+8613999999999")
        one.page.click("form[data-do=find] button")
        one.until("document.querySelector('main').innerText.includes('has no case')")


def test_an_operator_sees_one_word_and_no_platform_of_the_old_owner(browser: Browser, sim: Simulator) -> None:
    """For an operator the case shows one word over all connected platforms, and no platform's effect."""
    with visit(browser, sim.url, token="sim-operator") as one:
        one.go(f"case/{CASE}")
        assert "sees one word over all connected platforms" in one.text()
        assert "CloudNook" not in one.text()
        assert one.page.locator("[data-key^=effects]").count() == 0


def test_a_token_leaves_the_address_at_once(browser: Browser, sim: Simulator) -> None:
    """A token handed over in the address is in the session alone: not in the address, not in what lasts."""
    with visit(browser, sim.url) as one:
        assert "sim-auditor" not in one.page.url
        assert "sim-auditor" not in one.page.evaluate("JSON.stringify({...localStorage})")
        assert not [path for path in sim.asked if "sim-auditor" in path]
        one.page.evaluate("document.querySelector('[data-do=out]').click()")
        assert one.page.evaluate("sessionStorage.length") == 0


def test_the_policy_stops_what_is_not_the_hubs(browser: Browser, sim: Simulator) -> None:
    """The page is served with `default-src 'self'`: a script written into it does not run."""
    policy = plain_http.get(f"{sim.url}/").headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    with visit(browser, sim.url) as one:
        add = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
        one.page.evaluate(f"() => {{ {add} }}")
        assert one.page.evaluate("window.ran") is None
        assert any("Content Security Policy" in error for error in one.errors)


@pytest.mark.parametrize("where", PAGES)
def test_tables_are_saved_as_csv(browser: Browser, sim: Simulator, tmp_path: Path, where: str) -> None:
    """Each table of each page can be saved, has rows, and no cell that a spreadsheet would run.

    Each page in a browser of its own: Chromium refuses one that saves twenty in a row.
    """
    with visit(browser, sim.url) as one:
        one.go(where)
        buttons = one.page.locator("[data-do^='csv:']")
        assert buttons.count() > 0
        for number in range(buttons.count()):
            with one.page.expect_download() as download:
                buttons.nth(number).click()
            path = tmp_path / f"{number}.csv"
            download.value.save_as(path)
            lines = path.read_text(encoding="utf-8-sig").splitlines()
            assert len(lines) > 1, number
            assert not [line for line in lines if line.startswith(("=", "@"))]
        assert one.errors == []


def test_each_table_has_its_csv(browser: Browser, sim: Simulator) -> None:
    """No section of a page has a table or a chart that cannot be saved, there or from the head of the page."""
    bare = (
        "[...document.querySelectorAll('main section')].filter((one) => one.querySelector('table, .moments'))"
        ".filter((one) => !one.querySelector(SAVE) && !document.querySelector(`.head [data-do^='csv:']`))"
        ".map((one) => one.dataset.key)".replace("SAVE", "`[data-do^='csv:']`")
    )
    buttons = 0
    with visit(browser, sim.url) as one:
        for where in PAGES:
            one.go(where)
            assert one.page.evaluate(bare) == [], where
            buttons += one.page.locator("[data-do^='csv:']").count()
    assert buttons >= 18


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    """No file of the dashboard but the vendored ones names an address, and the page has no inline script or style."""
    for path in FOLDER.rglob("*"):
        if path.is_file() and "vendor" not in path.parts and path.suffix in {".html", ".css", ".js", ".json"}:
            text = path.read_text(encoding="utf-8")
            assert "http://" not in text, path
            assert "https://" not in text, path
            assert "innerHTML" not in text, path
            assert "style=" not in text, path
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert page.count("<script") == page.count("<script src=") + page.count('<script type="module" src=')


def test_the_vendored_file_is_the_one_written_down() -> None:
    """ECharts is the file that its VERSION names, with its licence and notice beside it."""
    folder = FOLDER / "vendor" / "echarts"
    digest = hashlib.sha256((folder / "echarts.esm.min.js").read_bytes()).hexdigest()
    assert digest in (folder / "VERSION").read_text(encoding="utf-8")
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Apache ECharts" in (folder / "NOTICE").read_text(encoding="utf-8")


def test_every_module_is_asked_for_at_once(sim: Simulator) -> None:
    """The page names all its modules, so that none waits for another to say that it is needed; each comes packed."""
    modules = {one.relative_to(FOLDER).as_posix() for one in (FOLDER / "js").rglob("*.js")} - {"js/theme.js"}
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'<(?:link rel="modulepreload" href|script type="module" src)="(js/[^"]+)"', page))
    assert named == modules
    with httpx.Client(verify=plain_http.NO_TLS, base_url=sim.url) as http:
        for path in ("js/main.js", "vendor/echarts/echarts.esm.min.js"):
            packed, plain = http.get(path), http.get(path, headers={"Accept-Encoding": "identity"})
            assert packed.headers["Content-Encoding"] == "gzip"
            assert "Content-Encoding" not in plain.headers
            assert packed.content == plain.content == (FOLDER / path).read_bytes()
            assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
            assert http.get(path, headers={"If-None-Match": packed.headers["ETag"]}).status_code == 304
            assert http.get(path, headers={"Range": "bytes=0-9"}).content == plain.content[:10]
