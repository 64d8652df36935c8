"""This module says who may ask what: it lists every route with its roles. A route that is not here cannot be made.

For example, only an auditor may ask `GET /v1/lookups`. `hub.web.access.seen` decides what a role sees of an answer.
"""

from __future__ import annotations

from hub.core.model import Role

EVERYBODY = frozenset(Role)
STAFF = frozenset({Role.REGISTRAR, Role.AUDITOR})
"""The roles that see platforms by name, also where one number is concerned."""

OPERATOR = frozenset({Role.OPERATOR})
ABOUT_NUMBERS = STAFF | OPERATOR

WHO: dict[str, frozenset[Role]] = {
    "GET /v1/me": EVERYBODY,
    "GET /v1/live": EVERYBODY,
    "GET /v1/overview": EVERYBODY,
    "GET /v1/platforms": EVERYBODY,
    "GET /v1/platforms/heatmap": EVERYBODY,
    "GET /v1/platforms/{platform_id}": EVERYBODY,
    "GET /v1/blind-spots": EVERYBODY,
    "GET /v1/operators": STAFF | OPERATOR | {Role.VIEWER},
    "GET /v1/operators/{operator_id}/breaches": ABOUT_NUMBERS,
    "GET /v1/refusals": STAFF | OPERATOR | {Role.PLATFORM},
    "GET /v1/pipeline": STAFF,
    "POST /v1/cases/lookup": ABOUT_NUMBERS,
    "GET /v1/cases/{case_id}": ABOUT_NUMBERS,
    "POST /v1/clearance": ABOUT_NUMBERS,
    "GET /v1/clearance/policy": EVERYBODY,
    "POST /v1/notices/before-cancelling": EVERYBODY,
    "POST /v1/notices/after-cancelling": ABOUT_NUMBERS,
    "POST /v1/notices/new-owner": ABOUT_NUMBERS,
    "POST /v1/events": OPERATOR,
    "POST /v1/events/draft": OPERATOR,
    "POST /v1/day-reports/draft": OPERATOR,
    "POST /v1/clean-ups/draft": OPERATOR,
    "POST /v1/reports": OPERATOR,
    "POST /v1/reports/draft": OPERATOR,
    "GET /v1/receipts": OPERATOR,
    "GET /v1/clean-ups": OPERATOR,
    "GET /v1/roster/platforms": STAFF,
    "GET /v1/roster/operators": STAFF,
    "POST /v1/roster/platforms/{platform_id}/state": frozenset({Role.REGISTRAR}),
    "GET /v1/lookups": frozenset({Role.AUDITOR}),
    "POST /v1/lookups/search": frozenset({Role.AUDITOR}),
}
