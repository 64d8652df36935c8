"""An operator's outbox: what it keeps, what it counts, and what it says of a message whose fate is open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.model import Decision, Receipt, Refusal, Source
from hub.errors import OperatorError
from hub.sdk.operators.outbox import Entry, Outbox
from hub.wire.signing import Signer

HUB = "test-hub"
IN_MEMORY = Path(":memory:")
HEADERS = Signer.from_seed("lake-1", bytes(32), HUB).headers("events", b"value")
KEPT = 4


def _outbox(path: Path = IN_MEMORY) -> Outbox:
    return Outbox(path, "lake", HUB, partitions=3, places_kept=KEPT)


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    opened = _outbox()
    yield opened
    opened.close()


def _put(outbox: Outbox, nth: int, partition: int = 0) -> Entry:
    return outbox.put(nth.to_bytes(16), partition, b"+86", b"value", HEADERS, timestamp_ms=nth)


def _receipt(
    place: int,
    nth: int | None = None,
    *,
    partition: int = 0,
    decision: Decision = Decision.ACCEPTED,
    reason: Refusal | None = None,
) -> Receipt:
    event_id = None if nth is None else nth.to_bytes(16)
    return Receipt(Source(partition, place), event_id, decision, reason, None, (), 0)


def test_what_was_stored_comes_back_after_a_crash(tmp_path: Path) -> None:
    """A message without a receipt comes back with the very bytes, headers and time it was stored with, in order."""
    first = _outbox(tmp_path / "outbox")
    entries = [_put(first, nth, partition=nth % 3) for nth in range(4)]
    first.acknowledge([(entries[1], 70)])
    # No close: the process is gone.
    second = _outbox(tmp_path / "outbox")
    assert second.unsent() == [entries[0], *entries[2:]]
    assert (second.waiting(), second.waiting((1).to_bytes(16)), second.waiting((9).to_bytes(16))) == (4, 1, 0)
    assert second.record([_receipt(70, 1, partition=1)], next_receipt=1)  # its place came back, too
    assert (second.waiting(), second.waiting((1).to_bytes(16))) == (3, 0)


@pytest.mark.parametrize("receipt_first", [True, False])
def test_a_receipt_settles_its_message(outbox: Outbox, receipt_first: bool) -> None:
    """A message is let go of once its place and the receipt of that place are known, whichever came first."""
    entry = _put(outbox, 7)
    receipt = _receipt(3, 7)
    if receipt_first:
        assert outbox.record([receipt], next_receipt=1) == [receipt]
        assert outbox.waiting() == 1
        assert outbox.acknowledge([(entry, 3)]) == [receipt]
    else:
        assert outbox.acknowledge([(entry, 3)]) == []
        assert outbox.waiting() == 1
        assert outbox.record([receipt], next_receipt=1) == [receipt]
    assert outbox.waiting() == 0
    assert outbox.receipt_of((7).to_bytes(16)) == receipt
    assert outbox.totals() == (1, 0, 0)


def test_a_place_counts_once(outbox: Outbox) -> None:
    """Acknowledged, receipted and receipted again, a place is one event; another copy is one more."""
    entry = _put(outbox, 7)
    outbox.acknowledge([(entry, 3)])
    assert outbox.record([_receipt(3, 7), _receipt(3, 7)], next_receipt=2) == [_receipt(3, 7)]
    assert outbox.totals() == (1, 0, 0)
    outbox.record([_receipt(3, 7), _receipt(4, 7)], next_receipt=3)
    assert outbox.next_receipt == 3
    assert outbox.totals() == (2, 0, 0)


@pytest.mark.parametrize(
    ("receipt", "counted"),
    [
        (_receipt(3, 7, decision=Decision.NOTED), 1),
        (_receipt(3, 7, decision=Decision.DUPLICATE), 1),
        (_receipt(3, 7, decision=Decision.REFUSED, reason=Refusal.BAD_TIME), 1),
        (_receipt(3, decision=Decision.REFUSED, reason=Refusal.UNDECODABLE), 1),
        (_receipt(3, decision=Decision.REFUSED, reason=Refusal.BAD_SIGNATURE), 0),
        (_receipt(3, decision=Decision.REPORTED), 0),
    ],
)
def test_what_counts_is_what_the_hub_counts(outbox: Outbox, receipt: Receipt, counted: int) -> None:
    """Every event that is proven the operator's counts, refused ones too; reports and bad signatures do not."""
    outbox.acknowledge([(_put(outbox, 7), 3)])
    outbox.record([receipt], next_receipt=1)
    assert outbox.totals() == (counted, 0, 0)
    assert outbox.waiting() == 0


def test_an_open_fate_is_known_with_the_next_receipt(outbox: Outbox) -> None:
    """After a failure a message is of open fate until the receipt of its next sending has come, not before."""
    entry = _put(outbox, 7)
    assert outbox.open_fates() == 1
    outbox.doubt()
    outbox.acknowledge([(entry, 4)])
    assert outbox.open_fates() == 1
    outbox.record([_receipt(3, 7)], next_receipt=1)
    assert outbox.open_fates() == 1
    outbox.record([_receipt(4, 7, decision=Decision.DUPLICATE)], next_receipt=2)
    assert outbox.open_fates() == 0
    assert outbox.totals() == (2, 0, 0)


def test_a_sure_fate_needs_no_receipt(outbox: Outbox) -> None:
    """What Kafka acknowledged at the first try is where it is, receipted or not."""
    outbox.acknowledge([(_put(outbox, 7), 4)])
    assert outbox.open_fates() == 0


def test_everything_can_be_sent_again(outbox: Outbox) -> None:
    """Sent once more, a message is of open fate, and its first place still counts."""
    entry = _put(outbox, 7)
    outbox.acknowledge([(entry, 3)])
    outbox.forget_places()
    assert outbox.unsent() == [entry]
    outbox.acknowledge([(entry, 5)])
    assert (outbox.open_fates(), outbox.totals()) == (1, (2, 0, 0))


def test_old_places_become_a_number(outbox: Outbox) -> None:
    """Old places are folded into the total, and a late repeat of one of their receipts changes nothing."""
    every = [_receipt(place, place) for place in range(40)]
    for receipt in every:
        outbox.record([receipt], next_receipt=receipt.source.offset + 1)
    assert outbox.totals() == (40, 0, 0)
    assert outbox.record(every[:30], next_receipt=41) == []
    assert outbox.totals() == (40, 0, 0)
    assert outbox.receipt_of((3).to_bytes(16)) is None
    assert outbox.receipt_of((39).to_bytes(16)) == every[39]
    assert outbox._db.execute("SELECT count(*) FROM places").fetchone()[0] <= 2 * KEPT + 1


def test_a_failed_write_leaves_nothing(outbox: Outbox) -> None:
    """Receipts and the place to read on are written together or not at all."""
    broken = _receipt(4)._replace(recorded_at="never")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="does not fit"):
        outbox.record([_receipt(3), broken], next_receipt=2)
    assert (outbox.next_receipt, outbox.totals()) == (0, (0, 0, 0))
    outbox.record([_receipt(3)], next_receipt=1)
    assert (outbox.next_receipt, outbox.totals()) == (1, (1, 0, 0))


@pytest.mark.parametrize(("operator", "hub", "partitions"), [("north", HUB, 3), ("lake", "other", 3), ("lake", HUB, 4)])
def test_an_outbox_is_one_operators_at_one_hub(tmp_path: Path, operator: str, hub: str, partitions: int) -> None:
    """Another operator, hub or number of partitions is refused: the counts would be of something else."""
    _outbox(tmp_path / "outbox").close()
    with pytest.raises(OperatorError, match="is of lake at test-hub with 3 partitions"):
        Outbox(tmp_path / "outbox", operator, hub, partitions, KEPT)


def test_a_file_that_is_no_outbox(tmp_path: Path) -> None:
    """A path that cannot be an outbox is the operator's error."""
    (tmp_path / "notes").write_text("not a database, and long enough to be sure of it " * 100, encoding="utf-8")
    for path in (tmp_path / "notes", tmp_path / "none" / "outbox"):
        with pytest.raises(OperatorError, match="cannot be used"):
            _outbox(path)


def test_a_held_event_is_settled_and_its_answer_takes_its_place(outbox: Outbox) -> None:
    """HELD is a receipt: nothing is sent again. The copy that the hub sends later counts as no event of ours."""
    (entry,) = [_put(outbox, 7)]
    outbox.acknowledge([(entry, 3)])
    held = _receipt(3, 7, decision=Decision.HELD)
    assert outbox.record([held], next_receipt=1) == [held]
    assert (outbox.waiting(), sum(outbox.totals())) == (0, 1)
    answer = _receipt(9, 7)._replace(held_source=held.source)
    assert outbox.record([answer, answer], next_receipt=3) == [answer]
    assert sum(outbox.totals()) == 1
    assert outbox.receipt_of(entry.event_id) == answer
    again = _receipt(12, 7, decision=Decision.DUPLICATE)._replace(held_source=held.source)
    still = _receipt(13, 7, decision=Decision.HELD)._replace(held_source=held.source)
    assert outbox.record([again, still], next_receipt=5) == []
    assert outbox.receipt_of(entry.event_id) == answer


def test_an_answer_to_an_event_nobody_remembers_changes_nothing(outbox: Outbox) -> None:
    """A fresh outbox on another machine reads old receipts and counts no copy."""
    answer = _receipt(9, 7)._replace(held_source=_receipt(3).source)
    assert outbox.record([answer], next_receipt=1) == []
    assert sum(outbox.totals()) == 0
