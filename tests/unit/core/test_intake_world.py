"""The sample world through importer, rules and fold, against figures worked out by other code (world-expected.json)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.core.breaches import OperatorBook
from hub.core.intake import Arrival
from hub.core.model import Breach, Decision, Operator
from hub.sdk.operators.importer import ImportedEvent, UnreadableRow, importer_for
from hub.sdk.operators.rehearsal import Rehearsal
from hub.sdk.roster_files import read_operators
from hub.sdk.times import time_ms
from tests.places import SAMPLES

WORLD = SAMPLES / "world"
STARTS_AT = time_ms("2026-01-01T00:00:00Z")

pytestmark = pytest.mark.skipif(not WORLD.is_dir(), reason=f"the sample world is not beside the repository ({WORLD})")


@dataclass
class Result:
    """What intake made of the world."""

    rehearsal: Rehearsal
    books: dict[str, OperatorBook] = field(default_factory=lambda: defaultdict(OperatorBook))
    unreadable: Counter[str] = field(default_factory=Counter)


def _arrivals(operators: list[Operator], result: Result) -> dict[int, list[Arrival]]:
    """Every readable event in the order of its arrival, a list a partition."""
    rows: list[ImportedEvent] = []
    for operator in operators:
        path = WORLD / "events" / f"{operator.id}.csv"
        for row in importer_for(path, operator.id).read(path):
            if isinstance(row, UnreadableRow):
                result.unreadable[operator.id] += 1
            else:
                rows.append(row)
    rows.sort(key=lambda row: (row.published_at or 0, row.event.event_id))
    found: dict[int, list[Arrival]] = defaultdict(list)
    for row in rows:
        arrival = result.rehearsal.arrive(row.event, row.published_at or 0)
        found[arrival.record.partition].append(arrival)
    return found


def _drive(batch_max: int) -> Result:
    operators = read_operators(WORLD / "operators.yaml", {}, STARTS_AT)
    result = Result(Rehearsal(operators))
    for arrivals in _arrivals(operators, result).values():
        for start in range(0, len(arrivals), batch_max):
            batch = arrivals[start : start + batch_max]
            heard = result.rehearsal.hear(batch)
            for arrival, receipt in zip(batch, heard.receipts, strict=True):
                assert arrival.sender is not None
                result.books[arrival.sender.id].add(receipt)
            for letter in heard.rejected:
                assert letter.sender is not None
                result.books[letter.sender].add_rejected(letter)
    return result


def _figures(result: Result, operator: str) -> dict[str, Any]:
    book = result.books[operator]
    return {
        "accepted": book.decisions[Decision.ACCEPTED] + book.decisions[Decision.NOTED],
        "duplicate": book.decisions.get(Decision.DUPLICATE, 0),
        "unreadable": result.unreadable[operator],
        "rejected": {reason.value: count for reason, count in book.refusals.items()},
        "breaches": {kind.value: count for kind, count in book.breaches.items()},
    }


@pytest.mark.parametrize("batch_max", [1, 7, 500])
def test_operators_of_the_sample_world(batch_max: int) -> None:
    """Every operator of the sample world gets exactly the figures worked out for it, whatever the batches."""
    result = _drive(batch_max)
    expected = json.loads((SAMPLES / "world-expected.json").read_text(encoding="utf-8"))["operators"]
    for figures in expected.values():
        figures["breaches"].pop(Breach.SILENT, None)  # is about reports, which are not in the files
    assert {operator: _figures(result, operator) for operator in expected} == expected


def test_cases_of_the_sample_world() -> None:
    """Every case of the sample world ends at the stage worked out for it."""
    cases = _drive(500).rehearsal.known.cases.values()
    expected = json.loads((SAMPLES / "world-expected.json").read_text(encoding="utf-8"))["cases"]
    assert Counter(case.stage.lower() for case in cases) == expected
