"""This module adds the routes for operators without Kafka: they send events and reports, and read their receipts.

For example, an operator asks `POST /v1/events/draft`, signs the bytes it gets, posts them to `/v1/events`, and finds
the decision under `GET /v1/receipts`. FastAPI reads the annotations, so they are evaluated here (there is no
`from __future__`).
"""

from typing import Annotated, Any

from fastapi import Query, Request

from hub.problems import Problem
from hub.web import shapes
from hub.web.routes import sending
from hub.web.routes.routing import Asker, Routes
from hub.wire import contracts

OFFSET_MAX = 2**62
AVRO_BODY: dict[str, Any] = {
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        "parameters": [
            {"name": "key-id", "in": "header", "required": True, "schema": {"type": "string"}},
            {
                "name": "signature",
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": "64 bytes of Ed25519 in base64.",
            },
        ],
    }
}
CSV_BODY: dict[str, Any] = {
    "openapi_extra": {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}
}


def add_operator(routes: Routes) -> None:
    """Add the routes for operators."""
    parts = routes.parts

    @routes.post("/v1/events", status_code=202, **AVRO_BODY)
    async def event(request: Request, asker: Asker) -> shapes.Taken:
        """Send an event or the daily report of counts, as Avro bytes and two headers, like on Kafka."""
        message = sealed_of(await body(request), request)
        return await sending.send(parts, asker.subject, contracts.EVENTS, message)

    @routes.post("/v1/events/draft")
    async def draft_event(wish: shapes.EventDraft, asker: Asker) -> shapes.Draft:
        """Return an event as the bytes to sign. This writes nothing."""
        return sending.draft_event(parts, asker.subject, wish)

    @routes.post("/v1/day-reports/draft")
    async def draft_day_report(wish: shapes.DayReportDraft, asker: Asker) -> shapes.Draft:
        """Return a daily report, due an hour after the day's end, as the bytes to sign. Post it to /v1/events."""
        return sending.draft_day_report(parts, asker.subject, wish)

    @routes.post("/v1/clean-ups/draft", 404, **CSV_BODY)
    async def draft_clean_ups(request: Request, asker: Asker) -> shapes.CleanUpDrafts:
        """Return clean-ups (BACKFILL) of a CSV file `number,bound_before` as bytes to sign. Post each to /v1/events."""
        return sending.draft_clean_ups(parts, asker.subject, await body(request))

    @routes.post("/v1/reports", status_code=202, **AVRO_BODY)
    async def report(request: Request, asker: Asker) -> shapes.Taken:
        """Send a person's report, as Avro bytes and two headers, like on Kafka."""
        message = sealed_of(await body(request), request)
        return await sending.send(parts, asker.subject, contracts.REPORTS, message)

    @routes.post("/v1/reports/draft")
    async def draft_report(wish: shapes.ReportDraft, asker: Asker) -> shapes.Draft:
        """Return a report as the bytes to sign. This writes nothing."""
        return sending.draft_report(parts, asker.subject, wish)

    @routes.get("/v1/receipts", 404)
    async def receipts(
        asker: Asker,
        first: Annotated[int, Query(ge=0, le=OFFSET_MAX, alias="from")] = 0,
        limit: Annotated[int, Query(ge=1, le=sending.RECEIPTS_MAX)] = 100,
    ) -> shapes.ReceiptPage:
        """Return what the hub decided on the operator's messages, in order; `next` is the next `from`."""
        if asker.subject not in parts.live.board.roster.operators:
            raise Problem(404, "NO_OPERATOR", "not on the roster", "Ask the registrar to add the operator.")
        return await sending.receipts(parts, asker.subject, first, limit)


def sealed_of(value: bytes, request: Request) -> sending.Sealed:
    """Return the message of a request.

    Raises:
        Problem: 422, a header of the seal is missing, wrong or there twice.
    """
    for name in ("key-id", "signature"):
        if len(request.headers.getlist(name)) > 1:
            raise Problem(422, "BAD_SIGNATURE", f"{name} is there twice", "Send each header once.")
    return sending.sealed(value, request.headers)


async def body(request: Request) -> bytes:
    """Read the body of a request.

    Raises:
        Problem: 413, the body is too long.
    """
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > sending.BODY_BYTES_MAX:
            raise Problem(413, "TOO_LARGE", f"more than {sending.BODY_BYTES_MAX} bytes", "Send one message at a time.")
    return bytes(found)
