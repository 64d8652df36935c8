"""What a person asks an app with: one connection, JSON both ways.

A full HTTP client takes longer to ask than the app to answer, and a crowd asks half a million times.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

TIMEOUT_S = 60.0
NOTHING: Mapping[str, str] = {}


class Page(NamedTuple):
    """An answer."""

    status_code: int
    content: bytes

    def json(self) -> Any:
        """What it says."""
        return json.loads(self.content)

    def good(self) -> Page:
        """Itself, if it is no refusal."""
        assert self.status_code < http.client.BAD_REQUEST, self
        return self


class Browser:
    """A connection to an app, for one thread."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, content: object = None, headers: Mapping[str, str] = NOTHING) -> Page:
        """Ask for one page."""
        body = None if content is None else json.dumps(content)
        self._connection.request(method, path, body, {"content-type": "application/json", **headers})
        answer = self._connection.getresponse()
        return Page(answer.status, answer.read())
