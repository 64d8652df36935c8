"""The roster over HTTP: a registrar moves a platform from one state to another, as its life allows."""

from __future__ import annotations

import pytest

from hub.core.model import PlatformState, Role
from tests.broker.scene import wait_until
from tests.web.running import Web

pytestmark = pytest.mark.broker

STATE = "/v1/roster/platforms/cafe/state"


def test_a_registrar_moves_a_platform_to_another_state(web: Web) -> None:
    """The change is on the roster and in its history, by whom and why; what does not follow changes nothing."""
    web.scene.put_platforms(web.scene.platform("cafe", tier=3, state=PlatformState.EXEMPT))
    changed = web.post(Role.REGISTRAR, STATE, {"state": "LEFT", "note": "closed down"}, subject="ana")
    assert (changed["state"], changed["history"][-1]["note"]) == ("LEFT", "ana: closed down")
    assert changed["left_at"] == changed["history"][-1]["at"]

    def kept() -> list[object]:
        found = web.get(Role.AUDITOR, "/v1/roster/platforms")["platforms"]
        return [one for one in found if one["id"] == "cafe" and one["state"] == "LEFT"]

    wait_until("everybody sees it", lambda: kept() == [changed])
    refused = web.ask(Role.REGISTRAR, "POST", STATE, json={"state": "CONNECTED"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "DOES_NOT_FOLLOW")
    assert "LEFT" in refused.json()["detail"]
    assert refused.json()["todo"]
    assert kept() == [changed]
