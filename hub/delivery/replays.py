"""This module gives notices again, by position, by case or by time. It moves no cursor, and each page is bounded.

For example, `{"by": "case", "case": "7-120033"}` gives all notices of that case, and with them the next request, if
any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.core.model import Source
from hub.delivery.releases import Releases, Told
from hub.problems import Problem

NOTICES_MAX = 1_000
SCAN_MAX = 20_000
"""At most so many positions are looked at in one request for a case."""


class ByPosition(BaseModel):
    """This asks for positions of one partition, both ends included; without `last`, it asks to the partition's end."""

    model_config = ConfigDict(extra="forbid")
    by: Literal["position"]
    partition: int = Field(ge=0)
    first: int = Field(ge=0)
    last: int | None = Field(default=None, ge=0)


class ByCase(BaseModel):
    """This asks for all notices of a case, such as `7-120033`; `first` says where to go on within its partition."""

    model_config = ConfigDict(extra="forbid")
    by: Literal["case"]
    case: str = Field(max_length=30)
    first: int | None = Field(default=None, ge=0)


class ByTime(BaseModel):
    """This asks for notices recorded at or after `since` and before `until`, UTC milliseconds.

    `partition` and `first` say where to go on.
    """

    model_config = ConfigDict(extra="forbid")
    by: Literal["time"]
    since: int = Field(ge=0, le=2**53)
    until: int = Field(ge=0, le=2**53)
    partition: int = Field(default=0, ge=0)
    first: int | None = Field(default=None, ge=0)


Wanted = Annotated[ByPosition | ByCase | ByTime, Field(discriminator="by")]
Page = tuple[list[Told], BaseModel | None]
"""This is notices, and what to ask for next."""


async def page(releases: Releases, partitions: int, wanted: Wanted) -> Page:
    """Return a page of what is wanted.

    Raises:
        Problem: 422, no such partition or case.
    """
    if isinstance(wanted, ByCase):
        return await _of_case(releases, partitions, wanted)
    if wanted.partition >= partitions:
        raise Problem(422, "NO_SUCH_PARTITION", f"there are {partitions} partitions", "Begin with 0.")
    if isinstance(wanted, ByTime):
        return await _of_time(releases, partitions, wanted)
    end = releases.end(wanted.partition) if wanted.last is None else wanted.last + 1
    told = await span(releases, wanted.partition, wanted.first, end, NOTICES_MAX)
    more = bool(told) and told[-1].offset + 1 < min(end, releases.end(wanted.partition))
    return told, wanted.model_copy(update={"first": told[-1].offset + 1}) if more else None


async def span(releases: Releases, partition: int, first: int, end: int, limit: int) -> list[Told]:
    """Return notices of [first, end), at most `limit`."""
    told: list[Told] = []
    while first < end and len(told) < limit:
        more: Sequence[Told] = await releases.read(partition, first, min(end - first, limit - len(told)))
        if not more:
            break
        told += more
        first = told[-1].offset + 1
    return told


async def _of_case(releases: Releases, partitions: int, wanted: ByCase) -> Page:
    case = Source.read(wanted.case)
    if case is None or case.partition >= partitions or case.offset >= releases.end(case.partition):
        raise Problem(422, "NO_CASE", "no such case", "Name a case by its `case`, such as 7-120033.")
    first = case.offset if wanted.first is None else max(wanted.first, case.offset)
    told: list[Told] = []
    end = first + SCAN_MAX
    while first < end and (scanned := await releases.read(case.partition, first, min(end - first, NOTICES_MAX))):
        told += [
            one
            for one in scanned
            if one.offset == case.offset or (one.notice is not None and one.notice.opened_at == case.offset)
        ]
        first = scanned[-1].offset + 1
    return told, wanted.model_copy(update={"first": first}) if first == end else None


async def _of_time(releases: Releases, partitions: int, wanted: ByTime) -> Page:
    firsts, ends = await releases.first_at(wanted.since), await releases.first_at(wanted.until)
    told: list[Told] = []
    for partition in range(wanted.partition, partitions):
        first = firsts[partition]
        if partition == wanted.partition and wanted.first is not None:
            first = max(first, wanted.first)
        told += await span(releases, partition, first, ends[partition], NOTICES_MAX - len(told))
        if len(told) >= NOTICES_MAX:
            return told, wanted.model_copy(update={"partition": partition, "first": told[-1].offset + 1})
    return told, None
