"""This module folds cases from `releases`.

A notice counts if its source is of the same partition and beyond the last source that counted there, and if it fits
the lifecycle: it opens a case where its number has no live one, or moves its number's last case along the table.
Every other notice is ignored, because the first one counts. For example, COOLING at 7-120033 opens case 7-120033, and a
later RELEASED with `opened_at` 120033 moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hub.core.model import Record
from hub.recount.wire import Message, read

UNDONE = ("RESTORED", "WITHDRAWN")
MOVES = {
    "COOLING": ("SCHEDULED", "RELEASED", "RESTORED", "WITHDRAWN"),
    "SCHEDULED": ("RELEASED", "RESTORED", "WITHDRAWN"),
    "RELEASED": ("REASSIGNED", "WITHDRAWN"),
    "REASSIGNED": ("WITHDRAWN",),
    "RESTORED": (),
    "WITHDRAWN": (),
}
LIVE = ("COOLING", "SCHEDULED", "RELEASED")

Position = tuple[int, int]


@dataclass
class CaseNow:
    """This is a case: what its opener said, and its present stage. `number` and `operator` are those of the opener.

    `moves` has every stage it came to, beginning with the opener's, and when each notice was published.
    """

    position: Position
    published_at: int
    reissue_not_before: int | None
    stage: str
    number: str
    operator: str
    moves: list[tuple[str, int]] = field(default_factory=list)


def fold(releases: Iterable[Record], until: Sequence[int]) -> dict[Position, CaseNow]:
    """Return every case, by its position.

    Args:
        releases: the log, each partition in order.
        until: the first offset, in each partition, that is left out.
    """
    cases: dict[Position, CaseNow] = {}
    last_case: dict[str, CaseNow] = {}
    last_source: dict[int, int] = {}
    for record in releases:
        if record.partition >= len(until) or record.offset >= until[record.partition]:
            continue
        notice = read("release_notice", record.value)
        if notice is None or notice["source"]["partition"] != record.partition:
            continue
        if notice["source"]["offset"] <= last_source.get(record.partition, -1):
            continue
        case = last_case.get(notice["subject"]["value"])
        if notice["opened_at"] is None and _may_open(notice, case):
            case = _opened(record, notice)
            cases[case.position] = last_case[notice["subject"]["value"]] = case
        elif notice["opened_at"] is not None and case is not None and _may_move(record, notice, case):
            case.stage = notice["stage"]
            case.moves.append((notice["stage"], notice["published_at"]))
        else:
            continue
        last_source[record.partition] = notice["source"]["offset"]
    return cases


def _may_open(notice: Message, last: CaseNow | None) -> bool:
    return notice["stage"] in ("COOLING", "REASSIGNED") and (last is None or last.stage not in LIVE)


def _opened(record: Record, notice: Message) -> CaseNow:
    position = (record.partition, record.offset)
    times = (notice["published_at"], notice["reissue_not_before"])
    moves = [(notice["stage"], notice["published_at"])]
    return CaseNow(position, *times, notice["stage"], notice["subject"]["value"], notice["operator"], moves)


def _may_move(record: Record, notice: Message, case: CaseNow) -> bool:
    return case.position == (record.partition, notice["opened_at"]) and notice["stage"] in MOVES[case.stage]
