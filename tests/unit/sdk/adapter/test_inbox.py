"""What is left to do in an inbox is known from the inbox alone, however often and in whatever order it is read."""

from __future__ import annotations

import random

from hub.core.model import (
    AcceptedAnswer,
    Outcome,
    Refusal,
    ReportKind,
    ReportRequest,
    Source,
    Subject,
    Trial,
    TrialResult,
    Unheard,
)
from hub.sdk.adapter.inbox import TRIAL_AGE_MAX_MS, UNHEARD_KEPT, InboxMessage, Ledger, fresh_trials

NOW = 1_780_000_000_000
NUMBER = Subject("e164", "+8613500000001")


def request(number: int) -> ReportRequest:
    kind = ReportKind.STILL_BOUND
    return ReportRequest(bytes([number]) * 16, "drive", NUMBER, Source(0, number), kind, NOW, NOW + 1, b"l" * 16)


def answer(number: int) -> AcceptedAnswer:
    return AcceptedAnswer(Source(0, number), bytes([number]) * 16, "drive", Outcome.UNBOUND, NOW)


def trial(number: int, asked_at: int = NOW) -> Trial:
    return Trial(bytes([number]) * 16, "drive", NUMBER, asked_at)


def result(number: int) -> TrialResult:
    return TrialResult(bytes([number]) * 16, "drive", (), NOW)


def folded(messages: list[InboxMessage]) -> Ledger:
    ledger = Ledger()
    for one in messages:
        ledger.add(one)
    return ledger


def test_what_was_answered_is_not_left_to_answer() -> None:
    """A request with its answer behind it, and a test case with its result, are done with; the others are left."""
    ledger = folded([request(1), trial(2), request(3), answer(1), trial(4), result(2)])
    assert list(ledger.requests) == [bytes([3]) * 16]
    assert list(ledger.trials) == [bytes([4]) * 16]
    assert ledger.results[bytes([2]) * 16] == result(2)


def test_reading_it_twice_or_in_another_order_changes_nothing() -> None:
    """A reader that lost its connection begins anew, and a hub that crashed tells twice."""
    told: list[InboxMessage] = [request(1), answer(1), request(2), trial(3), result(3), trial(4)]
    chance = random.Random(3)
    for _ in range(200):
        ledger = folded(chance.sample(told, len(told)) + chance.choices(told, k=4))
        assert (set(ledger.requests), set(ledger.trials)) == ({bytes([2]) * 16}, {bytes([4]) * 16})


def test_what_was_just_answered_is_not_asked_again() -> None:
    """Until its answer comes back accepted, a request answered by this adapter is done with for it."""
    ledger = folded([request(1)])
    ledger.done(bytes([1]) * 16)
    ledger.add(request(1))
    assert ledger.requests == {}


def test_an_old_test_case_is_left_alone() -> None:
    """Nobody waits for a test case of an hour ago: an adapter that starts late does not touch the account."""
    trials = {b"a": trial(1, NOW - TRIAL_AGE_MAX_MS - 1), b"b": trial(2, NOW - TRIAL_AGE_MAX_MS)}
    assert fresh_trials(trials, NOW) == [trials[b"b"]]


def test_refusals_are_remembered_once_and_not_without_end() -> None:
    """The newest refusals are at hand, each once, however many there are."""
    told = [Unheard("acks", Source(0, place), Refusal.BAD_SIGNATURE, NOW) for place in range(UNHEARD_KEPT + 5)]
    ledger = folded([*told, told[-1]])
    assert list(ledger.unheard) == told[5:]
