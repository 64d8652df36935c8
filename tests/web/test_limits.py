"""How much one may ask, and what a hub that is behind says: a web with small limits that waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hub.core.model import Role
from hub.web.settings import WebSettings
from tests import plain_http
from tests.broker.scene import wait_until
from tests.web.running import ASK_S, Web

pytestmark = pytest.mark.broker

LIMITS = """
requests_per_s: 0.01
requests_burst: 5
numbers_per_s: 100
numbers_burst: 100
numbers_a_day: 3
unproven_per_s: 0.01
unproven_burst: 3
"""
STREAMS_EACH_MAX = WebSettings.streams_each_max


@pytest.fixture(scope="module")
def hasty(web: Web) -> Iterator[Web]:
    """The same hub, asked through another program."""
    file = web.scene.hub.data_dir / "limits.yaml"
    file.write_text(LIMITS, encoding="utf-8")
    with web.beside("hasty", "--limits", str(file), "--reach-s", "0") as one:
        yield one


def too_many(answer: httpx.Response, reason: str) -> int:
    """The seconds a refused request is told to wait."""
    assert (answer.status_code, answer.json()["reason"]) == (429, reason), answer.text
    assert answer.json()["todo"]
    return int(answer.headers["retry-after"])


def test_a_subject_has_its_rate(hasty: Web) -> None:
    """After its burst a subject waits as told; another, and the same name in another role, do not."""
    for _ in range(5):
        hasty.get(Role.VIEWER, "/v1/me", subject="eager")
    assert 0 < too_many(hasty.ask(Role.VIEWER, "GET", "/v1/me", "eager"), "TOO_MANY") <= 101
    hasty.get(Role.VIEWER, "/v1/me", subject="patient")
    hasty.get(Role.AUDITOR, "/v1/me", subject="eager")


def test_a_days_numbers_are_counted_one_by_one(hasty: Web) -> None:
    """The quota is of numbers, by whatever way they are asked about, and a refused question uses none of it."""
    ask: dict[str, Any] = {"numbers": hasty.numbers[:4]}
    assert too_many(hasty.ask(Role.OPERATOR, "POST", "/v1/clearance", json=ask), "QUOTA_SPENT") <= 86_401
    hasty.post(Role.OPERATOR, "/v1/clearance", {"numbers": hasty.numbers[:2]})
    hasty.get(Role.OPERATOR, f"/v1/cases/{hasty.cases[hasty.numbers[0]]}")
    spent = hasty.ask(Role.OPERATOR, "POST", "/v1/cases/lookup", json={"number": hasty.numbers[0]})
    assert too_many(spent, "QUOTA_SPENT") > 0


def test_an_address_that_proves_nobody_is_turned_away(hasty: Web) -> None:
    """Before its tokens are looked at; its neighbours behind the same proxy who were let in before go on."""
    there, elsewhere = {"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "192.0.2.2"}
    known = {**there, "authorization": f"Bearer {hasty.token(Role.VIEWER, 'neighbour')}"}
    assert hasty.ask(None, "GET", "/v1/me", headers=known).status_code == 200
    spoilt = {**there, "authorization": "Bearer a.b.c"}
    for _ in range(3):
        assert hasty.ask(None, "GET", "/v1/me", headers=spoilt).status_code == 401
    assert too_many(hasty.ask(None, "GET", "/v1/me", headers=spoilt), "TOO_MANY") > 0
    assert too_many(hasty.ask(Role.VIEWER, "GET", "/v1/me", "newcomer", headers=there), "TOO_MANY") > 0
    assert hasty.ask(None, "GET", "/v1/me", headers=known).status_code == 200
    assert hasty.ask(None, "GET", "/v1/me", headers=elsewhere).status_code == 401


@pytest.mark.parametrize("kind", ["after-cancelling", "new-owner"])
def test_a_hub_that_is_behind_makes_no_notice(hasty: Web, kind: str) -> None:
    """What it may not know yet is told to nobody as a fact: it says when to ask again."""
    asked = {"number": hasty.numbers[0]}
    answer = hasty.ask(Role.REGISTRAR, "POST", f"/v1/notices/{kind}", "late", json=asked)
    assert (answer.status_code, answer.json()["reason"]) == (503, "BEHIND")
    assert answer.json()["todo"]
    assert int(answer.headers["retry-after"]) > 0


def test_a_case_of_a_hub_that_is_behind_is_called_stale(hasty: Web) -> None:
    """A page may be looked at meanwhile, and says that it may be old."""
    case = hasty.get(Role.AUDITOR, f"/v1/cases/{hasty.cases[hasty.numbers[0]]}", subject="late")
    assert case["as_of"]["stale"]
    assert hasty.post(Role.AUDITOR, "/v1/cases/lookup", {"number": hasty.numbers[0]}, subject="late")["as_of"]["stale"]


async def test_streams_are_counted_as_they_are_let_in(web: Web) -> None:
    """However many come at once, one subject has its ten; whoever closes one has it back."""
    headers = {"authorization": f"Bearer {web.token(Role.VIEWER, 'many-tabs')}"}
    async with httpx.AsyncClient(
        verify=plain_http.NO_TLS, base_url=web.url, headers=headers, timeout=ASK_S, limits=httpx.Limits()
    ) as client:

        async def open_one() -> httpx.Response:
            return await client.send(client.build_request("GET", "/v1/live"), stream=True)

        opened = await asyncio.gather(*(open_one() for _ in range(3 * STREAMS_EACH_MAX)))
        let_in = [one for one in opened if one.status_code == 200]
        assert len(let_in) == STREAMS_EACH_MAX
        assert {one.status_code for one in opened} == {200, 429}
        for one in opened:
            await one.aclose()
    wait_until("the places are free", lambda: "hub_web_streams 0.0" in plain_http.get(web.metrics_url, timeout=10).text)
