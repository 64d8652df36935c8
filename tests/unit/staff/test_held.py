"""What a person may name: nothing over the head of an earlier event, and the first word counts."""

from __future__ import annotations

import pytest

from hub.core.held import HeldRow
from hub.core.model import HeldEvent, HeldVerdict, HeldWhy, Source
from hub.errors import HubError
from hub.staff.held import Waiting, choose, summary

DROPPED, RELEASED = HeldVerdict.DROPPED, HeldVerdict.RELEASED


def waiting(offset: int, number: str, verdict: HeldVerdict | None = None, operator: str = "north") -> Waiting:
    """A held event of a number."""
    event = HeldEvent(Source(3, offset), operator, bytes(16), HeldWhy.DAILY_LIMIT, 1_000 + offset, b"", ())
    return Waiting(event, HeldRow(operator, number, bytes(16), bytes(32), event.why, event.recorded_at, verdict))


FOUND = [waiting(1, "a"), waiting(2, "b"), waiting(3, "a"), waiting(4, "c", DROPPED)]


def offsets(found: list[Waiting]) -> list[int]:
    return [one.source.offset for one in found]


def test_all_but_what_has_another_word_already_is_chosen() -> None:
    """Who releases all does not touch what was dropped a moment before."""
    assert offsets(choose(FOUND, lambda _: True, RELEASED)) == [1, 2, 3]
    assert offsets(choose(FOUND, lambda _: True, DROPPED)) == [1, 2, 3, 4]


def test_nothing_is_released_over_the_head_of_an_earlier_event() -> None:
    """An event behind another of its number goes with it or after it; to drop it alone is allowed."""
    with pytest.raises(HubError, match="1 earlier events"):
        choose(FOUND, lambda one: one.source.offset == 3, RELEASED)
    assert offsets(choose(FOUND, lambda one: one.source.offset in (1, 3), RELEASED)) == [1, 3]
    assert offsets(choose(FOUND, lambda one: one.source.offset == 3, DROPPED)) == [3]
    judged = [waiting(1, "a", DROPPED), waiting(3, "a")]
    assert offsets(choose(judged, lambda one: one.source.offset == 3, RELEASED)) == [3]


def test_another_operators_event_of_the_number_is_not_in_the_way() -> None:
    """Events wait behind their own operator's alone."""
    found = [waiting(1, "a", operator="south"), waiting(3, "a")]
    assert offsets(choose(found, lambda one: one.source.offset == 3, RELEASED)) == [3]


def test_a_choice_of_nothing_is_an_error_that_says_why() -> None:
    """A misspelt event id does not look like success, and neither does a second word."""
    with pytest.raises(HubError, match="no held event"):
        choose(FOUND, lambda _: False, RELEASED)
    with pytest.raises(HubError, match="DROPPED before"):
        choose(FOUND, lambda one: one.source.offset == 4, RELEASED)


def test_the_summary_counts_by_operator_and_names_no_number() -> None:
    """How many, since when and why is all there is to see."""
    (north, south) = summary([*FOUND, waiting(9, "+8613500000007", operator="south")])
    assert (north.events, north.since, north.released) == (4, 1_001, 1)
    assert "+86" not in str(south)
