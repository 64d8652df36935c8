"""This module keeps delivery's places on its own disk, so that a repeat after a crash is the same message and id.

Each lane has one row: how far the receiver has received, and how far the last attempt reached. For example, (bank, 7,
next 120041, attempt_last 120050) means that 7-120041 to 7-120050 are sent again as one message. If this file is lost,
nothing is lost: the hub's own `received` is then the cursor, and receivers may see a notice again in another message.
It is SQLite in WAL mode, not synced at each commit: a `kill -9` loses nothing, a power cut at most what was said above.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hub.delivery.health import Health, Pace, ReceiverState

TABLES = """
CREATE TABLE IF NOT EXISTS of_log (log_id BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS places (
    platform TEXT, partition INTEGER, next INTEGER NOT NULL, digest BLOB NOT NULL, attempt_last INTEGER NOT NULL,
    PRIMARY KEY (platform, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS health (platform TEXT PRIMARY KEY, channel TEXT NOT NULL, said TEXT NOT NULL) WITHOUT ROWID;
"""
FILE_NAME = "delivery.sqlite"
NONE = -1


class Place(NamedTuple):
    """This is a receiver in one partition: the next offset it has not received, and the last of an open attempt, or -1.

    `digest` is the SHA-256 of the value before `next`, empty at the beginning.
    """

    next: int = 0
    digest: bytes = b""
    attempt_last: int = NONE


class Journal:
    """This is the open file. One process writes it; others may read it."""

    def __init__(self, data_dir: Path, log_id: bytes) -> None:
        self._db = sqlite3.connect(data_dir / FILE_NAME, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(TABLES)
        if self._db.execute("SELECT log_id FROM of_log").fetchall() != [(log_id,)]:  # its positions are of another log
            self._db.executescript("DELETE FROM of_log; DELETE FROM places; DELETE FROM health;")
            self._db.execute("INSERT INTO of_log VALUES (?)", (log_id,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def places(self, platform: str) -> dict[int, Place]:
        """Return the places of a platform, by partition."""
        rows = self._db.execute(
            "SELECT partition, next, digest, attempt_last FROM places WHERE platform = ?", (platform,)
        )
        return {partition: Place(*place) for partition, *place in rows}

    def put(self, platform: str, places: Mapping[int, Place]) -> None:
        """Keep places, all in one transaction."""
        rows = [(platform, partition, *place) for partition, place in places.items()]
        if len(rows) == 1:
            self._db.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)", rows[0])
            return
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)", rows)

    def health(self, platform: str, channel: str) -> Health:
        """Return a receiver's health; it is new if the channel is another now."""
        row = self._db.execute("SELECT channel, said FROM health WHERE platform = ?", (platform,)).fetchone()
        return Health() if row is None or row[0] != channel else _health(json.loads(row[1]))

    def put_health(self, platform: str, channel: str, health: Health) -> None:
        """Keep a receiver's health."""
        self._db.execute("INSERT OR REPLACE INTO health VALUES (?, ?, ?)", (platform, channel, json.dumps(health)))


def _health(raw: list[Any]) -> Health:
    state, since, gone, overall, lanes, received_at, why = raw
    paces = tuple((lane, Pace(*pace)) for lane, pace in lanes)
    return Health(ReceiverState(state), since, gone, Pace(*overall), paces, received_at, why)
