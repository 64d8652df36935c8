"""Who may ask what: every role at every route, against an expectation written here and not taken from the code."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.model import Role
from hub.web.access.who import WHO
from tests import plain_http
from tests.web.running import SUBJECTS, Web

pytestmark = pytest.mark.broker

ALL = "OPRVA"
"""Operator, platform, registrar, viewer, auditor: first letters."""
LETTERS = {"O": Role.OPERATOR, "P": Role.PLATFORM, "R": Role.REGISTRAR, "V": Role.VIEWER, "A": Role.AUDITOR}

SUSPENDED = {"number": "+8613500000001", "type": "SUSPENDED", "occurred_at": "2026-01-01T00:00:00Z"}

EXPECTED: list[tuple[str, str, Any, str]] = [
    ("GET", "/v1/me", None, ALL),
    ("GET", "/v1/overview", None, ALL),
    ("GET", "/v1/platforms", None, ALL),
    ("GET", "/v1/platforms/heatmap", None, ALL),
    ("GET", "/v1/platforms/bank", None, ALL),
    ("GET", "/v1/blind-spots", None, ALL),
    ("GET", "/v1/operators", None, "ORVA"),
    ("GET", "/v1/operators/north/breaches", None, "ORA"),
    ("GET", "/v1/refusals", None, "OPRA"),
    ("GET", "/v1/pipeline", None, "RA"),
    ("POST", "/v1/cases/lookup", {"number": "+8613500000001"}, "ORA"),
    ("GET", "/v1/cases/{case}", None, "ORA"),
    ("POST", "/v1/clearance", {"numbers": ["+8613500000001"]}, "ORA"),
    ("GET", "/v1/clearance/policy", None, ALL),
    ("POST", "/v1/notices/before-cancelling", None, ALL),
    ("POST", "/v1/notices/after-cancelling", {"number": "+8613500000001"}, "ORA"),
    ("POST", "/v1/notices/new-owner", {"number": "+8613500000001"}, "ORA"),
    ("POST", "/v1/events", None, "O"),
    (
        "POST",
        "/v1/events/draft",
        {"number": "+8613500000001", "type": "SUSPENDED", "occurred_at": "2026-01-01T00:00:00Z"},
        "O",
    ),
    ("POST", "/v1/reports", None, "O"),
    (
        "POST",
        "/v1/reports/draft",
        {"number": "+8613500000001", "platform": "bank", "kind": "DEBT_CALLS", "happened_at": "2026-01-01T00:00:00Z"},
        "O",
    ),
    ("POST", "/v1/day-reports/draft", {"day": "2026-01-01", "sent": [0] * 12}, "O"),
    ("POST", "/v1/clean-ups/draft", None, "O"),
    ("GET", "/v1/receipts", None, "O"),
    ("GET", "/v1/clean-ups", None, "O"),
    ("GET", "/v1/roster/platforms", None, "RA"),
    ("GET", "/v1/roster/operators", None, "RA"),
    ("POST", "/v1/roster/platforms/nobody/state", {"state": "LEFT"}, "R"),
    ("GET", "/v1/lookups", None, "A"),
    ("POST", "/v1/lookups/search", {"number": "+8613500000001"}, "A"),
    ("GET", "/v1/live", None, ALL),
]
BEYOND_THE_DOOR = {
    "/v1/events": 422,
    "/v1/reports": 422,
    "/v1/clean-ups/draft": 422,
    "/v1/roster/platforms/nobody/state": 404,
}
"""What an empty or wrong request is answered with once its role was let in; 200 elsewhere."""


def as_made(method: str, path: str) -> str:
    """The route of a request, as the table of roles names it."""
    for sample, name in (
        ("/heatmap", "/heatmap"),
        ("/roster/platforms/nobody/", "/roster/platforms/{platform_id}/"),
        ("/platforms/bank", "/platforms/{platform_id}"),
        ("/operators/north/", "/operators/{operator_id}/"),
        ("{case}", "{case_id}"),
    ):
        if sample in path:
            return f"{method} {path.replace(sample, name)}"
    return f"{method} {path}"


def test_every_route_is_expected_here() -> None:
    """A route that nobody thought about here does not exist."""
    assert {as_made(method, path) for method, path, _, _ in EXPECTED} == set(WHO)


@pytest.mark.parametrize(
    ("method", "path", "body", "letters"), EXPECTED, ids=[f"{one[0]} {one[1]}" for one in EXPECTED]
)
def test_each_role_gets_in_where_it_should_and_nowhere_else(
    web: Web, method: str, path: str, body: Any, letters: str
) -> None:
    """The right roles are answered, the others get 403 with what to do, nobody at all 401."""
    path = path.replace("{case}", str(web.cases[web.numbers[0]]))
    if path == "/v1/live":
        check_live(web)
        return
    for letter, role in LETTERS.items():
        answer = web.ask(role, method, path, json=body) if body is not None else web.ask(role, method, path)
        if letter in letters:
            assert answer.status_code == BEYOND_THE_DOOR.get(path, 200), (role, answer.text)
        else:
            assert (answer.status_code, answer.json()["reason"]) == (403, "NOT_FOR_THIS_ROLE"), role
        assert answer.status_code == 200 or answer.json()["todo"]
    nobody = web.ask(None, method, path, json=body) if body is not None else web.ask(None, method, path)
    assert nobody.status_code == 401
    assert nobody.headers["www-authenticate"] == "Bearer"


def check_live(web: Web) -> None:
    for role in LETTERS.values():
        headers = {"authorization": f"Bearer {web.token(role, SUBJECTS[role])}"}
        with plain_http.stream("GET", web.url + "/v1/live", headers=headers, timeout=20) as stream:
            assert stream.status_code == 200
            assert next(stream.iter_lines()) == ": beat"
    assert web.ask(None, "GET", "/v1/live").status_code == 401
