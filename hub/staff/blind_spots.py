"""This module shows reports and the platforms that do not answer, from the hub's logs. It is for small hubs only."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition

from hub.core.blindspots import BlindSpot
from hub.core.model import AcceptedAnswer, AcceptedReport, Platform
from hub.core.numbers import without_numbers
from hub.core.reports import Disputes, reported_numbers
from hub.core.unconnected import ranked
from hub.kafka.clients import reader_settings
from hub.kafka.newest import hub_time_ms, newest, read_hub_log
from hub.staff.look import coverages, date, records
from hub.wire import contracts
from hub.wire.contracts import decode


async def disputes(servers: str) -> Disputes:
    """Return every report and answer that counts."""
    found = Disputes()
    async for record in records(servers, [TopicPartition(contracts.REPORTED, 0)]):
        one: AcceptedReport | AcceptedAnswer = decode(record.value, AcceptedReport, AcceptedAnswer)
        found.add(one)
    return found


async def _platforms(servers: str) -> dict[str, Platform]:
    known = await newest(reader_settings(servers), contracts.PLATFORMS, 1)
    platforms = (decode(record.value, Platform) for record in known.values())
    return {one.id: one for one in platforms}


async def reports(servers: str, platform: str | None) -> list[dict[str, Any]]:
    """Return the reports, newest first: who was asked, until when, and the answer. They never hold the number."""
    settings = reader_settings(servers)
    folded, now_ms = await disputes(servers), await hub_time_ms(settings, await read_hub_log(settings))
    rows = []
    for one in sorted(folded.reports.values(), key=lambda one: -one.recorded_at):
        if platform not in (None, one.platform):
            continue
        answer = folded.answers.get(one.report_id)
        rows.append(
            {
                "report": one.report_id.hex()[:8],
                "at": date(one.recorded_at),
                "operator": one.operator,
                "platform": one.platform or f"? {without_numbers(one.name)}",
                "kind": one.kind.lower(),
                "case": None if one.case is None else str(one.case),
                "deadline": date(one.deadline_at),
                "answer": _answer(one, answer, now_ms),
            }
        )
    return rows


def _answer(report: AcceptedReport, answer: AcceptedAnswer | None, now_ms: int) -> str:
    if answer is not None:
        late = report.deadline_at is not None and answer.recorded_at > report.deadline_at
        return f"{answer.outcome}{', late' if late else ''} {date(answer.recorded_at)}"
    if report.deadline_at is None:
        return "nobody was asked"
    return "silent" if report.deadline_at <= now_ms else "awaited"


async def blind_spots(servers: str) -> list[dict[str, Any]]:
    """Return the unconnected platforms and the unknown names, sorted by the stale bindings expected behind them."""
    platforms, shown = await _platforms(servers), await coverages(servers)
    numbers = reported_numbers((await disputes(servers)).reports.values())
    reported = {name: len(found) for name, found in numbers.items()}
    spots = ranked(platforms, {one.platform: one for one in shown}, reported)
    return [_row(one, platforms.get(one.name), reported.get(one.name, 0)) for one in spots]


def _row(spot: BlindSpot, platform: Platform | None, reported: int) -> dict[str, Any]:
    return {
        "platform": spot.name,
        "name": spot.name if platform is None else f"{platform.name.zh} {platform.name.en}",
        "state": "not on the roster" if platform is None else str(platform.state),
        "tier": None if platform is None else platform.tier,
        "must_connect": None if platform is None else platform.must_connect,
        "stale_expected": None if spot.expected is None else round(spot.expected, 1),
        "stale_low": round(spot.low, 1),
        "stale_high": None if spot.high is None else round(spot.high, 1),
        "sure": spot.sureness.lower(),
        "reported_numbers": reported,
        "guide": None if platform is None else platform.guide_url,
        "contact": None if platform is None else platform.contact,
    }
