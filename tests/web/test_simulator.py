"""The simulator of the dashboard's tests against the API of a hub that runs: what holds there must hold here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from hub.core.model import Role
from hub.web.board.board import PAGES
from tests import plain_http
from tests.dashboard.answers import CASE, NUMBER
from tests.dashboard.simulator import Simulator
from tests.dashboard.test_words import WORDS
from tests.dashboard.world import World
from tests.web.running import ASK_S, Web

pytestmark = pytest.mark.broker

FILLED = {"platform_id": "cartwheel", "operator_id": "delta", "case_id": CASE}
NO_ANSWERS = {"/v1/live"}
"""A stream without an end: its events are looked at by themselves."""


@pytest.fixture(scope="module")
def document(web: Web) -> dict[str, Any]:
    """The API's OpenAPI document."""
    found: dict[str, Any] = plain_http.get(web.url + "/openapi.json", timeout=ASK_S).json()
    return found


@pytest.fixture(params=["full", "empty", "lagging"])
def sim(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """The simulator in each of its worlds."""
    worlds = {"full": World(), "empty": World(cases=0), "lagging": World(behind=1_204)}
    one = Simulator(worlds[request.param])
    one.start()
    yield one
    one.stop()


def promised(document: dict[str, Any], method: str, path: str, status: int) -> Draft202012Validator:
    """What the API's document promises of an answer."""
    answer = document["paths"][path][method]["responses"][str(status)]["content"]
    kind = "application/json" if status == httpx.codes.OK else "application/problem+json"
    return Draft202012Validator({**answer[kind]["schema"], "components": document["components"]})


@pytest.mark.parametrize("role", Role)
def test_every_answer_of_the_simulator_is_one_of_the_apis(document: dict[str, Any], sim: Simulator, role: Role) -> None:
    """Every route of the simulator is the API's, for the same roles, and answers in the shape promised for it."""
    checked = 0
    for path, methods in sim.app.openapi()["paths"].items():
        for method in () if path in NO_ANSWERS else methods:
            body = {"number": NUMBER} if method == "post" else None
            headers = {"authorization": f"Bearer sim-{role.lower()}"}
            answer = plain_http.request(method, sim.url + path.format(**FILLED), json=body, headers=headers)
            roles = document["paths"][path][method]["x-roles"]
            assert (answer.status_code != httpx.codes.FORBIDDEN) == (role in roles), (method, path)
            promised(document, method, path, answer.status_code).validate(answer.json())
            checked += 1
    assert checked >= 11


def test_the_simulator_asks_for_what_the_api_asks_for(document: dict[str, Any], sim: Simulator) -> None:
    """What a question may say, and what it is when it says nothing, is the same at both."""
    for path, methods in sim.app.openapi()["paths"].items():
        for method, one in methods.items():
            theirs = {each["name"]: each for each in document["paths"][path][method].get("parameters", ())}
            for mine in one.get("parameters", ()):
                if mine["in"] != "header":
                    assert mine["schema"].get("default") == theirs[mine["name"]]["schema"].get("default"), (path, mine)


def test_what_moves_is_called_the_same(web: Web) -> None:
    """An event of the simulator's stream has the fields of the API's, and names pages that the API names."""
    sim = Simulator(World(), moving=True)
    sim.start()
    api, own = first_event(web.url, web.token(Role.REGISTRAR)), first_event(sim.url, "sim-registrar")
    sim.stop()
    assert own.keys() == api.keys()
    named = {page for pages in PAGES.values() for page in pages}
    assert set(own["what"]) <= named
    assert set(api["what"]) <= named


def test_readers_are_called_the_same_and_have_words(web: Web, sim: Simulator) -> None:
    """The pipeline's readers are the API's at the simulator too, and each has its word in both languages."""
    headers = {"authorization": "Bearer sim-auditor"}
    own = plain_http.get(f"{sim.url}/v1/pipeline", headers=headers).json()
    readers = {one["reader"] for one in web.get(Role.AUDITOR, "/v1/pipeline")["followers"]}
    assert {one["reader"] for one in own["followers"]} == readers
    for words in WORDS.values():
        assert {key.partition(".")[2] for key in words if key.startswith("reader.")} == readers


def first_event(url: str, token: str) -> dict[str, Any]:
    """The first that a live stream says."""
    headers = {"authorization": f"Bearer {token}"}
    with plain_http.stream("GET", url + "/v1/live", headers=headers, timeout=ASK_S) as stream:
        found: dict[str, Any] = next(json.loads(one[5:]) for one in stream.iter_lines() if one.startswith("data:"))
    return found
