"""An operator's own topic: receipts, word of what others do with its numbers, and what cannot be read."""

from __future__ import annotations

import logging
from typing import NamedTuple

import pytest

from hub.core.model import Clock, Decision, EventType, PortedNotice, Receipt, Source
from hub.sdk.operators.receipting import ReceiptReader
from hub.wire.contracts import encode


class Raw(NamedTuple):
    """A record as a consumer gives it."""

    value: bytes
    offset: int = 5


RECEIPT = Receipt(Source(1, 2), None, Decision.NOTED, None, None, (), 0)
TOLD = PortedNotice(Source(1, 3), "+8613500000007", "south", EventType.COOLING, 0, 0, Decision.HELD, None)


def test_an_operator_hears_of_its_numbers_beside_its_receipts(caplog: pytest.LogCaptureFixture) -> None:
    """Both kinds are read, the one counted and passed on; what a later version wrote is said and passed over."""
    heard: list[PortedNotice] = []
    reader = ReceiptReader(heard.append)
    with caplog.at_level(logging.WARNING):
        found = reader.read([Raw(encode(RECEIPT)), Raw(encode(TOLD)), Raw(encode(Clock(1))), Raw(encode(RECEIPT))])
    assert found == [RECEIPT, RECEIPT]
    assert heard == [TOLD]
    assert reader.ported == {("south", Decision.HELD): 1}
    assert "receipt at 5 cannot be read" in caplog.text
    assert TOLD.number not in caplog.text


def test_without_a_hook_it_is_counted_all_the_same() -> None:
    """Who does not ask to be called can look."""
    reader = ReceiptReader(None)
    reader.read([Raw(encode(TOLD)), Raw(encode(TOLD._replace(decision=Decision.ACCEPTED)))])
    assert reader.ported == {("south", Decision.HELD): 1, ("south", Decision.ACCEPTED): 1}
