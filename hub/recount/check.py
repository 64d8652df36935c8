"""This module compares the coverage that the hub published with the coverage that follows from the logs.

For example, `Difference("bank", "resolved", 41, 40)` says that the hub shows 41 resolved pairs where the logs have 40.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from hub.core.model import AsOf, Record
from hub.errors import HubError
from hub.recount.acks import Heard, Hub, Refused, hear
from hub.recount.cases import CaseNow, Position, fold
from hub.recount.figures import DAY_MS, Figures, figures_of
from hub.recount.wire import Message, read


class Logs(NamedTuple):
    """These are the logs from their start, each partition in order.

    `coverage` is read before the others, so they hold everything up to its `as_of`.
    """

    hub: Sequence[Record]
    releases: Sequence[Record]
    acks: Sequence[Record]
    platforms: Sequence[Record]
    reported: Sequence[Record]
    coverage: Sequence[Record]


class Difference(NamedTuple):
    """This is a figure that differs between the hub and the logs; `field` is the name in `coverage`."""

    platform: str
    field: str
    hub: Any
    recount: Any


class NoSuchRoster(Exception):
    """The roster records before an `as_of` are gone, because compaction kept only younger ones."""


def about_hub(records: Sequence[Record]) -> Message:
    """Return what topic `hub` says of the logs.

    Raises:
        HubError: the topic says nothing.
    """
    about = [message for record in records if (message := read("hub_log", record.value))]
    if not about:
        raise HubError("topic `hub` names no hub", todo="Give the address of a cluster with a hub's topics.")
    return about[-1]


class Truth:
    """This holds everything in the logs, and works out the figures of any platform at any `as_of`."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._folded: tuple[tuple[int, ...], dict[Position, CaseNow]] = ((), {})
        self._roster = [(record.offset, read("platform", record.value)) for record in logs.platforms]
        self.hub = self._judged_by()
        self._acks: dict[bytes | None, list[Record]] = {}
        for record in logs.acks:
            self._acks.setdefault(record.key, []).append(record)

    def _judged_by(self) -> Hub:
        about = about_hub(self._logs.hub)
        notices = {
            (record.partition, record.offset): record
            for record in self._logs.releases
            if read("release_notice", record.value)
        }
        newest = {one["id"]: one for _, one in self._roster if one}
        return Hub(about["hub_id"], about["log_id"], about["partitions"], newest, notices)

    def platforms(self) -> list[str]:
        """Return every platform on the roster now."""
        return list(dict.fromkeys(one["id"] for _, one in self._roster if one))

    def figures(self, platform: str, as_of: AsOf) -> Figures:
        """Return what `coverage` must say of a platform at that place in the logs.

        Raises:
            NoSuchRoster: no record of the platform is left from before that place.
        """
        return self._counted(platform, as_of, {0: self.cases(as_of)})[0]

    def days(self, platform: str, as_of: AsOf) -> dict[int, Figures]:
        """Return the same figures for the cases that opened on each UTC day, in days since 1970-01-01."""
        opened: dict[int, list[CaseNow]] = {}
        for case in self.cases(as_of):
            opened.setdefault(case.published_at // DAY_MS, []).append(case)
        return self._counted(platform, as_of, opened)

    def cases(self, as_of: AsOf) -> list[CaseNow]:
        """Return every case at that place in the logs."""
        if self._folded[0] != as_of.releases:
            self._folded = (as_of.releases, fold(self._logs.releases, as_of.releases))
        return list(self._folded[1].values())

    def _counted(self, platform: str, as_of: AsOf, groups: Mapping[int, Sequence[CaseNow]]) -> dict[int, Figures]:
        known = [one for offset, one in self._roster if one and one["id"] == platform and offset < as_of.platforms]
        if not known:
            raise NoSuchRoster(platform)
        said, received = self.heard(platform, as_of.acks_partition, as_of.acks)
        reported = reported_at(self._logs.reported, platform, as_of.reported)
        return {
            group: figures_of(known[-1], cases, said, received, reported, as_of.now_ms)
            for group, cases in groups.items()
        }

    def heard(self, platform: str, partition: int, end: int) -> tuple[dict[Position, set[str]], dict[int, int]]:
        """Return what a platform said of each position and how far it received, up to an offset of its acks."""
        said: dict[Position, set[str]] = {}
        received: dict[int, int] = {}
        for heard in self._heard(platform, partition, end):
            for outcome, position in heard.said:
                said.setdefault(position, set()).add(outcome)
            for number, through in heard.received.items():
                received[number] = max(through, received.get(number, -1))
        return said, received

    def _heard(self, platform: str, partition: int, end: int) -> Iterator[Heard]:
        """Yield the platform's acknowledgements that count, up to an offset; they are read again each time."""
        for record in self._acks.get(platform.encode(), ()):
            if record.partition == partition and record.offset < end:
                with suppress(Refused):
                    yield hear(record, self.hub)


def reported_at(records: Sequence[Record], platform: str, end: int) -> set[Position]:
    """Return the cases of reports that have no answer yet; the first record of an id counts."""
    reports: dict[bytes, Message] = {}
    answered: set[bytes] = set()
    for record in records:
        if record.offset >= end:
            break
        if (report := read("accepted_report", record.value)) is not None:
            reports.setdefault(report["report_id"], report)
        elif (answer := read("accepted_answer", record.value)) is not None:
            asked = reports.get(answer["report_id"])
            if asked is not None and asked["platform"] == answer["platform"]:
                answered.add(answer["report_id"])
    return {
        (one["case"]["partition"], one["case"]["offset"])
        for report_id, one in reports.items()
        if report_id not in answered and one["platform"] == platform and one["case"] is not None
    }


def compute(logs: Logs, platform: str, as_of: AsOf) -> Figures:
    """Return one platform's figures at one place in the logs; see `Truth.figures`."""
    return Truth(logs).figures(platform, as_of)


def compare(logs: Logs) -> list[Difference]:
    """Return every figure that the hub shows differently; an empty list is the good answer."""
    truth = Truth(logs)
    newest: dict[str, Message] = {}
    for record in logs.coverage:
        message = read("coverage", record.value)
        if message is not None:
            newest[message["platform"]] = message
    found = [Difference(one, "coverage", "missing", "a record") for one in truth.platforms() if one not in newest]
    for message in sorted(newest.values(), key=lambda one: one["as_of"]["releases"]):
        found += _differences(truth, message)
    return found


def _differences(truth: Truth, message: Message) -> Iterator[Difference]:
    platform = message["platform"]
    shown = {name: value for name, value in message.items() if name not in ("platform", "as_of")}
    shown["outcomes"] = {one["outcome"]: one["pairs"] for one in message["outcomes"] if one["pairs"]}
    shown["gaps"] = {one["gap"]: one["pairs"] for one in message["gaps"] if one["pairs"]}
    shown["received"] = {one["partition"]: one["through"] for one in message["received"]}
    total = shown["resolved"] + sum(shown["gaps"].values())
    if shown["in_force"] != total:
        yield Difference(platform, "in_force = resolved + gaps", shown["in_force"], total)
    place = message["as_of"]
    as_of = AsOf(
        tuple(place["releases"]),
        place["acks_partition"],
        place["acks"],
        place["platforms"],
        place["now_ms"],
        place.get("reported", 0),
    )
    try:
        expected = truth.figures(platform, as_of)
    except NoSuchRoster:
        yield Difference(platform, "as_of.platforms", as_of.platforms, "no roster record before it is left")
        return
    for name in sorted(expected):
        if shown[name] != expected[name]:
            yield Difference(platform, name, shown[name], expected[name])
