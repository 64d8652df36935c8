"""Debian's Chromium for the tests, driven by Playwright; fetched and unpacked as `tests/debian.py` says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.debian import Program, Unpacked, unpacked

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic", "--no-first-run"),
)
CHROMIUM = Program("chromium", ("chromium-headless-shell", "fonts-noto-cjk", "libatomic1"))
"""With a font for Chinese; Playwright's Node.js needs the last."""
BINARY = "usr/lib/chromium/chromium-headless-shell"
FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{root}/usr/share/fonts</dir>
  <cachedir>{root}/var/cache/fontconfig</cachedir>
  <include ignore_missing="yes">{root}/usr/share/fontconfig/conf.avail</include>
</fontconfig>
"""
LIBRARIES = "LD_LIBRARY_PATH"
WIDE, PHONE = 1280, 375
PAGES = ("overview", "platforms", "platform/cartwheel", "blind-spots", "operators/delta", "case/7-120033", "pipeline")
EMPTY_PAGES = ("overview", "platforms", "blind-spots", "operators", "case", "pipeline")
PATIENCE_MS = 60_000
"""A bound on what a busy machine may need, not a pace."""
POLL_MS = 30


@cache
def chromium() -> Unpacked:
    """Chromium's files, with a list of the fonts that came with it."""
    found = unpacked(CHROMIUM)
    _fonts(found).write_text(FONTS.format(root=escape(str(found.root))), encoding="utf-8")
    return found


def _fonts(program: Unpacked) -> Path:
    return program.root / "fonts.conf"


@contextmanager
def _libraries(program: Unpacked) -> Iterator[None]:
    """What Playwright starts in this block, its Node.js, finds a program's libraries; it takes no environment."""
    before = os.environ.get(LIBRARIES)
    os.environ[LIBRARIES] = program.libraries
    try:
        yield
    finally:
        del os.environ[LIBRARIES]
        if before is not None:
            os.environ[LIBRARIES] = before


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Chromium, until the end of the block. Playwright keeps a loop while it lives: no asynchronous test beside it."""
    program = chromium()
    with _libraries(program):
        playwright = sync_playwright().start()
    try:
        env: dict[str, str | float | bool] = {
            **os.environ,
            LIBRARIES: program.libraries,
            "FONTCONFIG_FILE": str(_fonts(program)),
        }
        browser = playwright.chromium.launch(executable_path=program.root / BINARY, args=list(FLAGS), env=env)
        try:
            yield browser
        finally:
            browser.close()
    finally:
        playwright.stop()


@dataclass
class Visit:
    """A person's page, and what they would not see: errors of the console, and who else was asked."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def go(self, where: str) -> None:
        """Open a page of the dashboard and wait until it shows what it has."""
        self.page.evaluate("where => { location.hash = `#/${where}`; }", where)
        self.settle()

    def settle(self) -> None:
        """Wait until the page has its figures and every chart is drawn."""
        self.until(
            "document.querySelector('main')?.dataset.where === location.hash"
            " && document.querySelector('main').dataset.ready === 'yes'"
            " && [...document.querySelectorAll('[data-chart]')].every((one) => one.dataset.drawn)"
            " && (!location.hash.startsWith('#/case/') || !!document.querySelector('main article, [role=alert]'))"
        )

    def until(self, condition: str) -> None:
        """Wait until a condition of JavaScript holds; Playwright's own way needs `eval`, which the policy refuses."""
        self.wait(condition, lambda: self.page.evaluate(f"() => Boolean({condition})"))

    def wait(self, what: str, condition: Callable[[], object]) -> None:
        """Wait until something holds, while the page goes on."""
        until = time.monotonic() + PATIENCE_MS / 1000
        while not condition():
            assert time.monotonic() < until, f"never so: {what}"
            self.page.wait_for_timeout(POLL_MS)

    def text(self, selector: str = "main") -> str:
        """What is to be read there."""
        return self.page.inner_text(selector)


@contextmanager
def visit(
    browser: Browser, url: str, *, lang: str = "en", theme: str = "light", width: int = WIDE, token: str = "sim-auditor"
) -> Iterator[Visit]:
    """A person with a token, a language, a theme and a screen, at the overview."""
    locale = {"en": "en-GB", "zh": "zh-CN"}[lang]
    scheme = {"light": "light", "dark": "dark"}[theme]
    context = browser.new_context(
        viewport={"width": width, "height": 812},
        locale=locale,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    one = Visit(page, url)

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            one.errors.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((url, "data:", "blob:")):
            one.strangers.append(request.url)

    page.on("console", heard)
    page.on("pageerror", lambda error: one.errors.append(str(error)))
    page.on("request", asked)
    try:
        page.goto(f"{url}/#token={token}")
        one.settle()
        yield one
    finally:
        context.close()
