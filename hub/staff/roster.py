"""This module edits the roster: it reads it to its end, changes one record, and notices if another registrar did too.

The roster is two compacted topics of one partition, where the newest record of an id counts. A change reads to the end,
changes, writes, and looks at what was written in between: a record of the same id there was replaced by ours before we
saw it. Then the change is made again, to that record, so that neither is lost; if it can no longer be made, the other
record is put back and the change is refused. If a third registrar came between, the error says so. For example, Li sets
the tier of `bank` while Zhang sets its contact: the second record is written again and has both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaProducer, TopicPartition

from hub.core.model import HubLog, Operator, Platform
from hub.core.roster import Roster
from hub.core.roster_life import check_keys
from hub.errors import ContractError, HubError, UnbindError
from hub.kafka.clients import new_producer, reader_settings, started
from hub.kafka.newest import read_hub_log
from hub.kafka.spans import log_spans, read_span
from hub.settings import HubAddress, WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode, encode

R = TypeVar("R", Operator, Platform)
Change = Callable[[R | None, Roster], R]
"""Makes the new record from the one that is there (or None) and the whole roster."""

TRIES_MAX = 5
"""How often a change is made again because another came between. So many registrars do not work at once."""

TOPICS: dict[type, str] = {Operator: contracts.OPERATORS, Platform: contracts.PLATFORMS}


class Placed(NamedTuple):
    """A record of the roster and its offset."""

    offset: int
    record: Any


async def find_hub(servers: str) -> tuple[HubAddress, HubLog]:
    """Return which hub is at an address.

    Raises:
        HubError: no broker answers, or there is no hub.
    """
    found = await read_hub_log(reader_settings(servers))
    return HubAddress(servers, found.hub_id, found.partitions), found


async def _read(settings: WorkerSettings, topic: str, first: int, *kinds: type[Any]) -> list[Placed]:
    """Return the records of a topic of one partition, from an offset on. Records that cannot be read are skipped."""
    tp = TopicPartition(topic, 0)
    ((start, end),) = (await log_spans(settings, [tp])).values()
    placed = []
    async for batch in read_span(settings, {tp: (max(first, start), end)}):
        for record in batch:
            if record.value is not None:
                try:
                    placed.append(Placed(record.offset, decode(record.value, *kinds)))
                except ContractError:
                    continue
    return placed


class RosterEditor:
    """Reads and changes the roster of one hub. `roster_editor` makes it."""

    def __init__(self, settings: WorkerSettings, producer: AIOKafkaProducer) -> None:
        self._settings = settings
        self._producer = producer

    async def read(self) -> Roster:
        """Return the roster as it is now."""
        return read_roster(
            await _read(self._settings, contracts.OPERATORS, 0, Operator),
            await _read(self._settings, contracts.PLATFORMS, 0, Platform),
        )

    async def change(self, kind: type[R], record_id: str, change: Change[R]) -> R:
        """Change one record, or add it.

        Args:
            change: makes the new record, or raises `HubError` to refuse.

        Raises:
            HubError: the change is refused, or others changed the same record again and again.
        """
        topic = TOPICS[kind]
        mine: set[int] = set()
        seen = -1
        for _ in range(TRIES_MAX):
            placed = await _read(self._settings, topic, 0, kind)
            theirs: R | None = _newest(placed, record_id, mine)
            _check_one_other(placed, record_id, mine)
            roster = await self._roster_with(topic, _others(placed, mine))
            seen = placed[-1].offset if placed else -1
            made = await self._made(topic, change, theirs, roster, overwritten=bool(mine))
            written = await self._producer.send_and_wait(topic, encode(made), key=record_id.encode(), partition=0)
            mine.add(written.offset)
            since = await _read(self._settings, topic, seen + 1, kind)
            if not any(
                one.record.id == record_id and one.offset not in mine for one in since if one.offset < written.offset
            ):
                await self._look_at_keys(made)
                return made
        raise HubError(
            f"others are changing {record_id} at the same time", todo="Agree who does, look at it, and try again."
        )

    async def _made(self, topic: str, change: Change[R], theirs: R | None, roster: Roster, *, overwritten: bool) -> R:
        try:
            made = change(theirs, roster)
            check_keys(made, roster)
        except UnbindError as refused:
            if not overwritten or theirs is None:
                raise
            # Our record has already replaced theirs: put theirs back before the error is raised.
            await self._producer.send_and_wait(topic, encode(theirs), key=theirs.id.encode(), partition=0)
            raise HubError(
                f"another registrar changed {theirs.id} meanwhile; its change stands and yours was not made:"
                f" {refused.message}",
                todo=refused.todo,
            ) from refused
        return made

    async def _roster_with(self, topic: str, placed: list[Placed]) -> Roster:
        """Return the roster made of records that were read and those of the other topic."""
        others = contracts.PLATFORMS if topic == contracts.OPERATORS else contracts.OPERATORS
        beside = await _read(self._settings, others, 0, Operator, Platform)
        return read_roster(placed, beside)

    async def _look_at_keys(self, made: Operator | Platform) -> None:
        """Raise if two registrars gave the same key id to two holders at once."""
        try:
            check_keys(made, await self.read())
        except HubError as wrong:
            raise HubError(
                f"{made.id} was written, and at the same moment another registrar gave its key away: {wrong.message}",
                todo="Give one of them a new key with rotate-key --compromised.",
            ) from wrong


def _check_one_other(placed: list[Placed], record_id: str, mine: set[int]) -> None:
    """Raise if a record came after ours, which replaced another's: it may rest on ours, and a change may be lost."""
    if any(one.record.id == record_id and one.offset > min(mine, default=one.offset) for one in _others(placed, mine)):
        raise HubError(
            f"several registrars changed {record_id} at once, and one change may be missing",
            todo=f"Look at it now (show {record_id}) and make again what is not there.",
        )


def _others(placed: list[Placed], mine: set[int]) -> list[Placed]:
    return [one for one in placed if one.offset not in mine]


def _newest(placed: list[Placed], record_id: str, mine: set[int]) -> Any:
    found = [one.record for one in _others(placed, mine) if one.record.id == record_id]
    return found[-1] if found else None


def read_roster(*parts: list[Placed]) -> Roster:
    """Return the roster that records make. A later record replaces an earlier one of its id."""
    roster = Roster()
    for one in (placed.record for part in parts for placed in part):
        if isinstance(one, Operator):
            roster.put_operator(one)
        else:
            roster.put_platform(one)
    return roster


@asynccontextmanager
async def roster_editor(address: HubAddress) -> AsyncIterator[RosterEditor]:
    """Yield an editor that is connected."""
    settings = reader_settings(address.bootstrap_servers, address.security)
    async with started(new_producer(address, linger_ms=0)) as producer:
        yield RosterEditor(settings, producer)
