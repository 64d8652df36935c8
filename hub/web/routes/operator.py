"""Routes for operators without Kafka: events and reports in, receipts out.

Annotations are evaluated here (no `from __future__`): FastAPI reads them.
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
    """The routes."""
    parts = routes.parts

    @routes.post("/v1/events", status_code=202, **AVRO_BODY)
    async def event(request: Request, asker: Asker) -> shapes.Taken:
        """An event, or the day's report of counts: Avro bytes and two headers, as on Kafka."""
        message = sealed_of(await body(request), request)
        return await sending.send(parts, asker.subject, contracts.EVENTS, message)

    @routes.post("/v1/events/draft")
    async def draft_event(wish: shapes.EventDraft, asker: Asker) -> shapes.Draft:
        """An event as the bytes to sign. Writes nothing."""
        return sending.draft_event(parts, asker.subject, wish)

    @routes.post("/v1/day-reports/draft")
    async def draft_day_report(wish: shapes.DayReportDraft, asker: Asker) -> shapes.Draft:
        """The day's count, due an hour after the day's end, as the bytes to sign; to be posted to /v1/events."""
        return sending.draft_day_report(parts, asker.subject, wish)

    @routes.post("/v1/clean-ups/draft", 404, **CSV_BODY)
    async def draft_clean_ups(request: Request, asker: Asker) -> shapes.CleanUpDrafts:
        """Clean-ups (BACKFILL) of a CSV file `number,bound_before` as the bytes to sign; to be posted to /v1/events."""
        return sending.draft_clean_ups(parts, asker.subject, await body(request))

    @routes.post("/v1/reports", status_code=202, **AVRO_BODY)
    async def report(request: Request, asker: Asker) -> shapes.Taken:
        """A person's report: Avro bytes and two headers, as on Kafka."""
        message = sealed_of(await body(request), request)
        return await sending.send(parts, asker.subject, contracts.REPORTS, message)

    @routes.post("/v1/reports/draft")
    async def draft_report(wish: shapes.ReportDraft, asker: Asker) -> shapes.Draft:
        """A report as the bytes to sign. Writes nothing."""
        return sending.draft_report(parts, asker.subject, wish)

    @routes.get("/v1/receipts", 404)
    async def receipts(
        asker: Asker,
        first: Annotated[int, Query(ge=0, le=OFFSET_MAX, alias="from")] = 0,
        limit: Annotated[int, Query(ge=1, le=sending.RECEIPTS_MAX)] = 100,
    ) -> shapes.ReceiptPage:
        """What the hub decided on the operator's messages, in order; `next` is the next `from`."""
        if asker.subject not in parts.live.board.roster.operators:
            raise Problem(404, "NO_OPERATOR", "not on the roster", "Ask the registrar to add the operator.")
        return await sending.receipts(parts, asker.subject, first, limit)


def sealed_of(value: bytes, request: Request) -> sending.Sealed:
    """The message of a request; one header of each name."""
    for name in ("key-id", "signature"):
        if len(request.headers.getlist(name)) > 1:
            raise Problem(422, "BAD_SIGNATURE", f"{name} is there twice", "Send each header once.")
    return sending.sealed(value, request.headers)


async def body(request: Request) -> bytes:
    """A body of bounded length."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > sending.BODY_BYTES_MAX:
            raise Problem(413, "TOO_LARGE", f"more than {sending.BODY_BYTES_MAX} bytes", "Send one message at a time.")
    return bytes(found)
