"""This module keeps the adapter's records in SQL: what it heard, touched, has to try again and to acknowledge.

They are beside the accounts in their database (`hub.sdk.stores.sql`), or in a file of their own where the accounts are
behind a service (`hub.sdk.stores.http`). For example, a freeze of account "u1" by case 7-120033 is the row (7, 120033,
"u1") of `touched`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyroaring import BitMap
from sqlalchemy import Connection, delete, select

from hub.core.coverage import pack, unpack
from hub.core.model import Outcome, OutcomeReason, Source
from hub.sdk.accounts import Changes, Held, Outbox, Place, Progress, SaidKey, Touch, Waiting
from hub.sdk.deeds import Retry
from hub.sdk.stores.bulk import Row, bulk_for
from hub.sdk.stores.sql_fuse import FuseRecords
from hub.sdk.stores.tables import Tables

ZLIB_LEVEL = 1
"""Stages are mostly runs, so the fastest level already packs a segment into some kilobytes."""

Text = Callable[[str], str]


class Records:
    """These are the records within one transaction.

    Args:
        read: gives the number of a string that is kept in a touch.
    """

    def __init__(self, connection: Connection, tables: Tables, read: Text) -> None:
        self.fuses = FuseRecords(connection, tables)
        self._bulk = bulk_for(connection)
        self._connection = connection
        self._tables = tables
        self._read = read

    def progress(self) -> Progress:
        """Return how far each partition was heard."""
        rows = self._connection.execute(select(self._tables.progress)).all()
        places = {row.partition: Place(row.next_offset, row.last_source) for row in rows}
        return Progress(rows[0].log_id if rows else None, places)

    def touches_of(self, cases: Iterable[Source]) -> list[Touch]:
        """Return the touches of cases."""
        touched, found = self._tables.touched, list[Touch]()
        for partition, offsets in _by_partition(cases).items():
            query = select(touched).where(touched.c.partition == partition)
            rows = self._bulk.rows(query, "opened_at", offsets, touched.c.opened_at.type)
            found += [self._touch(row) for row in rows]
        return found

    def freezes_on(self, names: Iterable[str]) -> list[Touch]:
        """Return the touches that hold a freeze on accounts."""
        touched = self._tables.touched
        query = select(touched).where(touched.c.held == Held.FREEZE.value)
        return [self._touch(row) for row in self._bulk.rows(query, "account_id", names, touched.c.account_id.type)]

    def _touch(self, row: Any) -> Touch:
        return Touch(
            case=Source(row.partition, row.opened_at),
            account_id=row.account_id,
            outcome=Outcome(row.outcome),
            held=Held(row.held),
            number=self._read(row.number),
            bound_at=row.bound_at,
            snapshot=row.snapshot,
        )

    def stages(self, segments: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """Return the stages of cases by segment."""
        stages, found = self._tables.stages, dict[tuple[int, int], bytes]()
        for partition, segment in sorted(segments):
            query = select(stages.c.packed).where(stages.c.partition == partition, stages.c.segment == segment)
            packed = self._connection.execute(query).scalar_one_or_none()
            if packed is not None:
                found[partition, segment] = zlib.decompress(packed)
        return found

    def retries(self, cases: Iterable[Source]) -> dict[Source, Retry]:
        """Return which of these cases are to be tried again."""
        retries, found = self._tables.retries, dict[Source, Retry]()
        for partition, offsets in _by_partition(cases).items():
            query = select(retries).where(retries.c.partition == partition)
            rows = self._bulk.rows(query, "opened_at", offsets, retries.c.opened_at.type)
            found |= {one.case: one for one in map(_retry, rows)}
        return found

    def life_since(self, cases: Iterable[Source]) -> dict[Source, int]:
        """Return from when on a proof of the number speaks against these cases, where that is known."""
        table, found = self._tables.life_since, dict[Source, int]()
        for partition, offsets in _by_partition(cases).items():
            rows = self._bulk.rows(
                select(table).where(table.c.partition == partition), "opened_at", offsets, table.c.opened_at.type
            )
            found |= {Source(row.partition, row.opened_at): row.since for row in rows}
        return found

    def due(self, now_ms: int, most: int) -> list[Retry]:
        """Return at most `most` cases to be tried again by now, the longest due first."""
        retries = self._tables.retries
        query = select(retries).where(retries.c.due_at <= now_ms).order_by(retries.c.due_at).limit(most)
        return [_retry(row) for row in self._connection.execute(query)]

    def save(self, changes: Changes, written: Text) -> None:
        """Write what a batch changed.

        Args:
            written: gives the string as which a number is kept in a touch.
        """
        tables, put = self._tables, self._bulk.put
        self._bulk.delete(tables.touched, _case_rows(changes.done_with), ("partition", "opened_at"))
        put(tables.touched, [_touched_row(touch, written) for touch in changes.touches.values()])
        put(tables.progress, [_progress_row(changes.log_id, *one) for one in changes.places.items()])
        put(tables.stages, [_stages_row(*key, packed) for key, packed in changes.stages.items()])
        self.fuses.save(changes)
        self._bulk.delete(tables.life_since, _case_rows(changes.done_with))
        since = changes.life_since.items()
        put(
            tables.life_since, [{"partition": one.partition, "opened_at": one.offset, "since": at} for one, at in since]
        )
        self._bulk.delete(tables.retries, _case_rows(case for case, one in changes.retries.items() if one is None))
        put(tables.retries, [_retry_row(one) for one in changes.retries.values() if one is not None])
        before = self._waiting()
        put(tables.waiting, [_waiting_row(key, one, before) for key, one in changes.waiting.items()])
        said, empty = self._said(changes.said), BitMap()
        put(tables.said, [_said_row(key, bits | said.get(key, empty)) for key, bits in changes.said.items()])

    def outbox(self) -> Outbox:
        """Return what is committed and not yet acknowledged."""
        said = self._connection.execute(select(self._tables.said)).all()
        return Outbox(
            self.progress().log_id,
            self._waiting(),
            {_said_key(row): unpack(row.bitmap) for row in said},
        )

    def acknowledged(self, outbox: Outbox) -> None:
        """Forget exactly what this outbox held."""
        waiting = self._tables.waiting
        for partition, one in outbox.waiting.items():
            same = (waiting.c.partition == partition, waiting.c.through == one.through)
            self._connection.execute(delete(waiting).where(*same))
        left = {key: bits - outbox.said[key] for key, bits in self._said(outbox.said).items()}
        self._bulk.delete(self._tables.said, [_said_row(key, bits) for key, bits in left.items() if not bits])
        self._bulk.put(self._tables.said, [_said_row(key, bits) for key, bits in left.items() if bits])

    def _waiting(self) -> dict[int, Waiting]:
        rows = self._connection.execute(select(self._tables.waiting))
        return {row.partition: Waiting(row.through, row.digest, row.published_at) for row in rows}

    def _said(self, keys: Iterable[SaidKey]) -> dict[SaidKey, BitMap]:
        wanted = set(keys)
        rows = self._connection.execute(select(self._tables.said)) if wanted else ()
        found = ((_said_key(row), row.bitmap) for row in rows)
        return {key: unpack(bitmap) for key, bitmap in found if key in wanted}


class NoRecords(Records):
    """These are the records of an adapter without tables yet, which has heard nothing. They can only be read."""

    def progress(self) -> Progress:
        """Return that nothing was heard."""
        return Progress(None, {})

    def touches_of(self, cases: Iterable[Source]) -> list[Touch]:  # noqa: ARG002 - as `Records`
        """Return nothing, because no case touched anything."""
        return []

    def freezes_on(self, names: Iterable[str]) -> list[Touch]:  # noqa: ARG002 - as `Records`
        """Return nothing, because nothing is frozen."""
        return []

    def stages(self, segments: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:  # noqa: ARG002
        """Return nothing, because no case is known."""
        return {}

    def retries(self, cases: Iterable[Source]) -> dict[Source, Retry]:  # noqa: ARG002 - as `Records`
        """Return nothing, because nothing failed."""
        return {}


def _by_partition(cases: Iterable[Source]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for case in sorted(cases):
        found.setdefault(case.partition, []).append(case.offset)
    return found


def _case_rows(cases: Iterable[Source]) -> list[Row]:
    return [{"partition": case.partition, "opened_at": case.offset} for case in cases]


def _touched_row(touch: Touch, written: Text) -> Row:
    return {
        "partition": touch.case.partition,
        "opened_at": touch.case.offset,
        "account_id": touch.account_id,
        "outcome": touch.outcome.value,
        "held": touch.held.value,
        "number": written(touch.number),
        "bound_at": touch.bound_at,
        "snapshot": touch.snapshot,
    }


def _retry(row: Any) -> Retry:
    position = Source(row.partition, row.notice_at)
    return Retry(Source(row.partition, row.opened_at), position, row.attempts, row.due_at)


def _retry_row(retry: Retry) -> Row:
    return {
        "partition": retry.case.partition,
        "opened_at": retry.case.offset,
        "notice_at": retry.position.offset,
        "attempts": retry.attempts,
        "due_at": retry.due_at,
    }


def _progress_row(log_id: bytes | None, partition: int, place: Place) -> Row:
    return {"partition": partition, "log_id": log_id, **place._asdict()}


def _stages_row(partition: int, segment: int, stages: bytes) -> Row:
    return {"partition": partition, "segment": segment, "packed": zlib.compress(stages, ZLIB_LEVEL)}


def _waiting_row(partition: int, waiting: Waiting, before: Mapping[int, Waiting]) -> Row:
    return {"partition": partition, **waiting.after(before.get(partition))._asdict()}


def _said_key(row: Any) -> SaidKey:
    outcome, _, reason = row.outcome.partition("/")
    return SaidKey(row.partition, row.segment, Outcome(outcome), OutcomeReason(reason) if reason else None)


def _said_row(key: SaidKey, bits: BitMap) -> Row:
    return {
        "partition": key.partition,
        "segment": key.segment,
        "outcome": key.outcome.value if key.reason is None else f"{key.outcome}/{key.reason}",
        "bitmap": pack(bits),
    }
