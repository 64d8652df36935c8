"""The dashboard of a real run in hard times: an empty hub, a reader that stands, silent logs, a hub that is down.

One hub for all of them, in this order: empty, then lived in, then let down part by part and up again.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from hub.core.model import EventType, Role
from hub.local.kafka import EmbeddedKafka
from hub.local.machine import free_port
from tests.broker import scene as scenes
from tests.broker.archiving import Archiving
from tests.broker.scene import event, mobile_numbers
from tests.clusters import borrowed
from tests.dashboard.browser import EMPTY_PAGES, Visit, a_browser, visit
from tests.dashboard.checks import must_be_whole
from tests.web.running import NORTH, Web, live

pytestmark = pytest.mark.broker

CASES = 30
EMPTY = {"zh": "还没有号码记录", "en": "The hub is empty"}
MISSING = ("platform/nobody", "operators/nobody")
STILL_HERE = "window.stayed"
WORKER_BEHIND = "Number(document.querySelector('tr[data-key=workers-events] [data-value]')?.dataset.value ?? NaN)"
LATE = 5


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for this module."""
    with a_browser() as one:
        yield one


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    """The broker of that hub."""
    with borrowed() as one:
        yield one


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, kafka: EmbeddedKafka) -> Iterator[Web]:
    """A hub with neither roster nor events; its dashboard is always at the same address."""
    with scenes.running(tmp_path_factory.mktemp("fresh"), bootstrap_servers=kafka.bootstrap_servers) as scene:
        archiving = Archiving(scene)
        archiving.program.start()
        web = Web(scene, archiving, "--port", str(free_port()))
        try:
            web.start()
            yield web
        finally:
            web.program.stop()
            archiving.program.stop()
            archiving.engine.dispose()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still for a while, as a machine does that has too much to do."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _live(fresh: Web) -> None:
    fresh.scene.put_operator("north", NORTH)
    live(fresh)


def said(one: Visit, kind: str) -> str:
    """The words of a banner, once it is there."""
    one.until(f"document.querySelector('[data-banner={kind}]')")
    return one.text(f"[data-banner={kind}]")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_empty_hub_says_so_on_every_page(fresh: Web, browser: Browser, lang: str) -> None:
    """A hub without roster and events is shown as that: every page whole, in words, and no share of nothing."""
    with visit(browser, fresh.url, lang=lang, token=fresh.token(Role.REGISTRAR)) as one:
        for where in EMPTY_PAGES:
            one.go(where)
            assert EMPTY[lang] in said(one, "info"), where
            assert one.page.locator("main p, main section").count() > 0, where
            must_be_whole(one, lang, "light")
        for where in MISSING:
            one.go(where)
            assert one.text("h1"), where


def test_an_empty_hub_fills_by_itself(fresh: Web, browser: Browser) -> None:
    """With the first roster and the first cases the same page has figures, without a reload."""
    with visit(browser, fresh.url, token=fresh.token(Role.REGISTRAR)) as one:
        said(one, "info")
        one.page.evaluate(f"{STILL_HERE} = true")
        with ThreadPoolExecutor(1) as beside:  # Playwright's loop is this thread's
            beside.submit(_live, fresh).result()
        one.until("!document.querySelector('[data-banner=info]')")
        one.until(f"document.querySelector('[data-of$=\"#cases.RELEASED\"]')?.dataset.value === '{CASES}'")
        assert one.page.evaluate(STILL_HERE) is True


def test_a_reader_that_stands_is_shown_behind(fresh: Web, browser: Browser) -> None:
    """While a worker does nothing, the pipeline says how many messages it is behind; when it goes on it catches up."""
    worker = json.loads((fresh.scene.hub.data_dir / "worker-1.ready.json").read_text(encoding="utf-8"))["pid"]
    with visit(browser, fresh.url, token=fresh.token(Role.REGISTRAR)) as one:
        one.go("pipeline")
        one.until(f"{WORKER_BEHIND} === 0")
        with stopped(worker):
            more = mobile_numbers(CASES + LATE, NORTH)[CASES:]
            fresh.scene.send(fresh.scene.event_message(event(each, EventType.COOLING)) for each in more)
            fresh.scene.flush()
            one.until(f"{WORKER_BEHIND} >= {LATE}")
        one.until(f"{WORKER_BEHIND} === 0")


def test_logs_that_do_not_answer_are_said(fresh: Web, kafka: EmbeddedKafka, browser: Browser) -> None:
    """While the broker stands, the page says that its figures are behind, and keeps them; then they are fresh again."""
    with visit(browser, fresh.url, token=fresh.token(Role.REGISTRAR)) as one:
        with stopped(kafka.pid):
            assert "do not answer" in said(one, "lag")
            assert one.page.get_attribute("[data-old]", "data-old") == "yes"
            assert one.page.locator(".hero .num").count() > 0
        one.until("!document.querySelector('[data-banner=lag]')")
        one.until("document.querySelector('[data-old]').dataset.old === 'no'")


def test_a_hub_that_was_killed_is_said_and_waited_for(fresh: Web, browser: Browser) -> None:
    """While the web program is dead the last figures stay, with since when; when it is back the page goes on."""
    with visit(browser, fresh.url, token=fresh.token(Role.REGISTRAR)) as one:
        one.until("document.querySelector('[data-lamp=on]')")
        one.page.evaluate(f"{STILL_HERE} = true")
        shown = one.page.inner_text(".hero .big")
        fresh.kill()
        assert "No answer since" in said(one, "down")
        assert one.page.inner_text(".hero .big") == shown
        fresh.start()
        one.until("!document.querySelector('[data-banner=down]')")
        one.until("document.querySelector('[data-lamp=on]')")
        assert one.page.evaluate(STILL_HERE) is True
