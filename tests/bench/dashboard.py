"""The dashboard of a real hub with 1,000 platforms, in a real browser: p50 and p99 of what a person waits for.

`first`: from opening a page in a browser that has nothing of it until its figures and charts are drawn. `update`: from
when an event lies in Kafka until the page shows one case more at every platform; so intake, coverage of all platforms,
the web, the stream and the drawing are in it. Broker, worker and web share one core, the browser has the other.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hub.core.model import DAY_MS, Role
from hub.local.children import Supervised
from hub.web.access.tokens import KEY_FILE, LocalIssuer
from tests.bench import messages
from tests.bench.machine import HUB_CORE, on_core
from tests.bench.rig import PARTITIONS, Rig, fill_releases, rig
from tests.dashboard.browser import a_browser, visit
from tests.dashboard.paint import first_paint_ms, shows, update_ms

log = logging.getLogger(__name__)

PLATFORMS = (1_000, 50)
CASES = (12_000, 1_200)
FIRSTS = (50, 3)
UPDATES = (30, 3)
PAGES = ("overview", "platforms")
READY_S = 120.0
POLL_S = 0.1


class Looked(NamedTuple):
    """What is looked at: where, as whom, how large it is, and how another case is opened."""

    url: str
    token: str
    platforms: int
    cases: int
    open_case: Callable[[], None]


async def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Fill a hub, start its worker and its web, and look."""
    platforms = PLATFORMS[1] if quick else PLATFORMS[0]
    async with rig(folder, quick=quick, platforms=platforms) as one:
        cases = ((await fill_releases(one, one.size(*CASES))).through + 1) * PARTITIONS
        await one.start_worker()
        web = _web(one)
        with on_core(HUB_CORE):
            web.start()
        try:
            said = await _said(web, folder / "web.ready.json")
            issuer = LocalIssuer.open(folder / "web" / KEY_FILE, one.log.hub_id)
            token = issuer.token(Role.AUDITOR, "bench", DAY_MS, int(time.time() * 1_000))
            opening = map(partial(_open, one), count(messages.NUMBERS_MAX // 2))
            looked = Looked(f"http://127.0.0.1:{said['port']}", token, platforms, cases, lambda: next(opening))
            pages = await asyncio.to_thread(_look, looked, one.size(*FIRSTS), one.size(*UPDATES))
        finally:
            await asyncio.to_thread(web.stop)
    found = {"platforms": platforms, "cases": cases, "pages": pages}
    log.info("%s", found)
    return found


def _web(one: Rig) -> Supervised:
    where = ("--bootstrap-servers", one.address.bootstrap_servers, "--data-dir", str(one.folder / "web"))
    files = ("--ready-file", str(one.folder / "web.ready.json"), "--port", "0")
    return Supervised("web", ["web", "run", *where, *files], one.folder)


async def _said(web: Supervised, ready: Path) -> dict[str, Any]:
    until = time.monotonic() + READY_S
    while not ready.exists():
        if time.monotonic() > until:
            raise web.failure()
        await asyncio.sleep(POLL_S)
    found: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
    return found


def _open(one: Rig, index: int) -> None:
    now_ms = int(time.time() * 1_000)
    one.produce("events", messages.events(index, 1, one.log.hub_id, PARTITIONS, now_ms, openers_only=True))


def _look(at: Looked, firsts: int, updates: int) -> dict[str, dict[str, Any]]:
    """Look at every page, once all that was filled in is counted."""
    found: dict[str, dict[str, Any]] = {}
    cases = at.cases
    with a_browser() as browser, visit(browser, at.url, token=at.token) as one:
        for page in PAGES:
            counted = at.platforms if page == "overview" else 1
            one.go(page)
            one.until(shows(cases * counted))
            first = [first_paint_ms(browser, at.url, at.token, page) for _ in range(firsts)]
            update = [update_ms(one, at.open_case, (cases + 1 + each) * counted) for each in range(updates)]
            cases += updates
            found[page] = {"first": _percentiles(first), "update": _percentiles(update)}
    return found


def _percentiles(took: list[float]) -> dict[str, Any]:
    p50, p99 = np.percentile(took, [50, 99])
    return {"times": len(took), "p50_ms": float(p50), "p99_ms": float(p99)}
