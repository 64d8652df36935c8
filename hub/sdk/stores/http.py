"""This module is the store for accounts behind a platform's own HTTP service; the adapter's records are in SQLite.

The service is described in `schemas/account-service.yaml`. Two databases cannot commit together, so this store writes
ahead: before the service is asked to do anything, what is about to be asked and how the accounts looked are committed
in the file (`asked`). After a crash the service is asked for the same again under the same keys, and an account it
has been asked about still counts as it looked before, until what was decided about it is committed. So nothing is
acknowledged that was not done, and nothing that was done is forgotten. For example, if the adapter crashes after the
service froze account "u1", "u1" still counts as not frozen, and the service is asked to freeze it again.

The log says what was asked and answered by case and account, never the number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, delete, select, update
from sqlalchemy.pool import NullPool

from hub.core.model import Source
from hub.sdk.accounts import Account, Binding, Changes, Done, Known, Outbox, Place, Progress, Readability, Wanted
from hub.sdk.deeds import Ask, AskKey, Retry
from hub.sdk.last_cases import Evidence, LastCase
from hub.sdk.stores.account_service import AccountService, ServiceSettings
from hub.sdk.stores.bulk import Row, bulk_for
from hub.sdk.stores.faults import told
from hub.sdk.stores.records import Records
from hub.sdk.stores.sql_fuse import SqlFuses
from hub.sdk.stores.sql_index import PREFIX, SqlIndex
from hub.sdk.stores.tables import Tables


def http_store(service: ServiceSettings, records: Path, index_key: bytes | None = None) -> HttpStore:
    """Return the store of a service.

    Args:
        records: the SQLite file for the adapter's own records; it is made if missing, and only its owner can read it.
        index_key: a secret for the record of last cases, kept outside that file (`hub.sdk.stores.sql_index`).
    """
    if not records.exists():
        os.close(os.open(records, os.O_CREAT | os.O_WRONLY, 0o600))
    records.chmod(0o600)  # a login check that came first made it with the usual rights
    engine = create_engine(
        f"sqlite:///{records}", poolclass=NullPool, connect_args={"timeout": 30}, hide_parameters=True
    )
    return HttpStore(AccountService(service), engine, index_key)


class HttpStore:
    """This implements `hub.sdk.accounts.AccountStore` and `hub.sdk.last_cases.Index`."""

    def __init__(self, service: AccountService, engine: Engine, index_key: bytes | None = None) -> None:
        self.service = service
        self._engine = engine
        self._tables = Tables(PREFIX)
        with told():
            self.index = SqlIndex(engine, PREFIX, index_key, self._tables.metadata)
            self._tables.metadata.create_all(engine)
            self.index.prepare()
        self.fuses = SqlFuses(engine, self._tables)

    def readability(self) -> Readability:
        """Return what the service says of its own rows."""
        return self.service.readability()

    def progress(self) -> Progress:
        """Return how far each partition was heard."""
        with told(), self._engine.connect() as connection:
            return Records(connection, self._tables, str).progress()

    @contextmanager
    def transaction(self) -> Iterator[HttpSession]:
        """Open a transaction of the records; within it the service is asked, after what is asked was written."""
        session = HttpSession(self.service, self._engine, self._tables, self.index)
        yield session
        session.commit()

    def last_case(self, number: str) -> LastCase | None:
        """Return the last case of a number."""
        return self.index.last_case(number)

    def evidence(self) -> Evidence:
        """Return how far the record of last cases goes back and how new it is."""
        return self.index.evidence()

    def outbox(self) -> Outbox:
        """Return what is committed, and therefore done, and not yet acknowledged."""
        with told(), self._engine.connect() as connection:
            return Records(connection, self._tables, str).outbox()

    def acknowledged(self, outbox: Outbox) -> None:
        """Forget exactly what this outbox held."""
        with told(), self._engine.begin() as connection:
            Records(connection, self._tables, str).acknowledged(outbox)

    def due(self, now_ms: int, most: int) -> list[Retry]:
        """Return cases whose time to be tried again has come."""
        with told(), self._engine.connect() as connection:
            return Records(connection, self._tables, str).due(now_ms, most)


class HttpSession:
    """This implements `hub.sdk.accounts.Session`."""

    def __init__(self, service: AccountService, engine: Engine, tables: Tables, index: SqlIndex) -> None:
        self._service = service
        self._engine = engine
        self._tables = tables
        self._index = index
        self._accounts: dict[str, Account] = {}
        self._asked_until: dict[tuple[str, Source], int] = {}
        self._places: dict[int, Place] = {}
        self._changes: Changes | None = None

    def load(self, wanted: Wanted) -> Known:
        """Return what the records and the service know of what is wanted."""
        with told(), self._engine.connect() as connection:
            records = Records(connection, self._tables, str)
            touches = records.touches_of(wanted.cases)
            found = self._service.match(wanted.numbers, sorted({touch.account_id for touch in touches}))
            asked = self._asked(connection)
            self._accounts = found | {
                name: one._replace(proven_at=found[name].proven_at if name in found else None)
                for name, one in asked.items()
                if name in found or one.number in wanted.numbers
            }
            touches += records.freezes_on(self._accounts)
            progress = records.progress()
            self._places = progress.places
            return Known(
                log_id=progress.log_id,
                places=progress.places,
                stages=records.stages(wanted.segments),
                accounts=dict(self._accounts),
                touches={(touch.case, touch.account_id): touch for touch in touches},
                spent=records.fuses.spent(wanted.operators, wanted.since_hour),
                retries=records.retries(wanted.cases),
                held=records.fuses.held(wanted.cases),
                blown=records.fuses.blown(wanted.operators),
                life_since=records.life_since(wanted.cases),
                last_cases=self._index.load(connection, wanted.subjects),
            )

    def _asked(self, connection: Connection) -> dict[str, Account]:
        """Return the accounts of deeds that were asked for and are not committed yet, as they count until then."""
        rows = connection.execute(select(self._tables.asked)).all()
        self._asked_until = {(row.account_id, Source(row.partition, row.opened_at)): row.notice_at for row in rows}
        return {row.account_id: Account(row.account_id, row.number, row.bound_at, row.snapshot) for row in rows}

    def ask(self, asks: Sequence[Ask]) -> dict[AskKey, Done]:
        """Write what is asked, then ask; return what the service fails at or declines."""
        if not asks:
            return {}
        rows = {(ask.key.account_id, ask.key.case): self._asked_row(ask) for ask in asks}
        with told(), self._engine.begin() as connection:
            bulk_for(connection).put(self._tables.asked, list(rows.values()))
        answers = self._service.act(asks)
        return {key: done for key, done in answers.items() if done is not Done.DONE}

    def _asked_row(self, ask: Ask) -> Row:
        account, case = self._accounts.get(ask.key.account_id), ask.key.case
        place = self._places.get(ask.position.partition)
        return {
            "account_id": ask.key.account_id,
            "partition": case.partition,
            "opened_at": case.offset,
            # Batches may have other bounds than before the crash: what was asked for later notices is still to come.
            "notice_at": max(ask.position.offset, self._asked_until.get((ask.key.account_id, case), -1)),
            "again": int(place is not None and ask.position.offset < place.next_offset),
            "number": None if account is None else account.number,
            "bound_at": ask.bound_at if account is None else account.bound_at,
            "snapshot": ask.snapshot if account is None else account.snapshot,
        }

    def save(self, changes: Changes) -> None:
        """Keep the changes, to be written at the end of the transaction. The accounts are changed already."""
        self._changes = changes

    def commit(self) -> None:
        """Write what was saved, and delete what was asked and is settled by it."""
        changes = self._changes
        if changes is None:
            return
        with told(), self._engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            Records(connection, self._tables, str).save(changes, str)
            self._index.save(connection, changes)
            self._settle(connection, changes)

    def _settle(self, connection: Connection, changes: Changes) -> None:
        """Forget what was asked up to where the log is handled now; let the rest count as this batch left it."""
        asked = self._tables.asked
        for partition, place in changes.places.items():
            passed = (asked.c.partition == partition, asked.c.notice_at < place.next_offset, asked.c.again == 0)
            connection.execute(delete(asked).where(*passed))
        again = {*changes.retries, *changes.asked_of}
        tried = [{"partition": case.partition, "opened_at": case.offset} for case in sorted(again)]
        bulk_for(connection).delete(asked, tried, ("partition", "opened_at"))
        for row in connection.execute(select(asked)).all():
            effect = changes.effects.get(row.account_id)
            if effect is not None and effect.binding is not Binding.THAWED:
                number = None if effect.binding in (Binding.UNBOUND, Binding.WITHOUT_NUMBER) else effect.number
                same = (asked.c.account_id == row.account_id,)
                connection.execute(update(asked).where(*same).values(number=number, bound_at=effect.bound_at))
