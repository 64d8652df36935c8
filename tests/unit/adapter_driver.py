"""A small log of notices and a driver that carries it through a store, with crashes as items of its input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from hub.core.coverage import read_outcomes
from hub.core.model import DAY_MS, SEGMENT, Acknowledgement, Outcome, ReleaseNotice, Source, Stage, Subject
from hub.sdk.accounts import AccountStore, Done, HeardNotice
from hub.sdk.adapter.acking import acknowledgements
from hub.sdk.adapter.acting import Act, Plan, Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.deeds import Deed, RetryPlan
from hub.wire.contracts import encode

LOG_ID = bytes(range(16))
NOW = 20_000 * DAY_MS
OLD = NOW - 400 * DAY_MS
NEW = NOW + DAY_MS
NUMBER = "+8613800138000"
OTHER = "+8613912345678"
RETRIES = RetryPlan(first_ms=1_000, longest_ms=3_000, attempts_max=4)

Said = dict[Source, set[Outcome]]


class Log:
    """Partition by partition, what lies in `releases`."""

    def __init__(self) -> None:
        self.notices: list[HeardNotice] = []
        self._next: dict[int, int] = {}
        self._source: dict[int, int] = {}

    def add(
        self, stage: Stage, opened_at: int | None = None, number: str = NUMBER, partition: int = 0, **changes: Any
    ) -> Source:
        """Put a notice at the end of a partition; its position."""
        acting = changes.pop("acting", True)
        position = Source(partition, changes.pop("offset", self._next.get(partition, 0)))
        source = changes.pop("source", Source(partition, self._source.get(partition, -1) + 1))
        self._next[partition] = position.offset + 1
        self._source[partition] = max(source.offset, self._source.get(partition, -1))
        notice = ReleaseNotice(
            stage=stage,
            opened_at=opened_at,
            subject=Subject("e164", number),
            operator="north",
            occurred_at=NOW,
            published_at=NOW,
            bound_before=NOW,
            cooling_until=None,
            reissue_not_before=None,
            reminders=0,
            event_id=bytes(16),
            event_digest=bytes(32),
            source=source,
            log_id=LOG_ID,
        )._replace(**changes)
        digest = hashlib.sha256(encode(notice)).digest()
        self.notices.append(HeardNotice(position, notice, digest, acting))
        return position


def by_ending(deed: Deed, account_id: str, notice: ReleaseNotice) -> Done:  # noqa: ARG001
    """A platform that fails at accounts ending in f and declines those ending in d."""
    return {"f": Done.FAILED, "d": Done.DECLINED}.get(account_id[-1], Done.DONE)


def hear(store: AccountStore, log: Log, act: Act = by_ending, fuse: int | None = None) -> Plan:
    """Carry everything that lies in a log and was not heard yet through a store, in one batch."""
    return carry_out(store, log.notices, Rules(act, fuse))


def said_in(acks: Iterable[Acknowledgement], openers: set[Source]) -> Said:
    """What acknowledgements say of cases, as the hub reads them: positions that open none are ignored."""
    said: Said = {}
    for ack in acks:
        additions = read_outcomes(ack)
        assert isinstance(additions, list), additions
        for one in additions:
            for bit in one.bits:
                case = Source(one.partition, one.segment * SEGMENT + bit)
                if case in openers:
                    said.setdefault(case, set()).add(one.outcome)
    return said


def openers(log: Log) -> set[Source]:
    """Every position that opens a case, unless the fold ignores it."""
    return {one.position for one in log.notices if one.notice.opened_at is None}


def take_acks(store: AccountStore) -> list[Acknowledgement]:
    """What waits to be acknowledged, sent and forgotten."""
    outbox = store.outbox()
    acks = acknowledgements(outbox, "shop", NOW, {})
    store.acknowledged(outbox)
    return acks


def answers(store: AccountStore, log: Log) -> Said:
    """What a store has to say about the cases of a log."""
    return said_in(take_acks(store), openers(log))


class Crash(StrEnum):
    """Where a process ends."""

    NOT = "NOT"
    WHILE_ACTING = "WHILE_ACTING"
    BEFORE_ACK = "BEFORE_ACK"
    AFTER_ACK = "AFTER_ACK"


class Crashed(Exception):
    """The process is gone."""


def live_through(
    open_store: Callable[[], AccountStore], log: Log, steps: Iterable[tuple[int, Crash]]
) -> list[Acknowledgement]:
    """Carry a log through a store in batches of the sizes given, each ending as said; everything that was sent.

    After a crash the store is opened again and asked where to go on, as an adapter does.
    """
    sent: list[Acknowledgement] = []
    store = open_store()
    for size, crash in [*steps, (len(log.notices), Crash.NOT), (1, Crash.NOT)]:
        places = store.progress().places
        left = [one for one in log.notices if one.position.offset >= _next_offset(places, one)]
        try:
            if left[:size]:
                carry_out(store, left[:size], Rules(_crashing(crash)))
            if crash is Crash.BEFORE_ACK:
                raise Crashed
            sent += acknowledgements(store.outbox(), "shop", NOW, {})
            if crash is Crash.AFTER_ACK:
                raise Crashed
            store.acknowledged(store.outbox())
        except Crashed:
            store = open_store()
    return sent


def _next_offset(places: Any, heard: HeardNotice) -> int:
    place = places.get(heard.position.partition)
    return 0 if place is None else int(place.next_offset)


def _crashing(crash: Crash) -> Act:
    def act(deed: Deed, account_id: str, notice: ReleaseNotice) -> Done:
        if crash is Crash.WHILE_ACTING:
            raise Crashed
        return by_ending(deed, account_id, notice)

    return act


def try_again(store: AccountStore, log: Log, act: Any, now_ms: int) -> Plan | None:
    """Hear again what is due, as the adapter does."""
    due = {one.position for one in store.due(now_ms, 10)}
    batch = [
        HeardNotice(one.position, one.notice, one.digest, again=True) for one in log.notices if one.position in due
    ]
    return carry_out(store, batch, Rules(act, retries=RETRIES), now_ms) if batch else None
