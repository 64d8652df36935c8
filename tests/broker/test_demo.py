"""The demo shows what it says: who is late, silent, joining, in breach, unheard; and its dashboard opens."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.core.model import Breach
from hub.core.standing import Standing
from hub.local.children import Child
from hub.local.demo import SILENT_OPERATOR, UNCONNECTED
from hub.local.living import ASKING, JOINING, LATE, SILENT
from tests import plain_http
from tests.broker.scene import wait_until
from tests.dashboard.browser import a_browser, visit

pytestmark = pytest.mark.broker

SPEED = ("--speed", "6")
SHORT = ("--duration", "5", "--no-web")
PATIENCE_S = 240.0
END_S = 40.0
ASK_S = 20.0
WHERE = re.compile(r"dashboard_url\s+(http://[\d.:]+)/#token=(\S+)")


class Shown:
    """What the demo's API says now."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def ask(self, path: str) -> Any:
        """The JSON at a path."""
        headers = {"authorization": f"Bearer {self.token}"}
        return plain_http.get(self.url + path, headers=headers, timeout=ASK_S).raise_for_status().json()

    def platform(self, name: str) -> dict[str, Any]:
        """A platform's row."""
        return next(one for one in self.ask("/v1/platforms")["platforms"] if one["id"] == name)

    def operator(self, name: str) -> dict[str, Any]:
        """An operator's row."""
        return next(one for one in self.ask("/v1/operators")["operators"] if one["id"] == name)


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Child]:
    """The command, with its words in `demo.log`."""
    given = (*options, "--data-dir", str(folder / "data"))
    child = Child([sys.executable, "-m", "hub", "demo", *given], folder / "demo.log")
    try:
        yield child
    finally:
        if not child.ended.is_set():
            child.end(signal.SIGKILL, END_S)


def where(folder: Path) -> re.Match[str] | None:
    """Where it says its dashboard is, and the token."""
    return WHERE.search((folder / "demo.log").read_text(encoding="utf-8"))


def test_the_demo_shows_what_it_says(tmp_path: Path) -> None:
    """Its dashboard opens; a platform is late, one silent, one joins; operators are in breach; Ctrl-C ends it."""
    with demo(tmp_path, *SPEED) as child:

        def see(what: str, so: Callable[[], object]) -> None:
            wait_until(what, lambda: child.ended.is_set() or so(), PATIENCE_S)
            assert not child.ended.is_set(), f"it ended, and never: {what}"

        see("it says where", lambda: where(tmp_path))
        said = where(tmp_path)
        assert said is not None, "it was just there"
        shown = Shown(*said.groups())
        with a_browser() as browser, visit(browser, shown.url, token=shown.token) as one:
            assert one.errors == []
        see("one joins", lambda: shown.platform(JOINING)["state"] == "CONNECTED")
        joined = [one["state"] for one in shown.ask(f"/v1/platforms/{JOINING}")["history"]]
        assert joined[-2:] == ["ONBOARDING", "CONNECTED"]
        see("one falls silent", lambda: shown.platform(SILENT)["standing"] == Standing.DEGRADED)
        see("one is late", lambda: shown.platform(LATE)["standing"] == Standing.DEGRADED)
        see("it catches up", lambda: shown.platform(LATE)["standing"] in {Standing.RECOVERING, Standing.HEALTHY})
        see("one was not asked", lambda: shown.operator(ASKING)["breaches"].get(Breach.NOT_CLEARED))
        see("one forgets its reports", lambda: shown.operator(SILENT_OPERATOR)["silent"])
        spots = {one["id"] for one in shown.ask("/v1/blind-spots")["spots"]}
        assert UNCONNECTED.keys() - {JOINING} <= spots
        assert child.end(signal.SIGINT, PATIENCE_S), "it does not end"


def test_a_demo_with_a_duration_ends_by_itself(tmp_path: Path) -> None:
    """After its time it says what came of the world, and ends well."""
    with demo(tmp_path, *SHORT) as child:
        assert child.ended.wait(PATIENCE_S), "it does not end"
        assert child.process.returncode == 0
        assert "Blind spot: " in (tmp_path / "demo.log").read_text(encoding="utf-8")
