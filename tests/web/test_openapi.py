"""Schemathesis over the whole OpenAPI document, with every role's token and without: no 5xx, no shape broken.

It asks as subjects of its own, and as nobody from an address of its own: what it spends is nobody else's.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub.core.model import Role
from tests import plain_http
from tests.web.running import ASK_S, Web

pytestmark = pytest.mark.broker

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
WHO = [*Role, None]
EXAMPLES = [pytest.param(6, id="short"), pytest.param(100, id="full", marks=pytest.mark.soak)]
ENDLESS = "/v1/live"
"""A stream without an end; tests/web/test_answers.py reads from it."""


@pytest.fixture(scope="module")
def document(web: Web) -> dict[str, Any]:
    found: dict[str, Any] = plain_http.get(web.url + "/openapi.json", timeout=ASK_S).json()
    return found


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    """The document holds to its own standard, and names what each route may be refused with."""
    assert document["openapi"].startswith("3.1")
    validate(document)
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            assert {"401", "403", "422", "429", "503"} <= one["responses"].keys(), (method, path)
            assert one["security"], (method, path)


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda one: one.value)
@pytest.mark.parametrize("role", WHO, ids=lambda one: "nobody" if one is None else one.lower())
def test_nothing_breaks_it(
    web: Web, document: dict[str, Any], role: Role | None, mode: GenerationMode, examples: int
) -> None:
    """Whatever is sent to any route is answered in the shapes the document promises, never with a 5xx."""
    schema = schemathesis.openapi.from_dict(document)
    headers = {"x-forwarded-for": "192.0.2.200"}
    if role is not None:
        headers["authorization"] = f"Bearer {web.token(role, 'schemathesis')}"
    seen: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation: Any = cast(Any, found).ok()
        if operation.path != ENDLESS and not (mode is GenerationMode.NEGATIVE and _takes_nothing(operation)):
            _attack(operation, web.url, headers, mode, examples, seen)
    if role is None:
        assert seen.keys() <= {400, 401, 422, 429}, "a body that is none is refused before anybody asks whose it is"
        assert seen[401]
    elif mode is GenerationMode.POSITIVE:
        assert seen[200], seen
    else:
        assert seen[422], seen


def _takes_nothing(operation: Any) -> bool:
    """Whether there is nothing about a request that could be wrong."""
    return not operation.body and not any(operation.iter_parameters())


def _attack(
    operation: Any, url: str, headers: dict[str, str], mode: GenerationMode, examples: int, seen: Counter[int]
) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def attack(case: Any) -> None:
        answer = case.call(base_url=url, headers=headers, timeout=ASK_S)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert answer.json()["reason"]
            assert answer.json()["todo"]

    attack()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{" * 100_000, "application/json"),
        (b'{"number":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "application/json"),
        (b'{"number": NaN}', "application/json"),
        (b'{"number": "+8613500000001", "number": 7}', "application/json"),
        (b'{"number": "\xff\xfe"}', "application/json"),
        (b'{"number": "\\ud800"}', "application/json"),
        (b'{"number": "+8613500000001", "more": 1}', "application/json"),
        (b"number=%2B8613500000001", "application/x-www-form-urlencoded"),
        (b"", "application/json"),
        (b"x" * 2_000_000, "application/json"),
    ],
    ids=["open", "deep", "nan", "twice", "latin", "surrogate", "unknown", "form", "nothing", "huge"],
)
def test_a_spoilt_body_is_refused_and_not_said_back(web: Web, content: bytes, kind: str) -> None:
    """Whatever the body is made of: it is refused, with what to do, and nothing of it in the answer."""
    answer = web.ask(Role.AUDITOR, "POST", "/v1/cases/lookup", content=content, headers={"content-type": kind})
    assert answer.status_code in {400, 413, 422}, answer.text
    assert answer.json()["todo"]
    assert "13500000001" not in answer.text


def test_a_wrong_path_or_method_is_a_problem_too(web: Web) -> None:
    """What is not there is said in the same way."""
    assert web.ask(Role.AUDITOR, "GET", "/v1/nothing").json()["reason"] == "NO_SUCH_PAGE"
    assert web.ask(Role.AUDITOR, "DELETE", "/v1/overview").json()["reason"] == "NO_SUCH_METHOD"
