"""This module rebuilds the archive from the logs beside the old one, and replaces the old one when the new is whole.

The new archive is made in a schema of its own, and one transaction swaps the two by renaming. Until then the old
archive answers questions, a kill leaves the old archive, and nobody ever sees half of one. (If the tables were emptied
and filled again, the web would have no history meanwhile.) A running archive notices that its places moved, and goes
on from those of the new one. For example, schema `archive` is rebuilt in `archive_next`, and the old one is
`archive_old` until it is dropped.

Kafka keeps receipts and refusals for a year, and a record of the roster only until a newer one comes. What the logs
have lost of these is taken over from the old archive: its sealed original bytes are made into rows once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Engine, text

from hub.archive.database import migrate, open_engine
from hub.archive.follower import ArchiveFollower, worker_settings
from hub.archive.keys import Keyring, read_keys
from hub.archive.makers import RECEIPTS
from hub.archive.metrics import ArchiveMetrics
from hub.archive.packing import unpack
from hub.archive.program import opener
from hub.archive.rest import out_of
from hub.archive.rows import MessageRow
from hub.archive.settings import ArchiveSettings
from hub.archive.store import Store
from hub.core.model import Record
from hub.kafka.newest import read_hub_log
from hub.wire import contracts

log = logging.getLogger(__name__)

KEPT_AT_ONCE = 1_000


async def rebuild(settings: ArchiveSettings) -> int:
    """Rebuild the archive up to the present ends of the logs. Return how many messages only the old archive still had.

    Raises:
        HubError: the logs or the database cannot be read; the old archive stays as it is.
    """
    keys = read_keys(settings.key_file)
    hub_log = await read_hub_log(worker_settings(settings))
    fresh = replace(settings, schema=f"{settings.schema}_next", ready_file=None)
    engine = open_engine(fresh.dsn, fresh.schema)
    try:
        for rest in (fresh.schema, f"{settings.schema}_old"):  # a rebuild that was killed may have left these
            await asyncio.to_thread(_drop, engine, rest)
        await asyncio.to_thread(migrate, engine, fresh.schema)
        whole = asyncio.Event()
        open_store = opener(engine, keys, fresh.schema, hub_log)
        await ArchiveFollower(fresh, hub_log, open_store, ArchiveMetrics(), whole.set).run(whole)
        store = await asyncio.to_thread(open_store)
        try:
            taken = await asyncio.to_thread(take_over, engine, settings.schema, keys, store)
        finally:
            store.close()
        await asyncio.to_thread(_swap, engine, settings.schema, fresh.schema)
        await asyncio.to_thread(_drop, engine, f"{settings.schema}_old")
    finally:
        engine.dispose()
    return taken


def take_over(engine: Engine, old: str, keys: Keyring, store: Store) -> int:
    """Take over what only the old archive has, if it is of the same logs. Return how many messages that were."""
    with engine.connect() as connection:
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": f"{old}.messages"}).scalar() is None:
            return 0
        lost = [name for name, spec in contracts.topics().items() if spec.retention != "keep"]
        query = text(
            f"SELECT o.* FROM {old}.messages o JOIN archive_places p ON p.topic = o.topic AND p.part = o.part "
            f"WHERE (o.topic = ANY(:lost) OR o.topic LIKE '{RECEIPTS}%') AND o.log_offset < p.next_offset "
            "AND EXISTS (SELECT FROM archive_meta m JOIN " + old + ".archive_meta USING (log_id)) "
            "AND NOT EXISTS (SELECT FROM messages n WHERE n.topic = o.topic AND n.part = o.part "
            "AND n.log_offset = o.log_offset) ORDER BY o.topic, o.part, o.log_offset"
        )
        rows = connection.execution_options(yield_per=KEPT_AT_ONCE).execute(query, {"lost": lost})
        count = 0
        for found in rows.partitions():
            store.take_over(list(_records(found, keys)))
            count += len(found)
    return count


def _records(found: object, keys: Keyring) -> Iterator[Record]:
    for row in found:  # type: ignore[attr-defined]
        message = out_of(keys, MessageRow, row)
        assert isinstance(message, MessageRow)
        yield unpack(message)


def _swap(engine: Engine, now: str, fresh: str) -> None:
    with engine.begin() as connection:
        if connection.execute(text("SELECT to_regnamespace(:name)"), {"name": now}).scalar() is not None:
            connection.execute(text(f"ALTER SCHEMA {now} RENAME TO {now}_old"))
        connection.execute(text(f"ALTER SCHEMA {fresh} RENAME TO {now}"))


def _drop(engine: Engine, schema: str) -> None:
    """Drop a schema table by table: a single DROP would hold a lock on every partition."""
    with engine.connect() as connection:
        query = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
        names = connection.execute(query, {"schema": schema}).scalars().all()
        for name in sorted(names, key=len, reverse=True):
            connection.execute(text(f"DROP TABLE IF EXISTS {schema}.{name} CASCADE"))
            connection.commit()
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        connection.commit()
