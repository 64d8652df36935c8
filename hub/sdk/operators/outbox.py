"""This module keeps, in one SQLite file, what an operator has sent without a receipt, and the totals of partitions.

For example, an event that lies at events 7-500 stays in `entries` until the receipt of 7-500 has come, and counts once
in the total of partition 7.

Rules:
1. A message is stored before it is sent, with its bytes and signature, and kept until its receipt arrives: sent
   again after a crash it is the very same message, so the hub sees a duplicate and never a reused id.
2. If a crash or an error left it open whether a message arrived, it is `unsure` until the receipt of its next sending
   has come. The hub answers a partition in order, so by then any earlier copy has been receipted, and counted, as well.
3. The total of a partition is the number of places in it known to hold an event of this operator: from Kafka's
   acknowledgement or from a receipt, whichever comes first. That is the hub's own rule
   (`hub.core.breaches.OperatorBook`): reports and messages with a bad signature do not count.
   So a copy of a held event that the hub sends once more does not count: its receipt names the place of the event
   it answers (`held_source`), and takes the place of the HELD there.
4. Places older than `places_kept` behind the newest receipted one are folded into a number. A receipt of one of
   them is a repeat.

A write is safe from a crash of the process at once, and from a power cut once SQLite has checkpointed; what is
lost then comes back with the receipts, which are read on from the place stored in the same write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hub.core.model import Decision, Receipt, Refusal, Source
from hub.errors import OperatorError
from hub.wire.contracts import decode, encode
from hub.wire.signing import KEY_ID_HEADER, SIGNATURE_HEADER, Headers, read_seal

SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (operator TEXT, hub_id TEXT, partitions INTEGER, next_receipt INTEGER);
CREATE TABLE IF NOT EXISTS entries (
  entry INTEGER PRIMARY KEY AUTOINCREMENT, event_id BLOB, partition INTEGER, key BLOB, value BLOB,
  signature BLOB, key_id TEXT, timestamp_ms INTEGER, place INTEGER, unsure INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS entries_by_place ON entries (partition, place);
CREATE INDEX IF NOT EXISTS entries_by_event ON entries (event_id);
CREATE TABLE IF NOT EXISTS places (
  partition INTEGER, place INTEGER, event_id BLOB, counted INTEGER, receipt BLOB,
  PRIMARY KEY (partition, place)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS places_by_event ON places (event_id);
CREATE TABLE IF NOT EXISTS folded (partition INTEGER PRIMARY KEY, counted INTEGER, below INTEGER);
"""


class Entry(NamedTuple):
    """This is a message to send. `place` is its offset once Kafka has acknowledged it."""

    entry: int
    event_id: bytes
    partition: int
    key: bytes
    value: bytes
    headers: Headers
    timestamp_ms: int | None
    place: int | None


class Outbox:
    """This is the outbox of one operator at one hub. Only one publisher uses it at a time.

    Raises:
        OperatorError: the file cannot be used, or is another operator's or another hub's.
    """

    def __init__(self, path: Path, operator: str, hub_id: str, partitions: int, places_kept: int) -> None:
        self._partitions = partitions
        self._places_kept = places_kept
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        except sqlite3.Error as wrong:
            raise OperatorError(f"the outbox {path} cannot be used: {wrong}", todo="Check the path.") from wrong
        self._own(path, operator, hub_id)

    def _own(self, path: Path, operator: str, hub_id: str) -> None:
        owner = self._db.execute("SELECT operator, hub_id, partitions FROM owner").fetchone()
        if owner is None:
            self._db.execute("INSERT INTO owner VALUES (?, ?, ?, 0)", (operator, hub_id, self._partitions))
        elif owner != (operator, hub_id, self._partitions):
            self._db.close()
            raise OperatorError(
                f"the outbox {path} is of {owner[0]} at {owner[1]} with {owner[2]} partitions",
                todo="Give every operator and hub an outbox of its own.",
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Write everything in the block, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def put(
        self, event_id: bytes, partition: int, key: bytes, value: bytes, headers: Headers, timestamp_ms: int | None
    ) -> Entry:
        """Store a message that will be sent."""
        seal = read_seal(headers)
        assert seal is not None, "the signer makes exactly the headers a seal is read from"
        row = (event_id, partition, key, value, seal.signature, seal.key_id, timestamp_ms)
        made = self._db.execute(
            "INSERT INTO entries (event_id, partition, key, value, signature, key_id, timestamp_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        return Entry(made.lastrowid or 0, event_id, partition, key, value, headers, timestamp_ms, None)

    def unsent(self) -> list[Entry]:
        """Return messages that Kafka has not acknowledged, in the order they were stored."""
        rows = self._db.execute(
            "SELECT entry, event_id, partition, key, value, signature, key_id, timestamp_ms, place"
            " FROM entries WHERE place IS NULL ORDER BY entry"
        )
        return [
            Entry(entry, event_id, home, key, value, _headers(signature, key_id), timestamp_ms, place)
            for entry, event_id, home, key, value, signature, key_id, timestamp_ms, place in rows
        ]

    def waiting(self, event_id: bytes | None = None) -> int:
        """Return how many messages (of one event, if given) have no receipt yet."""
        condition, values = ("TRUE", ()) if event_id is None else ("event_id = ?", (event_id,))
        (count,) = self._db.execute(f"SELECT count(*) FROM entries WHERE {condition}", values).fetchone()
        return int(count)

    def open_fates(self) -> int:
        """Return how many messages may lie in a partition once more than is counted, or not at all."""
        return int(self._db.execute("SELECT count(*) FROM entries WHERE place IS NULL OR unsure").fetchone()[0])

    def doubt(self) -> None:
        """Note that everything not acknowledged may have reached its partition all the same."""
        self._db.execute("UPDATE entries SET unsure = 1 WHERE place IS NULL")

    def forget_places(self) -> None:
        """Note that everything without a receipt is to be sent once more."""
        self._db.execute("UPDATE entries SET place = NULL, unsure = 1")

    def acknowledge(self, sent: Sequence[tuple[Entry, int]]) -> list[Receipt]:
        """Note where messages lie; return the receipts that had come before."""
        with self._write() as db:
            for entry, place in sent:
                db.execute("UPDATE entries SET place = ? WHERE entry = ?", (place, entry.entry))
                self._count(db, entry, place)
            settled = [self._settle(db, Source(entry.partition, place)) for entry, place in sent]
        return [receipt for receipt in settled if receipt is not None]

    def _count(self, db: sqlite3.Connection, entry: Entry, place: int) -> None:
        if place >= self._below(entry.partition):
            row = (entry.partition, place, entry.event_id)
            db.execute("INSERT OR IGNORE INTO places VALUES (?, ?, ?, 1, NULL)", row)

    def record(self, receipts: Sequence[Receipt], next_receipt: int) -> list[Receipt]:
        """Note receipts, and where to read on; return those of places not receipted before."""
        new: list[Receipt] = []
        with self._write() as db:
            for receipt in receipts:
                if receipt.held_source is not None:
                    new += [receipt] if self._answer_held(db, receipt, receipt.held_source) else []
                elif self._is_new(db, receipt):
                    row = (*receipt.source, receipt.event_id, is_counted(receipt), encode(receipt))
                    db.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)", row)
                    self._settle(db, receipt.source)
                    new.append(receipt)
            for partition in {receipt.source.partition for receipt in new if receipt.held_source is None}:
                self._fold_places(db, partition)
            db.execute("UPDATE owner SET next_receipt = ?", (next_receipt,))
        return new

    def _is_new(self, db: sqlite3.Connection, receipt: Receipt) -> bool:
        if receipt.source.offset < self._below(receipt.source.partition):
            return False
        found = db.execute("SELECT receipt FROM places WHERE partition = ? AND place = ?", receipt.source).fetchone()
        return found is None or found[0] is None

    def _answer_held(self, db: sqlite3.Connection, receipt: Receipt, held: Source) -> bool:
        """Put the answer to a held event in the place of its HELD; return whether it is new."""
        if receipt.decision is Decision.HELD:
            return False
        found = db.execute("SELECT receipt FROM places WHERE partition = ? AND place = ?", held).fetchone()
        if found is None or found[0] is None or decode(found[0], Receipt).decision is not Decision.HELD:
            return False
        db.execute("UPDATE places SET receipt = ? WHERE partition = ? AND place = ?", (encode(receipt), *held))
        return True

    def _settle(self, db: sqlite3.Connection, source: Source) -> Receipt | None:
        """Delete the message at a place if its receipt is there, and return that receipt."""
        found = db.execute("SELECT receipt FROM places WHERE partition = ? AND place = ?", source).fetchone()
        if found is None or found[0] is None:
            return None
        db.execute("DELETE FROM entries WHERE partition = ? AND place = ?", source)
        return decode(found[0], Receipt)

    def _fold_places(self, db: sqlite3.Connection, partition: int) -> None:
        (newest,) = db.execute(
            "SELECT max(place) FROM places WHERE partition = ? AND receipt IS NOT NULL", (partition,)
        ).fetchone()
        below = newest - self._places_kept
        if below - self._below(partition) < self._places_kept:  # they are folded in steps, not one by one
            return
        old = "FROM places WHERE partition = ? AND place < ?"
        (counted,) = db.execute(f"SELECT coalesce(sum(counted), 0) {old}", (partition, below)).fetchone()
        db.execute(f"DELETE {old}", (partition, below))
        db.execute(
            "INSERT INTO folded VALUES (?, ?, ?) ON CONFLICT (partition)"
            " DO UPDATE SET counted = counted + excluded.counted, below = excluded.below",
            (partition, counted, below),
        )

    def _below(self, partition: int) -> int:
        found = self._db.execute("SELECT below FROM folded WHERE partition = ?", (partition,)).fetchone()
        return 0 if found is None else int(found[0])

    def receipt_of(self, event_id: bytes) -> Receipt | None:
        """Return the receipt of the latest place with this event, or None if it has none or was folded since."""
        found = self._db.execute(
            "SELECT receipt FROM places WHERE event_id = ? AND receipt IS NOT NULL ORDER BY place DESC", (event_id,)
        ).fetchone()
        return None if found is None else decode(found[0], Receipt)

    @property
    def next_receipt(self) -> int:
        """Return the offset of the next receipt to read."""
        return int(self._db.execute("SELECT next_receipt FROM owner").fetchone()[0])

    def totals(self) -> tuple[int, ...]:
        """Return how many events lie in each partition, repeats and refused ones included."""
        found = self._db.execute(
            "SELECT partition, sum(counted) FROM (SELECT partition, counted FROM places UNION ALL"
            " SELECT partition, counted FROM folded) GROUP BY partition"
        )
        totals = dict(found.fetchall())
        return tuple(totals.get(partition, 0) for partition in range(self._partitions))


def is_counted(receipt: Receipt) -> bool:
    """Return whether the hub counts the message of a receipt as an event of this operator."""
    return receipt.decision is not Decision.REPORTED and receipt.reason is not Refusal.BAD_SIGNATURE


def _headers(signature: bytes, key_id: str) -> Headers:
    return ((SIGNATURE_HEADER, signature), (KEY_ID_HEADER, key_id.encode()))
