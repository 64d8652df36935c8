"""A platform's end of the hub's HTTP interface: what it makes of answers that cannot be."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hub.delivery.keys import public_form
from hub.errors import HubError
from hub.sdk.http_client import HttpPlatform
from hub.wire.signing import Signer

SIGNER = Signer.from_seed("hooky-1", b"h" * 32, "hub")
IN_CIRCLES: dict[str, Any] = {
    "/inbox": {"messages": [{"kind": "Trial", "message": {}}], "next": 7},
    "/files": {"files": [{"day": "2026-01-01"}], "next": "2026-01-02"},
    "/replay": {"notices": [{}], "next": {"by": "position", "partition": 0, "first": 7}},
}
"""By path: a page that is followed by itself."""


class Hub(BaseHTTPRequestHandler):
    """Answers every question with the same page."""

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Read what is asked, answer."""
        self.rfile.read(int(self.headers["content-length"]))
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/v1/platforms/hooky")
        body = json.dumps(IN_CIRCLES[path]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def platform() -> Iterator[HttpPlatform]:
    """A platform that asks a hub whose pages lead nowhere."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with HttpPlatform(f"http://127.0.0.1:{server.server_port}", "hooky", SIGNER, public_form(SIGNER.public)) as one:
        yield one
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "ask",
    [
        HttpPlatform.requests,
        HttpPlatform.days,
        lambda one: list(one.replay(by="position", partition=0, first=0)),
    ],
    ids=["requests", "days", "replay"],
)
@pytest.mark.timeout(60)
def test_pages_that_lead_nowhere_end(platform: HttpPlatform, ask: Callable[[HttpPlatform], object]) -> None:
    """A hub that names the page it was asked for as the next one is told so, and not asked for ever."""
    with pytest.raises(HubError, match="lead nowhere"):
        ask(platform)
