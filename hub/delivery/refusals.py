"""This module tells a caller over HTTP at once that the hub would refuse a message: the hub's reason and what to do."""

from __future__ import annotations

from hub.core.model import REFUSAL_TODO, Refusal
from hub.problems import Problem


def refused(reason: Refusal, detail: str) -> Problem:
    """Return the problem of a message that the hub would refuse for a reason; `detail` says what is wrong with it."""
    return Problem(422, str(reason), detail, REFUSAL_TODO[reason])
