"""The pictures of README and `docs/`: which pages are shown of a hub that runs."""

from __future__ import annotations

from typing import Any

from tests.dashboard.answers import CASE
from tests.dashboard.screenshots import eventful, places
from tests.dashboard.simulator import Simulator


def test_every_page_is_pictured(sim: Simulator) -> None:
    """Of a hub that runs each page has its picture, with a case that it finds by itself."""
    assert places(sim.url, "sim-auditor", CASE) == {
        "overview": "overview",
        "platforms": "platforms",
        "platform": "platform/cartwheel",
        "blind-spots": "blind-spots",
        "operators": "operators/delta",
        "case": f"case/{CASE}",
        "pipeline": "pipeline",
    }


def test_the_case_in_which_most_happened_is_pictured() -> None:
    """Among the cases with a breach the most eventful one is chosen; where there is no breach, none."""
    pages: dict[str, Any] = {
        "/v1/operators/a/breaches": {"breaches": [{"at": 1, "case": "1-1"}, {"at": 3, "case": None}]},
        "/v1/operators/b/breaches": {"breaches": [{"at": 2, "case": "2-2"}]},
        "/v1/operators/c/breaches": {"breaches": []},
        "/v1/cases/1-1": {"cases": [{"moments": [{"kind": "event", "what": one} for one in ("COOLING", "RELEASED")]}]},
        "/v1/cases/2-2": {"cases": [{"moments": [{"kind": "event", "what": "COOLING"}] * 3}]},
    }
    assert eventful(pages.__getitem__, ["a", "b"]) == "1-1"
    assert eventful(pages.__getitem__, ["c"]) is None
