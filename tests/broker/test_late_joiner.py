"""A platform that joins late works its backlog off in the open, and a number recycled long ago is cleaned up."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.core.model import EventType, GapClass, Outcome, Platform, PlatformState, Source
from hub.core.standing import Behaviour, Standing, StandingSettings, standing
from hub.staff.behaviour import behaviours
from hub.staff.roster import find_hub, roster_editor
from tests.broker.scene import Scene, event, mobile_numbers, now_ms, wait_until
from tests.broker.test_held import send
from tests.broker.test_roster_commands import run

pytestmark = pytest.mark.broker

AT_ONCE = StandingSettings(stream_ms=1, lately_ms=3_600_000)
"""A notice may wait a millisecond: what is judged is seen at once, and who moved in the last hour recovers."""
STRICT = StandingSettings(stream_ms=1, lately_ms=1)


def seen(scene: Scene, platform_id: str) -> tuple[Platform, Behaviour]:
    """A platform's record, and what it was seen to do."""

    async def look() -> tuple[Platform, Behaviour]:
        address, hub_log = await find_hub(scene.hub.address.bootstrap_servers)
        async with roster_editor(address) as editor:
            roster = await editor.read()
        found = await behaviours(address.bootstrap_servers, hub_log)
        return roster.platforms[platform_id], found[platform_id]

    return asyncio.run(look())


def answer(scene: Scene, platform_id: str, partitions: set[int], cases: list[Source]) -> dict[str, Any]:
    """Acknowledge everything in some partitions; the gaps that are left."""
    ends = scene.ends("releases")
    for partition in sorted(partitions):
        mine = [case.offset for case in cases if case.partition == partition]
        ack = scene.ack(platform_id, partition, ends[partition] - 1, {Outcome.NOT_BOUND: mine})
        scene.send([scene.ack_message(ack)])
    scene.flush()
    scene.settle("acks")
    coverage = scene.final_coverage([platform_id])[platform_id]
    return {str(one.gap): one.pairs for one in coverage.gaps}


def test_a_late_joiners_gaps_close_as_it_works_its_backlog_off(scene: Scene) -> None:
    """Not connected, then recovering with its gaps shrinking, then healthy; and leaving erases none of its cases."""
    scene.put_platforms(scene.platform("late", state=PlatformState.KNOWN_UNCONNECTED))
    cases = list(scene.open_cases(mobile_numbers(40, "+8613505")).values())
    before = scene.final_coverage(["late"])["late"]
    assert {one.gap: one.pairs for one in before.gaps} == {GapClass.NOT_CONNECTED: before.in_force}
    for state in ("ONBOARDING", "CONNECTED"):
        run(scene, "platform", "state", "late", state)
    wait_until(
        "its gaps are of one who is connected",
        lambda: {one.gap for one in scene.final_coverage(["late"])["late"].gaps} == {GapClass.NOT_RECEIVED},
    )
    platform, behaviour = seen(scene, "late")
    assert standing(platform, behaviour, now_ms(), AT_ONCE) is Standing.RECOVERING
    assert standing(platform, behaviour, now_ms() + 1_000, STRICT) is Standing.DEGRADED
    partitions = {one.partition for one in cases}
    some = set(sorted(partitions)[: len(partitions) // 2])
    left = answer(scene, "late", some, cases)
    assert left == {"NOT_RECEIVED": before.in_force - sum(one.partition in some for one in cases)}
    platform, behaviour = seen(scene, "late")
    assert behaviour.moved_at is not None
    assert standing(platform, behaviour, now_ms(), AT_ONCE) is Standing.RECOVERING
    assert answer(scene, "late", partitions - some, cases) == {}
    platform, behaviour = seen(scene, "late")
    assert standing(platform, behaviour, now_ms() + 1_000, STRICT) is Standing.HEALTHY
    shown = {one["platform"]: one["standing"] for one in run(scene, "coverage")}
    assert shown["late"] == "healthy"
    later = scene.open_cases(mobile_numbers(3, "+8613506"))
    left_at = run(scene, "platform", "leave", "late")["left_at"]
    assert left_at is not None
    wait_until(
        "it left with the gaps it had",
        lambda: (
            {one.gap: one.pairs for one in scene.final_coverage(["late"])["late"].gaps}
            == {GapClass.NOT_CONNECTED: len(later)}
        ),
    )


def clean_up(scene: Scene, folder: Path, *what: str) -> tuple[int, list[dict[str, Any]]]:
    """What `operator backfill` ends with and says, as JSON."""
    key = folder / "north.pem"
    if not key.exists():
        scene.signer("north-1").save(key)
    servers = scene.hub.address.bootstrap_servers
    words = ["operator", "backfill", *what, "--operator", "north", "--key-file", str(key), "--key-id", "north-1"]
    words += ["--outbox", str(folder / "outbox"), "--bootstrap-servers", servers, "--json"]
    ended = CliRunner().invoke(app, words)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.exit_code, json.loads(ended.stdout)


def test_a_number_recycled_years_ago_is_cleaned_up_for_its_holder(scene: Scene, tmp_path: Path) -> None:
    """One number or a file: each becomes a case once, and `case` shows every answer, deadline and guide."""
    scene.put_platforms(
        scene.platform("panbox"),
        scene.platform(
            "gym", state=PlatformState.KNOWN_UNCONNECTED, tier=3, guide_url="https://gym.example", guide_steps=("Ask",)
        ),
    )
    numbers = mobile_numbers(4, "+8613507")
    began = "2023-04-01T00:00:00Z"
    code, (told,) = clean_up(scene, tmp_path, numbers[0], "--bound-before", began)
    assert (code, told["done"], told["number"]) == (0, True, "…00")
    assert "accepted as case" in told["said"]
    (cooling,) = send(scene, event(numbers[3], EventType.COOLING))
    assert cooling.position is not None
    file = tmp_path / "numbers.csv"
    file.write_text("number,bound_before\n" + "".join(f"{one},{began}\n" for one in numbers), encoding="utf-8")
    code, lines = clean_up(scene, tmp_path, "--file", str(file))
    assert (code, [one["done"] for one in lines]) == (1, [True, True, True, False])
    assert "OUT_OF_ORDER" in lines[3]["said"]
    assert not any(number[4:] in json.dumps(lines) for number in numbers)
    mine = [notice for _, notice in scene.notices() if notice.subject.value in numbers[:3]]
    assert len(mine) == 3, "asked twice is asked once"
    (case,) = run(scene, "case", numbers[0])
    answers = {one["platform"]: one for one in case["platforms"]}
    assert case["stage"] == "reassigned"
    assert [answers["panbox"][name] for name in ("answer", "gap", "steps")] == [None, "not_received", []]
    assert (answers["gym"]["gap"], answers["gym"]["guide"]) == ("not_connected", "https://gym.example")
    assert answers["gym"]["steps"] == ["Ask"]
    assert answers["panbox"]["deadline"] < answers["gym"]["deadline"]
