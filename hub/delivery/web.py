"""This module is what platforms call over HTTP. It is thin: each route reads the request, asks one part and answers.

Routes under `/v1/platforms/{platform_id}` ask for the platform's token (`auth.py`). Only an acknowledgement or an
answer needs none, because it is signed itself. Times are UTC milliseconds, and bytes are lower-case hex unless said
otherwise. For example, `GET /v1/platforms/bank/notices?partition=7&from=120033` gives notices from 7-120033 on.

Annotations are evaluated here (no `from __future__`): FastAPI reads them, and some name what a function was given.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Annotated, Any

from aiokafka.errors import KafkaError
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse

from hub import problems
from hub.clock import system_clock
from hub.core.channel import Way, kind_of
from hub.core.model import Acknowledgement, Platform, PlatformState
from hub.delivery.acknowledgements import Effects
from hub.delivery.auth import Door
from hub.delivery.day_files import DayFile
from hub.delivery.drafts import Wish, read_csv, read_json
from hub.delivery.files import FileChannel
from hub.delivery.inboxes import ANSWER_BYTES_MAX, MESSAGES_MAX, Answer, InboxDesk
from hub.delivery.keys import public_form
from hub.delivery.releases import Told
from hub.delivery.replays import NOTICES_MAX, Wanted, page, span
from hub.delivery.service import Delivery
from hub.delivery.status import status_of, why_not
from hub.errors import HubError
from hub.problems import BodyLimit, Problem, answer_with_problems
from hub.wire.contracts import LIMITS_BYTES

DRAFT_BYTES_MAX = 1024 * 1024
FILES_LISTED_MAX = 400
CONFIRM_S = 5.0
"""A receipt waits so long for its courier, which may just be between two offers."""
TOLD_IN = {PlatformState.ONBOARDING, PlatformState.CONNECTED, PlatformState.SUSPENDED}
BASE = "/v1/platforms/{platform_id}"


def platform_app(delivery: Delivery) -> FastAPI:
    """Return the app for platforms."""
    app = FastAPI(title="unbind-hub delivery", version="1", docs_url=None, redoc_url=None)
    answer_with_problems(app)
    for fault in (HubError, KafkaError):
        app.add_exception_handler(fault, _hub_fault)
    app.middleware("http")(_counted(delivery))
    app.add_middleware(BodyLimit)
    door = Door(delivery.hub_log.hub_id)

    async def caller(request: Request, platform_id: str) -> Platform:
        """Return the platform that calls, which its token proves."""
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        authorization, now_ms = request.headers.get("authorization"), system_clock()
        return door.admit(authorization, request.method, target, platform_id, delivery.roster.roster, now_ms)

    async def reader(platform: Annotated[Platform, Depends(caller)]) -> Platform:
        """Return a platform that may be told numbers."""
        if platform.state not in TOLD_IN:
            todo = "Ask the registrar: nothing is told to platforms in this state."
            raise Problem(403, "NOT_CONNECTED", f"the platform's state is {platform.state}", todo)
        return platform

    @app.get("/v1/key")
    async def key() -> dict[str, str]:
        """Return the hub's public key for webhooks and files."""
        public = delivery.signer.public
        return {"webhooks": public_form(public), "ed25519": public.hex(), "hub_id": delivery.hub_log.hub_id}

    _add_notices(app, delivery, caller, reader)
    _add_effects(app, Effects(delivery), caller)
    _add_inbox(app, InboxDesk(delivery), reader)
    _add_files(app, delivery, reader)
    return app


Who = Callable[..., Awaitable[Platform]]


def _add_notices(app: FastAPI, delivery: Delivery, caller: Who, reader: Who) -> None:
    @app.get(BASE + "/delivery")
    async def status(platform: Annotated[Platform, Depends(caller)]) -> dict[str, Any]:
        """Return how delivery to this platform fares."""
        return status_of(delivery, platform)

    @app.get(BASE + "/notices")
    async def notices(
        _: Annotated[Platform, Depends(reader)],
        partition: Annotated[int, Query(ge=0)],
        first: Annotated[int, Query(ge=0, alias="from")] = 0,
        limit: Annotated[int, Query(ge=1, le=NOTICES_MAX)] = 100,
    ) -> Response:
        """Return notices of one partition from an offset on; `next` is the next request's `from`. Nothing is moved."""
        if partition >= delivery.hub_log.partitions:
            raise Problem(422, "NO_SUCH_PARTITION", f"there are {delivery.hub_log.partitions}", "Begin with 0.")
        end = delivery.releases.end(partition)
        told = await span(delivery.releases, partition, first, end, limit)
        following = told[-1].offset + 1 if told else first
        return _listed(told, following, end=end, partitions=delivery.hub_log.partitions)

    @app.post(BASE + "/replay")
    async def replay(_: Annotated[Platform, Depends(reader)], wanted: Wanted) -> Response:
        """Return notices again, by position, case or time; `next` is the next request's body, null at the end."""
        told, following = await page(delivery.releases, delivery.hub_log.partitions, wanted)
        return _listed(told, None if following is None else following.model_dump(exclude_none=True))


def _listed(told: list[Told], following: Any, **more: Any) -> Response:
    tail = json.dumps({"next": following, **more})
    body = b'{"notices":[' + b",".join(one.as_json for one in told if one.as_json) + b"]," + tail[1:].encode()
    return Response(body, media_type="application/json")


def _add_effects(app: FastAPI, effects: Effects, caller: Who) -> None:
    @app.post(BASE + "/acknowledgements", status_code=202)
    async def acknowledge(platform_id: str, request: Request) -> dict[str, Any]:
        """Post an acknowledgement: Avro bytes, with the headers `key-id` and `signature` (base64), as on Kafka."""
        value = await _body(request, LIMITS_BYTES[Acknowledgement])
        return await effects.take(platform_id, value, request.headers)

    async def drafted(platform: Platform, request: Request) -> dict[str, Any]:
        raw = await _body(request, DRAFT_BYTES_MAX)
        return await effects.draft(platform.id, _wish(raw, request.headers.get("content-type", "")))

    @app.post(BASE + "/acknowledgements/draft")
    async def draft(platform: Annotated[Platform, Depends(caller)], request: Request) -> dict[str, Any]:
        """Turn CSV or JSON into the bytes to sign, base64, with a summary of what they say. Nothing is written."""
        return await drafted(platform, request)

    @app.post(BASE + "/outcomes")
    async def outcomes(platform: Annotated[Platform, Depends(caller)], request: Request) -> dict[str, Any]:
        """Turn the outcomes file into the bytes to sign, as `acknowledgements/draft` does; then sign and post them."""
        return await drafted(platform, request)


def _add_inbox(app: FastAPI, inboxes: InboxDesk, reader: Who) -> None:
    @app.get(BASE + "/inbox")
    async def inbox(
        platform: Annotated[Platform, Depends(reader)],
        first: Annotated[int, Query(ge=0, alias="from")] = 0,
        limit: Annotated[int, Query(ge=1, le=MESSAGES_MAX)] = MESSAGES_MAX,
    ) -> dict[str, Any]:
        """Return what the hub asks and tells this platform alone, above all reports; `next` is the next `from`."""
        return await inboxes.read(platform.id, first, limit)

    @app.post(BASE + "/answers/draft")
    async def draft_answer(platform: Annotated[Platform, Depends(reader)], wish: Answer) -> dict[str, str]:
        """Return an answer to a report as the bytes to sign, base64. Nothing is written."""
        return inboxes.draft(platform.id, wish)

    @app.post(BASE + "/answers", status_code=202)
    async def answer(platform_id: str, request: Request) -> dict[str, str]:
        """Post an answer: Avro bytes, with the headers `key-id` and `signature` (base64), as on Kafka."""
        return await inboxes.take(platform_id, await _body(request, ANSWER_BYTES_MAX), request.headers)


def _wish(raw: bytes, content_type: str) -> Wish:
    try:
        text = raw.decode("utf-8-sig")
        if content_type.partition(";")[0].strip().lower() == "application/json":
            return read_json(json.loads(text))
    except (ValueError, RecursionError):
        raise Problem(422, "BAD_ROW", "not UTF-8, or no JSON", "Send text/csv or application/json.") from None
    return read_csv(text)


def _add_files(app: FastAPI, delivery: Delivery, reader: Who) -> None:
    files = delivery.day_files

    @app.get(BASE + "/files")
    async def listed(
        platform: Annotated[Platform, Depends(reader)],
        since: Annotated[date, Query(alias="from")] = date.min,
        limit: Annotated[int, Query(ge=1, le=FILES_LISTED_MAX)] = FILES_LISTED_MAX,
    ) -> dict[str, Any]:
        """Return the days that have a file, from one on; `received` of a day says whether its receipt is there.

        `next` is the `from` of the next request, null at the end.
        """
        days = await files.days(since, limit)
        return {
            "files": [
                {
                    "day": str(one.day),
                    "positions": one.positions,
                    "received": _has(delivery, platform.id, {p: end for p, (_, end) in one.spans.items()}),
                }
                for one in days
            ],
            "next": str(days[-1].day + timedelta(days=1)) if len(days) == limit else None,
        }

    async def made(day: date) -> DayFile:
        found = await files.file(day)
        if found is None:
            raise Problem(404, "NO_FILE", f"{day} has no file", "GET the list; a day's file is there after it is over.")
        return found

    @app.get(BASE + "/files/{day}.sig")
    async def signature(_: Annotated[Platform, Depends(reader)], day: date) -> Response:
        """Return the detached signature of a day's file: 64 bytes, Ed25519."""
        return Response((await made(day)).signature, media_type="application/octet-stream")

    @app.get(BASE + "/files/{day}")
    async def file(_: Annotated[Platform, Depends(reader)], day: date) -> FileResponse:
        """Return a day's notices as CSV."""
        found = await made(day)
        headers = {"signature": found.signature.hex(), "content-sha256": found.sha256.hex()}
        return FileResponse(found.path, media_type="text/csv; charset=utf-8", headers=headers)

    @app.put(BASE + "/files/{day}/receipt", status_code=202)
    async def receipt(platform: Annotated[Platform, Depends(reader)], day: date, request: Request) -> dict[str, Any]:
        """Prove that a day's file was fetched whole: the body is its SHA-256, in hex. This moves `received`."""
        found = await made(day)
        if (await _body(request, 200)).strip().lower() != found.sha256.hex().encode():
            raise Problem(409, "OTHER_FILE", "this is not the file's SHA-256", "Fetch the file again, whole.")
        await _confirm(delivery, platform, found)
        return {"day": str(found.day), "received": True}


async def _confirm(delivery: Delivery, platform: Platform, found: DayFile) -> None:
    def has(file: DayFile = found) -> bool:
        return _has(delivery, platform.id, {one.partition: one.last + 1 for one in file.spans})

    if has():
        return
    if kind_of(platform).way is not Way.FILE:
        todo = "Ask the registrar for the channel `file`; else acknowledge what was received."
        raise Problem(409, "NOT_A_FILE_CHANNEL", "files are not this platform's channel", todo)
    courier = delivery.couriers.get(platform.id)
    if courier is None or not isinstance(courier.channel, FileChannel):
        raise Problem(409, "NOT_DELIVERED_TO", "no receipt of this platform would count", why_not(delivery, platform))
    channel = courier.channel

    def confirmed() -> bool:
        offered = channel.offered
        if offered is not None and offered != found and has(offered):  # received in another way: the next is due
            channel.confirm(offered.day, offered.sha256)
        return channel.confirm(found.day, found.sha256) or has()

    if not await courier.until(confirmed, CONFIRM_S):
        first = "an earlier day" if channel.offered is None else channel.offered.day
        raise Problem(409, "NOT_IN_ORDER", f"the next file is that of {first}", "Fetch the days in their order.")
    if not await courier.until(has, CONFIRM_S):
        raise Problem(503, "BUSY", "the receipt is not written yet", "Send it again.", retry_after_s=5)


def _has(delivery: Delivery, platform: str, ends: dict[int, int]) -> bool:
    """Return whether a platform has received everything before these offsets."""
    courier, known = delivery.couriers.get(platform), delivery.received.of(platform)
    return all(
        (courier.place(one) if courier is not None else known.get(one, -1) + 1) >= end for one, end in ends.items()
    )


async def _body(request: Request, most_bytes: int) -> bytes:
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > most_bytes:
            raise Problem(413, "TOO_LARGE", f"more than {most_bytes} bytes", "Send less at once.")
    return bytes(found)


async def _hub_fault(request: Request, wrong: Exception) -> Response:
    """Answer 503, because the hub's own cluster does not answer."""
    todo = "Try again in a minute; nothing is lost."
    return problems.answer(request, Problem(503, "NO_KAFKA", type(wrong).__name__, todo, retry_after_s=60))


def _counted(delivery: Delivery) -> Callable[..., Awaitable[Response]]:
    async def count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "none")
        delivery.metrics.requests.labels(route, response.status_code).inc()
        return response

    return count
