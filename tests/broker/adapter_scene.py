"""`unbind-hub platform run` as a real process, its broker, its accounts, and what an undisturbed adapter would do."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import NullPool, create_engine, text

from hub.core.lifecycle import MOVES
from hub.core.model import Acknowledgement, Stage
from hub.local.children import Child
from hub.sdk.accounts import HeardNotice
from hub.sdk.adapter.acking import acknowledgements
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.ahead import Ahead
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.settings import always_done
from hub.sdk.stores import MemoryStore
from hub.wire.contracts import ACKS, RELEASES, decode, encode
from hub.wire.signing import Signer
from tests import databases
from tests.account_service import TOKEN, Served, Service, ServiceAccount
from tests.unit.adapter_driver import NEW, NOW, OLD, Log, Said, openers, said_in

PARTITIONS = 3
HUB_ID = "hub-of-the-test"
BATCH_MAX = 4
"""Small batches, so that a kill comes amid many of them; also on a quick machine the log outlasts the kills."""

STOP_S = 30.0
Deeds = list[tuple[str, str, str]]


class Row(NamedTuple):
    """An account as its platform sees it."""

    number: str | None
    frozen: bool


class Look(NamedTuple):
    """A platform at one moment: accounts, how far the log was handled, every deed as often as it was asked for."""

    accounts: dict[str, Row]
    places: dict[int, int]
    deeds: Deeds


class HasStore(Protocol):
    """What a `platform.yaml` can be written about."""

    def store_yaml(self) -> str: ...


class Platform(HasStore, Protocol):
    """A platform's accounts behind one kind of store."""

    exact: bool
    """Whether accounts and records are one database, and so agree at every moment."""

    def fill(self, accounts: Mapping[str, tuple[str, int | None]]) -> None: ...

    def look(self) -> Look: ...

    def close(self) -> None: ...


class InDatabase:
    """A table and, run in the adapter's own transactions, a note of every deed."""

    exact = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = create_engine(url, poolclass=NullPool)

    def store_yaml(self) -> str:
        call = '{call: "INSERT INTO deeds VALUES (:account_id, :deed, :case)"}'
        return f"""
  sql:
    url: {self._url}
    table: users
    columns: {{account_id: id, number: phone, bound_at: bound_at, frozen: frozen}}
    numbers: {{international: "+"}}
    bound_at: {{unit: ms}}
    do: {{freeze: {call}, unbind: {call}, reinstate: {call}}}
"""

    def fill(self, accounts: Mapping[str, tuple[str, int | None]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                text("CREATE TABLE users (id VARCHAR(20) PRIMARY KEY, phone VARCHAR(20), bound_at BIGINT, frozen INT)")
            )
            connection.execute(text("CREATE INDEX users_phone ON users (phone)"))
            connection.execute(
                text("CREATE TABLE deeds (account_id VARCHAR(20), deed VARCHAR(20), made_for VARCHAR(40))")
            )
            rows = [{"id": name, "phone": one[0], "at": one[1]} for name, one in accounts.items()]
            connection.execute(text("INSERT INTO users VALUES (:id, :phone, :at, 0)"), rows)

    def look(self) -> Look:
        level = "SERIALIZABLE" if self._engine.dialect.name == "sqlite" else "REPEATABLE READ"
        with self._engine.connect().execution_options(isolation_level=level) as connection:
            made = self._engine.dialect.has_table(connection, "unbind_hub_progress")
            users = connection.execute(text("SELECT id, phone, frozen FROM users")).all()
            places = connection.execute(text("SELECT * FROM unbind_hub_progress")).all() if made else []
            deeds = connection.execute(text("SELECT * FROM deeds")).all()
        return Look(
            {row.id: Row(row.phone, bool(row.frozen)) for row in users},
            {row.partition: row.next_offset for row in places},
            [(row.account_id, row.deed, row.made_for) for row in deeds],
        )

    def close(self) -> None:
        self._engine.dispose()


class BehindService:
    """A service of the platform's own, which lives on when the adapter dies."""

    exact = False

    def __init__(self, folder: Path) -> None:
        self._served = Served(Service())
        self._records = folder / "records.sqlite"

    def store_yaml(self) -> str:
        (self._records.parent / "token").write_text(TOKEN, encoding="utf-8")
        return f"""
  http: {{url: "{self._served.url}", token: {{file: token}}, records: {self._records.name}}}
"""

    def fill(self, accounts: Mapping[str, tuple[str, int | None]]) -> None:
        self._served.service.accounts |= {name: ServiceAccount(*one) for name, one in accounts.items()}

    def look(self) -> Look:
        service, places = self._served.service, dict[int, int]()
        if self._records.exists():
            engine = create_engine(f"sqlite:///{self._records}", poolclass=NullPool)
            with engine.connect() as connection:
                if engine.dialect.has_table(connection, "unbind_hub_progress"):
                    found = connection.execute(text("SELECT * FROM unbind_hub_progress")).all()
                    places = {row.partition: row.next_offset for row in found}
        deeds = [(key.split("/")[1], key.split("/")[2], key.split("/")[0]) for key in list(service.asked)]
        return Look({name: Row(one.number, one.frozen) for name, one in list(service.accounts.items())}, places, deeds)

    def close(self) -> None:
        self._served.close()


PLATFORMS: dict[str, Callable[[Path], Platform]] = {
    "sqlite": lambda folder: InDatabase(f"sqlite:///{folder / 'app.db'}"),
    "postgres": lambda folder: InDatabase(databases.postgres_url()),  # noqa: ARG005 - one of several makers
    "mariadb": lambda folder: InDatabase(databases.mariadb_url()),  # noqa: ARG005 - one of several makers
    "http": BehindService,
}


def history(rng: random.Random, numbers: int, notices: int) -> tuple[Log, dict[str, tuple[str, int | None]]]:
    """A log of many cases through their lives, and the accounts they meet."""
    log, last = Log(), dict[str, tuple[Stage | None, int | None]]()
    names = [f"+86138{one:08d}" for one in range(numbers)]
    accounts = {f"u{one}": (number, rng.choice([OLD, OLD, OLD, NEW, None])) for one, number in enumerate(names)}
    while len(log.notices) < notices:
        number = rng.choice(names)
        stage, opened_at = last.get(number, (None, None))
        moves = sorted({after for (before, _), after in MOVES.items() if before is stage})
        opens = stage in (None, Stage.RESTORED, Stage.WITHDRAWN, Stage.REASSIGNED) and (not moves or rng.random() < 0.5)
        after = Stage.COOLING if opens else rng.choice(moves)
        partition = names.index(number) % PARTITIONS
        position = log.add(after, None if opens else opened_at, number, partition, published_at=NOW)
        last[number] = (after, position.offset if opens else opened_at)
    return log, accounts


class Twin:
    """The same accounts in memory, and an adapter that nobody disturbs. It too sees the whole log before it begins."""

    def __init__(self, log: Log, accounts: Mapping[str, tuple[str, int | None]]) -> None:
        self._log = log
        ahead = Ahead({})
        for one in log.notices:
            ahead.look(one.position, one.notice)
        self._notices = [one._replace(undone_later=ahead.is_undone(one.position, one.notice)) for one in log.notices]
        self._names = list(accounts)
        self._store = MemoryStore((name, *one) for name, one in accounts.items())
        self._places = dict.fromkeys(range(PARTITIONS), 0)
        self.said: Said = {}

    def go_to(self, places: Mapping[int, int]) -> dict[str, Row]:
        """Handle everything below these places; the accounts then."""
        due = [one for one in self._notices if self._is_due(one, places)]
        self._places |= places
        carry_out(self._store, due, Rules(always_done))
        outbox = self._store.outbox()
        for case, outcomes in said_in(acknowledgements(outbox, "shop", NOW, {}), openers(self._log)).items():
            self.said.setdefault(case, set()).update(outcomes)
        self._store.acknowledged(outbox)
        found = {name: self._store.get(name) for name in self._names}
        return {name: Row(one.number, one.frozen) for name, one in found.items() if one is not None}

    def _is_due(self, heard: HeardNotice, places: Mapping[int, int]) -> bool:
        partition, offset = heard.position
        return self._places[partition] <= offset < places.get(partition, 0)


class Wires(NamedTuple):
    """The two topics of one test."""

    servers: str

    async def make(self, log: Log) -> None:
        """Make them, and put a log into `releases`."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            known = set(await admin.list_topics()) & {RELEASES, ACKS}
            if known:
                await admin.delete_topics(list(known))
                while known & set(await admin.list_topics()):
                    await asyncio.sleep(0.02)
            await admin.create_topics([NewTopic(one, PARTITIONS, 1) for one in (RELEASES, ACKS)])
        finally:
            await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=self.servers) as producer:
            for position, notice, *_ in log.notices:
                await producer.send(RELEASES, encode(notice), partition=position.partition)

    async def acks(self) -> list[Acknowledgement]:
        """Every acknowledgement there is."""
        tps = [TopicPartition(ACKS, one) for one in range(PARTITIONS)]
        found: list[Acknowledgement] = []
        async with AIOKafkaConsumer(bootstrap_servers=self.servers, auto_offset_reset="earliest") as consumer:
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            while len(found) < sum(ends.values()):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += [decode(record.value, Acknowledgement) for record in batch]
        return found


def through(acks: list[Acknowledgement]) -> dict[int, int]:
    """How far acknowledgements say each partition was received."""
    found: dict[int, int] = {}
    for ack in acks:
        for one in ack.received:
            found[one.partition] = max(one.through, found.get(one.partition, -1))
    return found


def write_config(folder: Path, servers: str, platform: HasStore, extra: str = "", batch_max: int = BATCH_MAX) -> Path:
    """The platform's file and key."""
    if not (folder / "shop.pem").exists():
        Signer.generate("shop-1", HUB_ID).save(folder / "shop.pem")
    path = folder / "platform.yaml"
    path.write_text(
        f"""
platform: shop
key: {{id: shop-1, file: shop.pem}}
hub: {{bootstrap_servers: "{servers}", hub_id: {HUB_ID}, partitions: {PARTITIONS}}}
fuse_unbinds_per_day: false
batch_max: {batch_max}
{extra}
store:{platform.store_yaml()}""",
        encoding="utf-8",
    )
    return path


def start(config: Path, *more: str) -> Child:
    """The program."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "hub", "platform", "run", "--config", str(config), *more]
    return Child(command, config.parent / "adapter.log", environment)
