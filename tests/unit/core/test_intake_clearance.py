"""The clearance id on its way through intake: read when its event is opened, judged with its case, restart or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rocksdict import Options, Rdict

from hub.core.intake import Arrival
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Breach,
    ClearanceAnswer,
    ClearancePolicy,
    Decision,
    EventType,
    HeldVerdict,
    Key,
    NumberEvent,
    Record,
    ReleaseNotice,
    Source,
    Stage,
    Subject,
    UnconnectedRule,
)
from hub.core.roster import Roster
from hub.errors import HubError
from hub.folds.case_store import CaseStore
from hub.web.policy import read_policy
from hub.wire.checking import Opener, wants_newer_roster
from hub.wire.clearance_ids import Clearance, sign_clearance
from hub.wire.contracts import EVENTS, encode, partition_of
from hub.wire.signing import Signer
from tests.unit.intake_driver import LAKE, NOW, C, IntakeDriver, N, R, event_of

WEB = Signer.from_seed("hub/web-1/abcd", b"w" * 32, "h")
LAKE_KEY = Signer.from_seed("lake-1", b"l" * 32, "h")
HAS_TO_ASK = LAKE._replace(limit_daily=None, clearance_required=True, keys=(Key("lake-1", LAKE_KEY.public, 0),))
FREE = HAS_TO_ASK._replace(clearance_required=False)
JUDGED = {Breach.NOT_CLEARED, Breach.REISSUED_WHILE_BLOCKED}
A = EventType.REASSIGNED


def given(case: str, answer: ClearanceAnswer = ClearanceAnswer.CLEAR) -> Clearance:
    return Clearance("lake", case, answer, NOW - DAY_MS, NOW + DAY_MS)


def arrive(token: str | None, operator: Any, *, key_known: bool = True) -> Arrival:
    """A signed REASSIGNED with a clearance id, opened."""
    roster = Roster()
    roster.put_operator(operator)
    if key_known:
        roster.put_hub_key(Key(WEB.key_id, WEB.public, 0))
    value = encode(NumberEvent(b"e" * 16, "lake", N[0], A, NOW, clearance_id=token))
    headers = LAKE_KEY.headers(EVENTS, value)
    record = Record(EVENTS, partition_of(N[0].encode(), 12), 0, NOW, N[0].encode(), value, tuple(headers))
    return Opener("h", b"l" * 16, 12).events([record], roster)[0]


def test_an_id_is_read_as_the_event_is_opened() -> None:
    """An id of the hub is read where it matters; a key not heard of yet is worth another look at the roster."""
    token = sign_clearance(WEB, given("3-0"))
    opened = arrive(token, HAS_TO_ASK)
    assert opened.clearance == given("3-0")
    assert not wants_newer_roster(opened)
    behind = arrive(token, HAS_TO_ASK, key_known=False)
    assert behind.clearance is None
    assert wants_newer_roster(behind)
    for one in (arrive(token, FREE), arrive(None, HAS_TO_ASK)):
        assert one.clearance is None
        assert not wants_newer_roster(one)


@pytest.mark.parametrize(
    ("clearance", "expected"),
    [
        (given("3-0"), set()),
        (given("3-1"), {Breach.NOT_CLEARED}),
        (None, {Breach.NOT_CLEARED}),
        (given("3-0", ClearanceAnswer.BLOCKED), {Breach.REISSUED_WHILE_BLOCKED}),
    ],
)
@pytest.mark.parametrize("held", [False, True])
def test_a_reassignment_is_judged_at_once_or_once_it_is_let_through(
    clearance: Clearance | None, expected: set[Breach], held: bool
) -> None:
    """What was held for a limit is judged by the same clearance when a person lets it through, a day later."""
    driver = IntakeDriver(HAS_TO_ASK._replace(limit_daily=2) if held else HAS_TO_ASK)
    driver.send(event_of(N[0], C, 0), event_of(N[0], R, 1))
    arrival = driver.hub.arrive(event_of(N[0], A, 2), NOW)._replace(clearance=clearance)
    (heard,) = driver.hear([arrival])
    assert heard.decision is (Decision.HELD if held else Decision.ACCEPTED)
    if held:
        (copy,) = driver.copies([heard.source], HeldVerdict.RELEASED, NOW + 2 * DAY_MS)
        (heard,) = driver.hear([copy._replace(clearance=clearance)])
    assert set(heard.breaches) & JUDGED == expected


def test_the_case_of_an_accepted_event_survives_a_restart(tmp_path: Path) -> None:
    """A receipt written after a restart judges the clearance by the case that the event moved, not by a later one."""
    path, log_id = tmp_path / "cases", b"l" * 16
    store = CaseStore(path, log_id, 4)
    stages = [(Stage.COOLING, None), (Stage.RELEASED, 0), (Stage.REASSIGNED, 0), (Stage.COOLING, None)]
    for offset, (stage, opened_at) in enumerate(stages):
        at = NOW + offset * HOUR_MS
        times = (at, at, at, at + 60 * DAY_MS, at + 70 * DAY_MS)
        name = offset.to_bytes(16, "big")
        source = Source(3, offset)
        notice = ReleaseNotice(
            stage, opened_at, Subject("e164", N[0]), "lake", *times, 0, name, name * 2, source, log_id
        )
        assert store.add(notice, source, LAKE, digest=bytes(32), recorded_at=at) is not None
    before = [store.accepted(Source(3, offset)) for offset in range(4)]
    store.close()
    again = CaseStore(path, log_id, 4)
    assert [again.accepted(Source(3, offset)) for offset in range(4)] == before
    assert [None if one is None else one.case for one in before] == [None, Source(3, 0), Source(3, 0), None]
    again.close()


# ---- The policy's file ----


def test_a_policy_file_says_what_it_says(tmp_path: Path) -> None:
    """What a file leaves out is the default; what it says counts."""
    path = tmp_path / "clearance.yaml"
    path.write_text("", encoding="utf-8")
    assert read_policy(path) == ClearancePolicy()
    path.write_text(
        "blocking_tiers: [2, 1, 2]\nfrozen_blocks: true\nunconnected: BLOCKS\nvalid_hours: 1\n", encoding="utf-8"
    )
    assert read_policy(path) == ClearancePolicy((1, 2), True, True, UnconnectedRule.BLOCKS, HOUR_MS)


WRONG = {
    "another name": "blocking_tier: [1]",
    "no such tier": "blocking_tiers: [4]",
    "no list": "blocking_tiers: 1",
    "no truth": "frozen_blocks: perhaps",
    "a number for a truth": "frozen_blocks: 1",
    "no such rule": "unconnected: SOMETIMES",
    "for no time": "valid_hours: 0",
    "for years": "valid_hours: 100000",
    "a list": "- 1",
    "no YAML": "a: [",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=list(WRONG))
def test_a_policy_file_that_is_wrong(tmp_path: Path, text: str) -> None:
    """A policy that cannot be understood decides nothing: the file and the field are named."""
    path = tmp_path / "clearance.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HubError, match=r"clearance\.yaml"):
        read_policy(path)


def test_when_a_notice_was_recorded_survives_a_restart(tmp_path: Path) -> None:
    """An acknowledgement is judged by when the notice it names was recorded and by its digest, also after a restart."""
    path, log_id, at = tmp_path / "cases", b"l" * 16, NOW
    store = CaseStore(path, log_id, 4)
    source = Source(3, 0)
    times = (at, at, at, at + 60 * DAY_MS, at + 70 * DAY_MS)
    subject = Subject("e164", N[0])
    notice = ReleaseNotice(Stage.COOLING, None, subject, "lake", *times, 0, b"n" * 16, b"d" * 32, source, log_id)
    store.add(notice, source, LAKE, digest=b"h" * 32, recorded_at=at + 5)
    store.close()
    again = CaseStore(path, log_id, 4)
    assert [again.universe.recorded_at(3, offset) for offset in range(2)] == [at + 5, None]
    assert again.digests.digest_of(3, 0) == b"h" * 32
    with pytest.raises(KeyError):
        again.digests.digest_of(3, 1)
    again.close()


def test_a_directory_of_an_earlier_version_is_folded_again(tmp_path: Path) -> None:
    """A fold that kept no digests cannot judge acknowledgements: it begins at the start of the log once more."""
    path, log_id, at = tmp_path / "cases", b"l" * 16, NOW
    store = CaseStore(path, log_id, 4)
    times = (at, at, at, at + 60 * DAY_MS, at + 70 * DAY_MS)
    subject, source = Subject("e164", N[0]), Source(3, 0)
    notice = ReleaseNotice(Stage.COOLING, None, subject, "lake", *times, 0, b"n" * 16, b"d" * 32, source, log_id)
    store.add(notice, source, LAKE, digest=bytes(32), recorded_at=at)
    store.close()
    again = CaseStore(path, log_id, 4)
    assert again.next_offset(3) == 1
    again.close()
    rows = Rdict(str(path), Options(raw_mode=True))
    rows[b"l"] = log_id
    rows.close()
    earlier = CaseStore(path, log_id, 4)
    assert earlier.next_offset(3) == 0
    assert earlier.universe.recorded_at(3, 0) is None
    earlier.close()
