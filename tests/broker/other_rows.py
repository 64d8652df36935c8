"""What the archive must hold, worked out by the recount's code from what librdkafka reads: none of it is its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from hub.archive.keys import Keyring
from hub.core.model import Record
from hub.recount.bitmaps import offsets_in
from hub.recount.cases import fold
from hub.recount.wire import read
from hub.wire import contracts
from hub.wire.contracts import receipts_topic
from tests.broker.scene import Scene

Rows = set[tuple[Any, ...]]


def expected(scene: Scene) -> dict[str, Rows]:
    """Cases, effects position by position, and receipts of events, as the logs say."""
    releases = in_order(scene.read(contracts.RELEASES))
    cases = fold(releases, scene.ends(contracts.RELEASES))
    return {
        "cases": {
            (*one.position, one.number, one.operator, one.stage, one.published_at, one.reissue_not_before)
            for one in cases.values()
        },
        "effects": {row for record in scene.read(contracts.ACKS) for row in said(record)},
        "receipts": {
            row for one in scene.operators for record in scene.read(receipts_topic(one)) for row in told(one, record)
        },
    }


def in_order(records: Sequence[Record]) -> list[Record]:
    """Each partition in its order."""
    return sorted(records, key=lambda one: (one.partition, one.offset))


def said(record: Record) -> Rows:
    """Every position an acknowledgement names; nothing of one in which a bitmap is none."""
    ack = read("acknowledgement", record.value)
    found: Rows = set()
    if ack is None:
        return found
    for one in ack["outcomes"]:
        for part in one["cases"]:
            offsets = offsets_in(part["bitmap"])
            if offsets is None:
                return set()
            found |= {
                (
                    record.partition,
                    record.offset,
                    record.record_time,
                    ack["platform"],
                    one["outcome"],
                    one["partition"],
                    at,
                )
                for at in (part["base"] + offset for offset in offsets)
            }
    return found


def told(operator: str, record: Record) -> Rows:
    """A receipt of an event or a daily report, if it is one."""
    one = read("receipt", record.value)
    if one is None:
        return set()
    source, position = one["source"], one["position"] or {"partition": None, "offset": None}
    where = (operator, record.partition, record.offset, record.record_time, source["partition"], source["offset"])
    what = (one["event_id"], one["decision"], one["reason"], position["partition"], position["offset"])
    return {(*where, *what, tuple(one["breaches"]), one["recorded_at"])}


def kept(connection: Connection, keys: Keyring) -> dict[str, Rows]:
    """The same, as the archive's tables have it."""

    def rows(query: str) -> Sequence[Any]:
        return connection.execute(text(query)).all()

    def number(row: Any) -> str:
        return keys.unseal(row.number_sealed, f"cases/{row.part}/{row.log_offset}/number").decode()

    cases: Rows = set()
    for row in rows("SELECT * FROM cases"):
        assert bytes(row.number_key) in keys.digests(number(row))
        facts = (row.operator, row.stage, row.published_at, row.reissue_not_before)
        cases.add((row.part, row.log_offset, number(row), *facts))
    effects = rows("""
        SELECT part, log_offset, record_time, platform, outcome, rel_part, at
        FROM effects, generate_series(first_offset, last_offset) AS at
        WHERE CASE WHEN bits IS NULL THEN true ELSE get_bit(bits, at - first_offset) = 1 END
    """)
    receipts = rows("""
        SELECT operator, part, log_offset, record_time, source_part, source_offset, message_id, decision, reason,
               position_part, position_offset, breaches, recorded_at FROM receipts WHERE kind = 'receipt'
    """)
    return {
        "cases": cases,
        "effects": {tuple(row) for row in effects},
        "receipts": {tuple(tuple(one) if isinstance(one, list) else one for one in row) for row in receipts},
    }
