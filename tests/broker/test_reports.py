"""People's reports on a real hub: the platform is asked, the pair is a gap until it answers, and both are on record."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.core.gaps import TIER_LIMIT_MS
from hub.core.model import (
    AcceptedAnswer,
    AcceptedReport,
    Coverage,
    Decision,
    GapClass,
    HubKey,
    Outcome,
    PlatformState,
    Receipt,
    Refusal,
    Report,
    ReportAnswer,
    ReportKind,
    ReportReceipt,
    ReportRequest,
    Source,
    Subject,
    Trial,
    TrialResult,
    Unheard,
)
from hub.errors import ContractError
from hub.recount import recount
from hub.sdk.reports import send_report
from hub.staff.registrar import registrar
from hub.wire import contracts
from hub.wire.contracts import decode, encode, inbox_topic, receipts_topic
from hub.wire.signing import read_seal, signature_is_by
from tests.broker.killing import kill
from tests.broker.scene import Message, Scene, now_ms, running, wait_until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def drive(scene: Scene) -> str:
    """A connected platform that has answered NOT_BOUND for one case."""
    scene.put_platforms(scene.platform("drive"), scene.platform("gym", state=PlatformState.KNOWN_UNCONNECTED))
    return "drive"


def report(number: str, platform: str = "drive", **changes: Any) -> Report:
    fields = (uuid.uuid4().bytes, "north", number, platform, ReportKind.STRANGERS_ACCOUNT, now_ms())
    return Report(*fields)._replace(**changes)


def tell(scene: Scene, one: Report) -> Any:
    """Pass a report on, as an operator does; its receipt."""
    return asyncio.run(send_report(one, scene.signer("north-1"), scene.hub.address))


def answer(scene: Scene, content: ReportAnswer | Trial | TrialResult) -> None:
    value = encode(content)
    headers = scene.signer(f"{content.platform}-1").headers(contracts.ANSWERS, value)
    platform = content.platform
    scene.send([Message(contracts.ANSWERS, scene.home(platform), platform.encode(), value, headers)])
    scene.flush()
    scene.settle(contracts.ANSWERS)


def inbox(scene: Scene, platform: str) -> list[Any]:
    """What a platform was told, each message signed by a key the hub published."""
    topic, found = inbox_topic(platform), []
    keys = {}
    for record in scene.read(contracts.HUB):
        try:
            key = decode(record.value, HubKey).key
        except ContractError:
            continue
        keys[key.key_id] = key
    for record in scene.read(topic):
        seal = read_seal(record.headers)
        assert seal is not None
        assert record.value is not None
        public = keys[seal.key_id].public
        assert signature_is_by(public, seal.signature, scene.hub_log.hub_id, topic, record.value)
        found.append(decode(record.value, ReportRequest, AcceptedAnswer, Trial, TrialResult, Unheard))
    return found


def report_receipts(scene: Scene, report_id: bytes) -> list[ReportReceipt]:
    """Every receipt of a report; a crash may repeat one."""
    found = [decode(record.value, Receipt, ReportReceipt) for record in scene.read(receipts_topic("north"))]
    return [one for one in found if isinstance(one, ReportReceipt) and one.report_id == report_id]


def case_with(scene: Scene, number: str, outcome: Outcome) -> Source:
    """A case of which `drive` said an outcome."""
    where = scene.open_cases([number])[number]
    scene.send([scene.ack_message(scene.ack("drive", where.partition, where.offset, {outcome: [where.offset]}))])
    scene.flush()
    scene.settle(contracts.ACKS)
    return where


def disputed(scene: Scene) -> int:
    gaps = dict(scene.final_coverage(["drive"])["drive"].gaps)
    return gaps.get(GapClass.DISPUTED, 0)


def coverage_is(scene: Scene, disputes: int) -> Coverage:
    wait_until(f"{disputes} pairs are in dispute", lambda: disputed(scene) == disputes)
    return scene.final_coverage(["drive"])["drive"]


def test_a_report_asks_the_platform_and_is_a_gap_until_it_answers(scene: Scene, drive: str) -> None:
    """NOT_BOUND against a person's word is a dispute; the platform is asked with a deadline; its answer closes it."""
    number = "+8613500001001"
    where = case_with(scene, number, Outcome.NOT_BOUND)
    one = report(number, "DRIVE")
    receipt = tell(scene, one)
    assert (receipt.decision, receipt.platform, receipt.case) == (Decision.ACCEPTED, drive, where)
    assert receipt.deadline_at == receipt.recorded_at + TIER_LIMIT_MS[1]
    assert coverage_is(scene, 1).resolved == 0
    (request,) = inbox(scene, drive)
    assert (request.report_id, request.case, request.subject.value) == (one.report_id, where, number)
    assert asyncio.run(recount(scene.hub.address.bootstrap_servers)) == []
    answer(scene, ReportAnswer(one.report_id, drive, Outcome.NOT_BOUND, now_ms()))
    assert coverage_is(scene, 0).resolved == 1
    assert isinstance(inbox(scene, drive)[-1], AcceptedAnswer)
    assert asyncio.run(recount(scene.hub.address.bootstrap_servers)) == []


def test_a_report_survives_the_death_of_the_worker(scene: Scene, drive: str) -> None:
    """Killed after a report and started again, the hub knows the dispute, and the same report counts once."""
    number = "+8613500001002"
    case_with(scene, number, Outcome.UNBOUND)
    one = report(number, drive, kind=ReportKind.DEBT_CALLS)
    assert tell(scene, one).decision is Decision.ACCEPTED
    kill(scene, scene.hub.workers[0])
    tell(scene, one)
    scene.settle(contracts.REPORTS)
    decided = {receipt.source.offset: receipt.decision for receipt in report_receipts(scene, one.report_id)}
    assert [decided[offset] for offset in sorted(decided)] == [Decision.ACCEPTED, Decision.DUPLICATE]
    coverage_is(scene, 1)
    ids = [decode(record.value, AcceptedReport, AcceptedAnswer).report_id for record in scene.read(contracts.REPORTED)]
    assert ids.count(one.report_id) == 1
    answer(scene, ReportAnswer(one.report_id, drive, Outcome.UNBOUND, now_ms()))
    coverage_is(scene, 0)


@pytest.mark.usefixtures("drive")
def test_of_a_platform_that_is_not_connected_the_reporter_gets_what_there_is(scene: Scene) -> None:
    """Nobody is asked where nobody listens; the report is kept, as is a name that nobody knows."""
    number = "+8613500001003"
    scene.open_cases([number])
    for name, known in (("gym", "gym"), ("小小健身房", None)):
        receipt = tell(scene, report(number, name))
        assert (receipt.decision, receipt.platform, receipt.deadline_at) == (Decision.ACCEPTED, known, None)


def test_an_answer_nobody_asked_for_is_refused_and_the_platform_told(scene: Scene, drive: str) -> None:
    """An answer to no report, or an acknowledgement of nothing, comes back to its sender with the reason."""
    answer(scene, ReportAnswer(uuid.uuid4().bytes, drive, Outcome.UNBOUND, now_ms()))
    told = inbox(scene, drive)[-1]
    assert isinstance(told, Unheard)
    assert (told.topic, told.reason) == (contracts.ANSWERS, Refusal.UNKNOWN_EVENT)
    assert scene.rejected()[told.topic, told.source].sender == drive
    scene.send([scene.ack_message(scene.ack(drive, 0, 10**9))])
    scene.flush()
    scene.settle(contracts.ACKS)
    wait_until("the platform is told", lambda: inbox(scene, drive)[-1].topic == contracts.ACKS)
    assert inbox(scene, drive)[-1].reason is Refusal.BEYOND_LOG


@pytest.mark.usefixtures("drive")
def test_a_bad_report_is_refused_with_its_reason(scene: Scene) -> None:
    """A report of another operator's, of no number, or that cannot be read is set aside; the next one counts."""
    garbage = b"\xc3\x01" + bytes(20)
    headers = scene.signer("north-1").headers(contracts.REPORTS, garbage)
    scene.send([Message(contracts.REPORTS, 0, b"x", garbage, headers), Message(contracts.REPORTS, 1, None, None, ())])
    assert tell(scene, report("13500001001")).reason is Refusal.INVALID_NUMBER
    assert tell(scene, report("+8613500001001", " ")).reason is Refusal.MISSING_FIELD
    scene.flush()
    scene.settle(contracts.REPORTS)
    reasons = [one.reason for (topic, _), one in scene.rejected().items() if topic == contracts.REPORTS]
    assert sorted(reasons) == sorted(
        [Refusal.UNDECODABLE, Refusal.UNDECODABLE, Refusal.INVALID_NUMBER, Refusal.MISSING_FIELD]
    )
    assert tell(scene, report("+8613500001001")).decision is Decision.ACCEPTED


def test_a_test_case_goes_round_and_counts_nowhere(scene: Scene, drive: str) -> None:
    """A test case comes back through the hub signed, and its result too; coverage has not heard of it."""
    before = scene.final_coverage([drive])[drive]
    one = Trial(uuid.uuid4().bytes, drive, Subject("e164", "+8613500009999"), now_ms())
    answer(scene, one)
    assert inbox(scene, drive)[-1] == one
    result = TrialResult(one.trial_id, drive, (), now_ms())
    answer(scene, result)
    assert inbox(scene, drive)[-1] == result
    assert scene.final_coverage([drive])[drive].in_force == before.in_force


def command(*arguments: str) -> Any:
    """What a command prints as JSON."""
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_platform_that_says_nothing_is_silent_from_its_deadline_on(tmp_path: Path) -> None:
    """Asked, it is awaited up to the last millisecond it has, then silent; on a world's clock, by the command."""
    with running(tmp_path / "hub", clock="world") as world:
        world.put_operator("north", "+86135")
        world.put_platforms(world.platform("drive"))
        number, servers = "+8613500001001", world.hub.address.bootstrap_servers
        world.open_cases([number])
        deadline_at = tell(world, report(number)).deadline_at

        async def it_is(now_ms: int) -> None:
            async with registrar(world.hub.address) as made:
                await made.put_clock(now_ms)

        for now_ms, word in ((deadline_at - 1, "awaited"), (deadline_at, "silent")):
            asyncio.run(it_is(now_ms))
            (row,) = command("reports", "--bootstrap-servers", servers)
            assert (row["platform"], row["answer"]) == ("drive", word)


@pytest.mark.usefixtures("drive")
def test_the_commands_show_reports_and_the_blind_spots_behind_them(scene: Scene, tmp_path: Path) -> None:
    """An operator reports by one command; the lists name who was asked, who is silent and who is unknown, no number."""
    number = "+8613500001099"
    scene.open_cases([number])
    key_file = tmp_path / "north.pem"
    scene.signer("north-1").save(key_file)
    servers = ("--bootstrap-servers", scene.hub.address.bootstrap_servers)
    who = ("--operator", "north", "--key-file", str(key_file), "--key-id", "north-1", *servers)
    for name, state in (("gym", "KNOWN_UNCONNECTED"), ("街角咖啡会员", None)):
        receipt = command("operator", "report", number, "--platform", name, "--kind", "debt_calls", *who)
        assert (receipt["decision"], receipt["state"]) == ("ACCEPTED", state)
    rows = command("reports", *servers)
    assert [row["platform"] for row in rows[:2]] == ["? 街角咖啡会员", "gym"]
    assert {row["answer"] for row in rows[:2]} == {"nobody was asked"}
    assert number not in json.dumps(rows)
    spots = {row["platform"]: row for row in command("gaps", "--unconnected", *servers)}
    assert spots["gym"]["reported_numbers"] >= 1
    assert spots["街角咖啡会员"]["state"] == "not on the roster"
    assert "drive" not in spots
