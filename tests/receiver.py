"""A platform's small web server that receives webhooks: checks them, keeps them, answers as told."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from hub.sdk.webhooks import check_webhook

OK = 204


class Got(NamedTuple):
    """One webhook that was answered 2xx."""

    id: str
    partition: int
    first: int
    last: int
    notices: list[dict[str, Any]]
    body: bytes


class Receiver:
    """Receives webhooks on a port and a path of its own.

    The path is never used twice: a port that a receiver left free may be another's a moment later, and a sender that
    still looks for the first is not to be counted by the second.

    Args:
        answer: the status of each request, by its number from 0.
        thinks_s: how long it takes to answer what it has taken.

    What it has taken it answers once `may_answer` is set, as it is at first.
    """

    def __init__(self, public_key: str, answer: Callable[[int], int] = lambda _: OK, thinks_s: float = 0.0) -> None:
        self.got: list[Got] = []
        self.told: list[dict[str, Any]] = []
        """What came besides notices: messages of its inbox, as they came."""
        self.requests = 0
        self.bad = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._public_key = public_key
        self._answer = answer
        self._thinks_s = thinks_s
        self._lock = threading.Lock()
        self._path = f"/{secrets.token_hex(8)}"
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                if self.path == receiver._path:
                    receiver._take(self)
                else:
                    self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{self._path}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, request: Any) -> None:
        length = int(request.headers["content-length"])
        body = request.rfile.read(length)
        if len(body) < length:  # its sender died
            request.close_connection = True
            return
        with self._lock:
            status = self._answer(self.requests)
            self.requests += 1
            try:
                content = check_webhook(self._public_key, dict(request.headers), body)
            except Exception:  # noqa: BLE001  (whatever is wrong with it, the test wants to see it)
                self.bad += 1
                status = 400
            else:
                if 200 <= status < 300:
                    self._keep(request.headers["webhook-id"], content, body)
        time.sleep(self._thinks_s)
        self.may_answer.wait()
        request.send_response(status)
        request.send_header("content-length", "0")
        request.end_headers()

    def _keep(self, message_id: str, content: dict[str, Any], body: bytes) -> None:
        data = content["data"]
        if content["type"] == "release.notices":
            where = (data["partition"], data["first"], data["last"])
            self.got.append(Got(message_id, *where, data["notices"], body))
        else:
            self.told.append(data)

    def positions(self) -> set[tuple[int, int]]:
        """Every position it answered 2xx to."""
        with self._lock:
            return {(one.partition, offset) for one in self.got for offset in range(one.first, one.last + 1)}

    def through(self) -> dict[int, int]:
        """By partition, the last position before the first hole in what it received."""
        found: dict[int, int] = {}
        for partition, offset in sorted(self.positions()):
            if offset == found.get(partition, -1) + 1:
                found[partition] = offset
        return found

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
