"""This module serves the dashboard's files, with headers that let a page run only what the hub itself serves.

The policy is `default-src 'self'` without exceptions: it allows no inline script or style, and nothing from elsewhere.
ECharts works with it because it draws its charts and its tooltips on a canvas. Styles that a script sets through the
object model are allowed.
"""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Scope

FOLDER = Path(__file__).parents[1] / "dashboard"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml"}
"""The types of files are listed here: a machine's own table may differ, and with `nosniff` the browser believes it."""
VENDORED_S = 86_400
ZIPPED_BYTES_MIN = 1_000


@lru_cache
def _zipped(path: str, changed_ns: int) -> bytes:  # noqa: ARG001 - a file that changed is another
    return gzip.compress(Path(path).read_bytes(), mtime=0)


class PageFiles(StaticFiles):
    """The dashboard's files. A browser checks each time whether its copy is current; for vendored files, once a day."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with the headers of the page."""
        answer = await super().get_response(path, scope)
        answer.headers.update(HEADERS)
        vendored = path.startswith("vendor/")
        answer.headers["Cache-Control"] = f"max-age={VENDORED_S}" if vendored else "no-cache"
        kind = TYPES.get(Path(path).suffix) or mimetypes.guess_type(path)[0]
        if answer.status_code == 200 and kind is not None:
            answer.headers["Content-Type"] = f"{kind}; charset=utf-8" if kind != "image/svg+xml" else kind
        return _packed(answer, Headers(scope=scope))


def _packed(answer: Response, asked: Headers) -> Response:
    """Return a whole file, compressed if the browser takes gzip. It is compressed once: doing it each time would block
    everybody."""
    takes = "gzip" in asked.get("Accept-Encoding", "") and "Range" not in asked
    if not takes or not isinstance(answer, FileResponse) or answer.status_code != 200 or answer.stat_result is None:
        return answer
    if answer.stat_result.st_size < ZIPPED_BYTES_MIN:
        return answer
    content = _zipped(str(answer.path), answer.stat_result.st_mtime_ns)
    headers = {name: value for name, value in answer.headers.items() if name not in {"content-length", "accept-ranges"}}
    return Response(content, headers=headers | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})


def mount_dashboard(app: FastAPI) -> None:
    """Serve the dashboard at `/`. Call this after every route of the API: paths that the API does not know end here."""
    app.mount("/", PageFiles(directory=FOLDER, html=True), name="dashboard")
