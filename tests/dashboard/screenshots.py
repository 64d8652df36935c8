"""Pictures of every page of the dashboard, small enough for a page of `docs/`.

`python -m tests.dashboard.screenshots --url http://127.0.0.1:8080 --token …` of a hub that runs; without a URL, of the
simulator. Into `deploy/screenshots/`: each page in English and light, in Chinese and dark, and on a phone.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser

from tests.dashboard.answers import CASE
from tests.dashboard.browser import PHONE, a_browser, visit
from tests.dashboard.simulator import Simulator
from tests.dashboard.world import World

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "screenshots"
BYTES_MAX = 150_000
COLOURS = (None, 256, 128, 64)
"""None: all of them. Few colours shift, and here colours have a meaning."""
SIZE = {"wide": (1280, 900), "phone": (PHONE, 812)}
WAYS = (("en-light", "en", "light", "wide"), ("zh-dark", "zh", "dark", "wide"), ("phone", "zh", "light", "phone"))
CANDIDATES = 12
"""Cases that are looked at to choose one: every look is recorded."""

BLIND = {"KNOWN_UNCONNECTED", "ONBOARDING", "SUSPENDED", "LEFT"}


def small(png: bytes) -> bytes:
    """The same picture with as many colours as fit into the limit."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in COLOURS:
        out = io.BytesIO()
        fewer = picture if colours is None else picture.quantize(colours, Image.Quantize.FASTOCTREE)
        fewer.save(out, "PNG", optimize=True)
        if out.tell() <= BYTES_MAX:
            break
    return out.getvalue()


def places(url: str, token: str, case: str | None) -> dict[str, str]:
    """Which page is shown under which name: the platform most behind, the operator most in breach, an eventful case."""

    def ask(path: str) -> Any:
        return httpx.get(f"{url}{path}", headers={"Authorization": f"Bearer {token}"}).raise_for_status().json()

    found = {one: one for one in ("overview", "platforms", "blind-spots", "pipeline")}
    rows = [one for one in ask("/v1/platforms")["platforms"] if one["state"] not in BLIND]
    if rows:
        worst = max(
            rows, key=lambda one: (one["standing"] == "DEGRADED", one["pairs"]["in_force"] - one["pairs"]["resolved"])
        )
        found["platform"] = f"platform/{worst['id']}"
    operators = sorted(ask("/v1/operators")["operators"], key=lambda one: -sum(one["breaches"].values()))
    if operators:
        found["operators"] = f"operators/{operators[0]['id']}"
    chosen = case or eventful(ask, [one["id"] for one in operators])
    return found | ({"case": f"case/{chosen}"} if chosen else {})


def eventful(ask: Callable[[str], Any], operators: list[str]) -> str | None:
    """Of the newest cases with a breach, the one in which most different things happened; None if there is none."""
    rows = [row for one in operators for row in ask(f"/v1/operators/{one}/breaches")["breaches"] if row["case"]]
    newest = list(dict.fromkeys(row["case"] for row in sorted(rows, key=lambda row: -row["at"])))[:CANDIDATES]

    def happened(case: str) -> tuple[int, int]:
        (page,) = ask(f"/v1/cases/{case}")["cases"]
        return len({(one["kind"], one["what"]) for one in page["moments"]}), len(page["moments"])

    return max(newest, key=happened, default=None)


def shoot(browser: Browser, url: str, token: str, case: str | None) -> list[Path]:
    """Make every picture; where they lie."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = []
    pages = places(url, token, case)
    for name, lang, theme, screen in WAYS:
        width, height = SIZE[screen]
        with visit(browser, url, lang=lang, theme=theme, width=width, token=token) as one:
            one.page.set_viewport_size({"width": width, "height": height})
            one.until("document.querySelector('[data-lamp=on]')")
            for page, where in pages.items():
                one.go(where)
                one.page.evaluate("document.activeElement.blur()")
                path = FOLDER / f"{page}-{name}.png"
                path.write_bytes(small(one.page.screenshot()))
                made.append(path)
    return made


def main() -> None:
    """Make the pictures and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--token", default="sim-auditor")
    parser.add_argument("--case", help="id of a case to show, such as 7-120033; else one is chosen")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        url, case = chosen.url, chosen.case
        if url is None:
            sim = Simulator(World(), moving=True)
            sim.start()
            stack.callback(sim.stop)
            url, case = sim.url, CASE
        for path in shoot(stack.enter_context(a_browser()), url.rstrip("/"), chosen.token, case):
            print(f"{path.stat().st_size / 1000:6.1f} kB  {path}")  # noqa: T201


if __name__ == "__main__":
    main()
