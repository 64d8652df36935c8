"""What every app of the hub answers to what does not fit: `hub.problems`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Annotated, Literal

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from hub.problems import ERRORS_MAX, MEDIA_TYPE, BodyLimit, Problem, answer_with_problems
from tests import plain_http
from tests.stories.app import serving

NUMBER = "+8613512345678"
MOST = 1_000


class Cat(BaseModel):
    """One of two kinds."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"]


class Asked(BaseModel):
    """A question with a list."""

    model_config = ConfigDict(extra="forbid")
    animals: list[Annotated[Cat | Dog, Field(discriminator="kind")]]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A small app with everything that can go wrong."""
    app = FastAPI()
    answer_with_problems(app)
    app.add_middleware(BodyLimit, most=MOST)

    @app.post("/animals")
    def animals(asked: Asked, limit: int = 1) -> int:
        if limit == 7:
            raise Problem(409, "SEVEN", "that is the seventh", "Take six.", retry_after_s=3, more={"known": 6})
        return len(asked.animals) // (limit - 8)

    @app.post("/break/{number}")
    def breaks(number: str) -> None:
        raise ValueError(f"cannot do {number}")

    with serving(app) as url, httpx.Client(verify=plain_http.NO_TLS, base_url=url) as client:
        yield client


def _problem(answer: httpx.Response, status: int, reason: str) -> dict[str, object]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    said: dict[str, object] = answer.json()
    assert (said["status"], said["reason"], said["title"]) == (status, reason, reason)
    assert all(said[one] for one in ("type", "detail", "todo"))
    assert NUMBER[1:] not in answer.text
    return said


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "animals"),
        ({"animals": [], NUMBER: 1}, "(unknown field)"),
        ({"animals": [{"kind": NUMBER}]}, "animals.0"),
        ({"animals": [{"kind": "cat", "lives": NUMBER + "x"}]}, "animals.0.(unknown field).lives"),
        ({"animals": [{"kind": "cat", "lives": 1, NUMBER: NUMBER}]}, "animals.0.(unknown field).(unknown field)"),
        ({"animals": NUMBER}, "animals"),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(http: httpx.Client, body: dict[str, object], at: str) -> None:
    """A body's fault is named by place and rule; nothing that was sent is said back, not even a field's name."""
    said = _problem(http.post("/animals", json=body), 422, "BAD_REQUEST")
    assert isinstance(said["errors"], list)
    assert [one["at"] for one in said["errors"]] == [at]


def test_a_hundred_faults_are_not_all_listed(http: httpx.Client) -> None:
    """The list of what is wrong is bounded."""
    said = _problem(http.post("/animals", json={"animals": [1] * 100}), 422, "BAD_REQUEST")
    assert isinstance(said["errors"], list)
    assert len(said["errors"]) == ERRORS_MAX


def test_what_is_not_there_is_a_problem(http: httpx.Client) -> None:
    """Another path, another method, and what is no JSON."""
    _problem(http.get(f"/{NUMBER}"), 404, "NO_SUCH_PAGE")
    assert http.get("/animals").headers["allow"] == "POST"
    _problem(http.get("/animals"), 405, "NO_SUCH_METHOD")
    _problem(http.post("/animals", content=NUMBER.encode() + b"{"), 422, "BAD_REQUEST")


def test_a_problem_says_when_to_come_back(http: httpx.Client) -> None:
    """A problem's own members and its Retry-After are in the answer."""
    answer = http.post("/animals?limit=7", json={"animals": []})
    assert _problem(answer, 409, "SEVEN")["known"] == 6
    assert answer.headers["retry-after"] == "3"


@pytest.mark.parametrize("pieces", [1, 7, MOST])
def test_a_body_is_bounded(http: httpx.Client, pieces: int) -> None:
    """As many bytes as allowed are read, in whatever pieces; one more is refused."""
    body = b'{"animals":[]}'.ljust(MOST)
    parts = [body[at : at + MOST // pieces + 1] for at in range(0, MOST, MOST // pieces + 1)]
    json_type = {"content-type": "application/json"}
    assert http.post("/animals", content=iter(parts), headers=json_type).status_code == 200
    _problem(http.post("/animals", content=iter([*parts, b" "]), headers=json_type), 413, "TOO_LARGE")


def test_a_mistake_of_ours_is_logged_without_its_text(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the kind and the line of a fault, and neither it nor the answer has the text."""
    with caplog.at_level(logging.DEBUG):
        _problem(http.post(f"/break/{NUMBER}"), 500, "HUB_FAULT")
        _problem(http.post("/animals?limit=8", json={"animals": []}), 500, "HUB_FAULT")
    told = [one.getMessage() for one in caplog.records if one.name == "hub.problems"]
    assert [one.split(" in ")[0] for one in told] == ["ValueError", "ZeroDivisionError"]
    assert all("test_problems.py:" in one and one.count("\n") == 0 for one in told)
    assert not any(NUMBER[1:] in caplog.handler.format(one) for one in caplog.records if one.name != "httpx")
