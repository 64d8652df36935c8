"""What a request over HTTP is refused with: problem details (RFC 9457), each with what to do."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import JSONResponse

from hub.core.model import REFUSAL_TODO, Refusal

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A refused request.

    Args:
        reason: a word for programs; of an acknowledgement, the hub's own reason.
        detail: what is wrong, without anything personal.
        todo: what the caller does next.
    """

    def __init__(self, status: int, reason: str, detail: str, todo: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.todo = todo
        self.retry_after_s = retry_after_s


def refused(reason: Refusal, detail: str) -> Problem:
    """An acknowledgement that the hub would refuse."""
    return Problem(422, str(reason), detail, REFUSAL_TODO[reason])


def answer(_: Request, problem: Exception) -> JSONResponse:
    """The response of a problem."""
    assert isinstance(problem, Problem), "registered for this class alone"
    body = {
        "type": f"urn:unbind-hub:problem:{problem.reason}",
        "title": problem.reason,
        "status": problem.status,
        "detail": problem.detail,
        "reason": problem.reason,
        "todo": problem.todo,
    }
    headers = {} if problem.retry_after_s is None else {"retry-after": str(problem.retry_after_s)}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)
