"""This module is the login check for other languages: a small HTTP service beside the login, on the same machine.

Numbers are in bodies, never in a URL, and nothing of a request is logged. There are no users and no tokens: it
listens on the machine itself, and a platform that serves it to others puts its own gateway before it. For example,
`POST /v1/check` with a number, `bound_since`, `operation` "log_in" and `signals` gives `recycled` and `advice`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from hub.core.model import Stage
from hub.platform import camara
from hub.problems import BodyLimit, Problem, answer, answer_with_problems, invalid
from hub.sdk.login.check import Advice, LoginCheck, Operation, Reason, Recycled, Signals, Verdict
from hub.sdk.times import iso_time

BATCH_MAX = 1_000
NUMBER_CHARS_MAX = 64
RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")
PROBLEMS: dict[int | str, dict[str, Any]] = {
    422: {"description": "The question is not one.", "content": {"application/problem+json": {}}},
    503: {
        "description": "The record cannot be read: treat it as unknown.",
        "content": {"application/problem+json": {}},
    },
}


def _a_time(value: object) -> object:
    """Accept only RFC 3339 text: pydantic would also guess at numbers and digits, and a guess cannot support a `no`."""
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("must be text, RFC 3339 with a zone, such as 2024-01-31T08:00:00Z")
    return value


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time of the years 1 to 9999, in UTC too") from None


Time = Annotated[AwareDatetime, BeforeValidator(_a_time), AfterValidator(_in_utc)]


class Seen(BaseModel):
    """This is what the platform sees. A platform that knows nothing of devices says true."""

    model_config = ConfigDict(extra="forbid", strict=True)
    new_device: bool
    new_place: bool


class Question(BaseModel):
    """May this number open this account? `bound_since` is since when the number is known to be its user's, or null."""

    model_config = ConfigDict(extra="forbid")
    number: Annotated[str, Field(strict=True, max_length=NUMBER_CHARS_MAX)]
    bound_since: Time | None
    operation: Operation
    signals: Seen


class Questions(BaseModel):
    """These are many questions at once."""

    model_config = ConfigDict(extra="forbid")
    checks: Annotated[list[Question], Field(max_length=BATCH_MAX)]


class InWords(BaseModel):
    """This is what the reason means, in English and in Chinese."""

    en: str
    zh: str


class Said(BaseModel):
    """This is the answer and the advice. Times are in RFC 3339, null where nothing is known."""

    recycled: Recycled
    reason: Reason
    words: InWords
    stage: Stage | None
    advice: Advice
    may_begin_anew: bool
    evidence_from: str | None
    as_of: str | None


class Many(BaseModel):
    """These are the answers in the order of the questions."""

    answers: list[Said]


class Health(BaseModel):
    """This says how far behind the adapter is. `as_of` is when it last had heard everything, null if never."""

    status: Literal["ok", "behind", "never"]
    behind_s: float | None
    as_of: str | None


def web(check: LoginCheck, *, zone: str = "UTC") -> FastAPI:
    """Return the service's app.

    Args:
        zone: the time zone of the days that CAMARA's interface asks for, such as Asia/Shanghai.
    """
    app = FastAPI(title="Unbind hub login check", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit)
    answer_with_problems(app)
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_exception_handler(SQLAlchemyError, _cannot_read)
    camara.mount(app, check, zone)

    @app.post("/v1/check", responses=PROBLEMS)
    def one(question: Question) -> Said:
        """Ask about one number and one binding."""
        return _ask(check, question)

    @app.post("/v1/checks", responses=PROBLEMS)
    def many(questions: Questions) -> Many:
        """Ask about up to 1,000 numbers at once."""
        return Many(answers=[_ask(check, question) for question in questions.checks])

    @app.get("/healthz", responses={503: {"model": Health}})
    def healthz(response: Response) -> Health:
        """Say whether the check can answer "no" at the moment; the status is 503 if not."""
        found = _health(check)
        response.status_code = 200 if found.status == "ok" else 503
        return found

    return app


def serve(check: LoginCheck, host: str = "127.0.0.1", port: int = 8087, *, zone: str = "UTC") -> None:
    """Serve until Ctrl-C or SIGTERM."""
    uvicorn.run(web(check, zone=zone), host=host, port=port, log_level="warning", access_log=False)


def _ask(check: LoginCheck, question: Question) -> Said:
    since = None if question.bound_since is None else _to_ms(question.bound_since)
    signals = Signals(question.signals.new_device, question.signals.new_place)
    return _said(check.check(question.number, since, question.operation, signals))


def _said(verdict: Verdict) -> Said:
    found = verdict.answer
    return Said(
        recycled=found.recycled,
        reason=found.reason,
        words=InWords(**found.words._asdict()),
        stage=found.stage,
        advice=verdict.advice,
        may_begin_anew=verdict.may_begin_anew,
        evidence_from=_time(found.evidence_from),
        as_of=_time(found.as_of),
    )


def _health(check: LoginCheck) -> Health:
    at = check.evidence().caught_up_at
    if at is None:
        return Health(status="never", behind_s=None, as_of=None)
    behind_s = abs(check.settings.clock() - at) / 1_000  # a time ahead, by the adapter's clock, is no better
    return Health(
        status="ok" if behind_s <= check.settings.behind_max_s else "behind", behind_s=behind_s, as_of=_time(at)
    )


def _to_ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_time(at_ms)


async def _refuse(request: Request, wrong: Exception) -> JSONResponse:
    if request.url.path.startswith(camara.PREFIX):
        return camara.refuse(wrong)
    return invalid(request, wrong)


async def _cannot_read(request: Request, _: Exception) -> JSONResponse:
    if request.url.path.startswith(camara.PREFIX):
        return camara.unavailable()
    away = "the record of last cases cannot be read"
    return answer(request, Problem(503, "RECORD_AWAY", away, "Treat it as unknown.", retry_after_s=5))
