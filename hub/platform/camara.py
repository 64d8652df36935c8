"""This module serves the login check as CAMARA's number-recycling (v0.2.0), with its fields, errors and correlator.

Source: camaraproject/NumberRecycling, code/API_definitions/number-recycling.yaml. Its `specifiedDate` is a day, ours a
moment: the day stands for the number's holder at its end, so that the day on which a contract began is `false`, as
CAMARA asks; a day on which nobody had the number is `true`. CAMARA has no word for unknown. What we do not know is
OUT_OF_RANGE (400), a number of an operator that does not tell us is IDENTIFIER_NOT_FOUND (404), and an adapter that is
behind is UNAVAILABLE (503). For example, `{"phoneNumber": "+8613800138000", "specifiedDate": "2026-01-31"}` gives
`{"phoneNumberRecycled": true}` if the number changed hands in February.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Header
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from hub.errors import PlatformError
from hub.sdk.login.check import LoginCheck, Reason, Recycled

PREFIX = "/number-recycling/"
PATH = PREFIX + "v0.2/check"
CORRELATOR = re.compile(r"[a-zA-Z0-9-_:;.\/<>{}]{0,256}")


class Asked(BaseModel):
    """This is the question. Only a caller whose token names the number may omit `phoneNumber`; we have no tokens."""

    model_config = ConfigDict(extra="forbid", strict=True)
    phoneNumber: Annotated[str | None, Field(pattern=r"^\+[1-9][0-9]{4,14}$")] = None  # noqa: N815 - CAMARA's name
    specifiedDate: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="RFC 3339 full-date")]  # noqa: N815


class Told(BaseModel):
    """This says whether the number's holder changed since that day."""

    phoneNumberRecycled: bool  # noqa: N815 - CAMARA's name


class ErrorInfo(BaseModel):
    """This is an error in the form that all of CAMARA uses."""

    status: int
    code: str
    message: str


ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorInfo} for status in (400, 404, 422, 503)}


def error(status: int, code: str, message: str) -> JSONResponse:
    """Return an error in the form that all of CAMARA uses."""
    return JSONResponse({"status": status, "code": code, "message": message}, status)


UNKNOWN: Mapping[Reason, tuple[int, str, str]] = {
    Reason.NOT_A_NUMBER: (404, "IDENTIFIER_NOT_FOUND", "No number in use is written so."),
    Reason.AMBIGUOUS: (404, "IDENTIFIER_NOT_FOUND", "It may be one of several numbers."),
    Reason.NOT_SERVED: (404, "IDENTIFIER_NOT_FOUND", "No operator we hear serves this number."),
    Reason.BEFORE_EVIDENCE: (400, "OUT_OF_RANGE", "The day is before the evidence begins."),
    Reason.BETWEEN_OWNERS: (400, "OUT_OF_RANGE", "Nobody held the number on that day."),
    Reason.HANDOVER_WITHDRAWN: (400, "OUT_OF_RANGE", "The handover of the number was withdrawn."),
    Reason.BOUND_IN_FUTURE: (400, "OUT_OF_RANGE", "The day lies in the future."),
    Reason.AGE_UNKNOWN: (400, "INVALID_ARGUMENT", "A day is needed."),
    Reason.ADAPTER_BEHIND: (503, "UNAVAILABLE", "What happened lately was not heard yet."),
}


def unavailable() -> JSONResponse:
    """Return the error that the record cannot be read."""
    return error(503, "UNAVAILABLE", "The record cannot be read.")


def refuse(wrong: Exception) -> JSONResponse:
    """Return the error for a body that is not a question; nothing of the body is repeated."""
    assert isinstance(wrong, RequestValidationError)
    fields = {name for one in wrong.errors() for name in one["loc"] if name in Asked.model_fields}
    what = " and ".join(sorted(fields)) or "The body"
    return error(400, "INVALID_ARGUMENT", f"{what} cannot be read.")


def mount(app: FastAPI, check: LoginCheck, zone: str) -> None:
    """Add the route to the login check's app.

    Raises:
        PlatformError: there is no such time zone.
    """
    try:
        where = ZoneInfo(zone)
    except (KeyError, ValueError) as wrong:
        raise PlatformError("there is no such time zone", todo="Give one such as Asia/Shanghai.") from wrong

    @app.post(PATH, response_model=Told, responses=ERRORS, operation_id="checkNumberRecycling")
    def check_number_recycling(
        asked: Asked, x_correlator: Annotated[str | None, Header(max_length=10_000)] = None
    ) -> JSONResponse:
        """Answer as CAMARA number-recycling v0.2.0."""
        if x_correlator is not None and not CORRELATOR.fullmatch(x_correlator):
            return error(400, "INVALID_ARGUMENT", "x-correlator cannot be read.")
        answer = _answer(check, asked, where)
        if x_correlator is not None:
            answer.headers["x-correlator"] = x_correlator
        return answer


def _answer(check: LoginCheck, asked: Asked, zone: ZoneInfo) -> JSONResponse:
    if asked.phoneNumber is None:
        return error(422, "MISSING_IDENTIFIER", "phoneNumber is needed.")
    try:
        day = date.fromisoformat(asked.specifiedDate)
        after = day + timedelta(days=1)
        ends_at = int(datetime(after.year, after.month, after.day, tzinfo=zone).timestamp() * 1_000) - 1
    except (ValueError, OverflowError):
        return error(400, "INVALID_ARGUMENT", "specifiedDate is no day.")
    now_ms = check.settings.clock()
    if day > datetime.fromtimestamp(now_ms / 1_000, zone).date():
        return error(*UNKNOWN[Reason.BOUND_IN_FUTURE])
    until = check.last_case_until(asked.phoneNumber)
    if until is not None and ends_at < until:
        return JSONResponse({"phoneNumberRecycled": True})
    found = check.is_recycled(asked.phoneNumber, min(ends_at, now_ms))
    if found.recycled is Recycled.UNKNOWN:
        return error(*UNKNOWN[found.reason])
    return JSONResponse({"phoneNumberRecycled": found.recycled is Recycled.YES})
