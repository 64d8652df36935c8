"""From a small platform's rows to the acknowledgement it signs."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import pytest
from pyroaring import BitMap

from hub.core.coverage import read_outcomes
from hub.core.model import SEGMENT, Acknowledgement, Action, Outcome, Source
from hub.delivery.drafts import NO_REST, ROWS_MAX, Rest, Wish, account, draft, looked_at, read_csv, read_json
from hub.delivery.keys import public_form
from hub.errors import HubError
from hub.problems import Problem
from hub.sdk.accounts import Waiting
from hub.sdk.adapter.acking import in_words
from hub.sdk.http_client import HttpPlatform
from hub.wire.contracts import decode, encode
from hub.wire.signing import Signer

LOG_ID = b"l" * 16
DIGEST = b"d" * 32
T0 = 1_790_000_000_000
KEY = Signer.from_seed("panbox-1", b"k" * 32, "h")


def received(**through: int) -> dict[int, Waiting]:
    return {int(name[1:]): Waiting(last, DIGEST, T0) for name, last in through.items()}


def drafted(wish: Wish, waiting: dict[int, Waiting], before: Any = None, fetches: bool = True) -> list[Acknowledgement]:
    rest = Rest(looked_at(wish, waiting, fetches=fetches), before or {}) if wish.rest else NO_REST
    made = draft(wish, "panbox", LOG_ID, T0, waiting, rest)
    return [decode(encode(one), Acknowledgement) for one in made]


def said(acks: Iterable[Acknowledgement]) -> dict[Outcome, set[Source]]:
    """What the hub will read in them."""
    found: dict[Outcome, set[Source]] = {}
    for ack in acks:
        additions = read_outcomes(ack)
        assert isinstance(additions, list), additions
        for one in additions:
            places = {Source(one.partition, one.segment * SEGMENT + bit) for bit in one.bits}
            found.setdefault(one.outcome, set()).update(places)
    return found


def test_rows_become_an_acknowledgement_the_hub_accepts() -> None:
    """Each row's case is said to be what the row says, its actions with it, and everything received is `received`."""
    wish = read_csv("case,outcome,actions\r\n7-120033,UNBOUND\r\n\r\n 0-5 , FROZEN , LOGIN_OFF RECOVERY_OFF \r\n")
    (ack,) = drafted(wish, received(p0=9, p7=120_040))
    assert said([ack]) == {Outcome.UNBOUND: {Source(7, 120_033)}, Outcome.FROZEN: {Source(0, 5)}}
    assert {one.outcome: one.actions for one in ack.outcomes} == {
        Outcome.UNBOUND: (),
        Outcome.FROZEN: (Action.LOGIN_OFF, Action.RECOVERY_OFF),
    }
    assert {one.partition: (one.through, one.digest) for one in ack.received} == {0: (9, DIGEST), 7: (120_040, DIGEST)}


def test_the_rest_is_what_was_received_and_never_answered() -> None:
    """Neither a case of the same file nor one answered before is called NOT_BOUND: that would be a dispute."""
    wish = read_csv("0-3,UNBOUND\n0-70000,FROZEN\nrest,NOT_BOUND\n")
    before = {(0, 0): BitMap([0, 1, 7]), (0, 1): BitMap([SEGMENT - 1])}
    found = said(drafted(wish, received(p0=70_010, p2=2), before))
    everything = {Source(0, offset) for offset in range(70_011)} | {Source(2, offset) for offset in range(3)}
    known = {Source(0, offset) for offset in (0, 1, 7, 3, 70_000)}
    assert found[Outcome.NOT_BOUND] == everything - known
    assert said(drafted(read_csv("rest,NOT_BOUND"), received(p0=2), {(0, 0): BitMap([0, 1, 2])})) == {}


def test_the_rest_reaches_no_further_than_the_platform_looked() -> None:
    """What came while a platform worked its rows out is not called NOT_BOUND: it did not look at it."""
    wish = read_csv("0-3,UNBOUND\nreceived,0-5\nrest,NOT_BOUND\n")
    looked = {Source(0, offset) for offset in range(6)} - {Source(0, 3)}
    assert said(drafted(wish, received(p0=9, p2=2), fetches=False))[Outcome.NOT_BOUND] == looked
    of_files = said(drafted(wish, received(p0=9, p2=2)))[Outcome.NOT_BOUND]
    assert of_files == looked | {Source(2, offset) for offset in range(3)}
    with pytest.raises(Problem, match="REST_UNBOUNDED") as refused:
        drafted(read_csv("0-3,UNBOUND\nrest,NOT_BOUND\n"), received(p0=9), fetches=False)
    assert "how far you looked" in refused.value.detail


def test_csv_and_json_say_the_same() -> None:
    """A backend may send whichever it has."""
    of_csv = read_csv("7-1,UNBOUND,LOGIN_OFF\nreceived,7-9\nrest,NOT_BOUND\n")
    content = {
        "outcomes": [{"case": "7-1", "outcome": "UNBOUND", "actions": ["LOGIN_OFF"]}],
        "received": {"7": 9},
        "rest": "NOT_BOUND",
    }
    assert read_json(content) == of_csv


def test_actions_that_rows_do_not_share_are_left_out() -> None:
    """An acknowledgement says of an outcome only what was done for every case of it."""
    (ack,) = drafted(read_csv("0-1,FROZEN,LOGIN_OFF MARKETING_STOPPED\n0-2,FROZEN,LOGIN_OFF"), received(p0=9))
    assert [one.actions for one in ack.outcomes] == [(Action.LOGIN_OFF,)]


def test_an_account_tells_what_is_about_to_be_signed() -> None:
    """A person reads how many positions each outcome names before signing."""
    wish = read_csv("0-3,UNBOUND\n0-4,UNBOUND\nrest,NOT_BOUND")
    told = account(drafted(wish, received(p0=9)), wish)
    assert told["in_words"] == "NOT_BOUND: 8 positions; UNBOUND: 2 positions"
    assert (told["cases_named"], told["received"]) == ({"UNBOUND": 2}, {"0": 9})


def test_what_is_shown_is_read_from_what_is_signed() -> None:
    """Whoever signs sees what the bytes say, not what was said about them; and nothing of another platform."""
    (ack,) = drafted(read_csv("0-3,UNBOUND"), received(p0=9))
    value = base64.b64encode(encode(ack)).decode()
    found = {"account": {"in_words": "received, and no outcome"}, "acknowledgements": [{"value": value}]}
    with HttpPlatform("http://127.0.0.1:1", "panbox", KEY, public_form(KEY.public)) as hub:
        assert in_words(hub.drafted(found)) == "UNBOUND: 1 positions"
    other = HttpPlatform("http://127.0.0.1:1", "other", KEY, public_form(KEY.public))
    with other, pytest.raises(HubError, match="another platform"):
        other.drafted(found)


def test_what_is_too_much_for_one_acknowledgement_is_several() -> None:
    """The rest of a long log fits the hub's bounds, piece by piece, each valid by itself."""
    waiting = received(p0=1_500 * SEGMENT)
    acks = drafted(read_csv("rest,NOT_BOUND"), waiting)
    assert len(acks) == 2
    additions = [read_outcomes(ack) for ack in acks]
    assert sum(len(one.bits) for found in additions if isinstance(found, list) for one in found) == 1_500 * SEGMENT + 1


BAD: dict[str, tuple[str, str]] = {
    "no outcome": ("0-1,GONE", "row 1"),
    "the symbol for what nobody knows": ("0-1,UNKNOWN", "row 1"),
    "an outcome in small letters": ("0-1,UNBOUND\n0-2,unbound", "row 2"),
    "no position": ("case,outcome\n+8613800138000,UNBOUND", "row 2: no position"),
    "a position with zeros before": ("07-1,UNBOUND", "row 1"),
    "a negative offset": ("7--1,UNBOUND", "row 1"),
    "a case twice": ("7-1,UNBOUND\n7-1,FROZEN", "row 2: 7-1 a second time"),
    "one column": ("7-1", "row 1: 1 columns"),
    "four columns": ("7-1,UNBOUND,,", "row 1: 4 columns"),
    "a rest that is unbound": ("rest,UNBOUND", "row 1: the rest"),
    "an action nobody knows": ("7-1,UNBOUND,DELETED", "row 1"),
    "an action twice": ("7-1,UNBOUND,LOGIN_OFF LOGIN_OFF", "row 1"),
    "nothing": ("\n\n", "no row"),
    "a header alone": ("case,outcome\n", "no row"),
    "too many rows": ("\n".join(f"0-{index},UNBOUND" for index in range(ROWS_MAX + 1)), f"more than {ROWS_MAX}"),
    "an open quote": ('"7-1,UNBOUND', "no CSV"),
}


@pytest.mark.parametrize(("text", "detail"), BAD.values(), ids=list(BAD))
def test_a_bad_row_refuses_the_file_with_its_line(text: str, detail: str) -> None:
    """A file with one wrong row says nothing at all; the answer names the row and what to do, never a number."""
    with pytest.raises(Problem) as refused:
        read_csv(text)
    assert detail in refused.value.detail
    assert refused.value.todo
    assert "138001" not in refused.value.detail


@pytest.mark.parametrize(
    "content",
    [[], "x", None, {"other": 1}, {"outcomes": {}}, {"outcomes": ["7-1"]}, {"received": []}, {"received": {"a": 1}},
     {"received": {"7": -1}}, {"received": {"7": True}}, {"outcomes": [{"case": "7-1"}]}, {"rest": "UNBOUND"}, {},
     {"outcomes": [{"case": "7-1", "outcome": "UNBOUND", "actions": "LOGIN_OFF"}]}],
)  # fmt: skip
def test_bad_json_is_refused(content: Any) -> None:
    """JSON of another shape says nothing at all."""
    with pytest.raises(Problem):
        read_json(content)
