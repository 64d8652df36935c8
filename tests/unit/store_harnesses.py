"""Each account store with a platform's hand on it: what the one suite over all stores stands on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from sqlalchemy import Engine, NullPool, StaticPool, create_engine, text

from hub.sdk.accounts import AccountStore
from hub.sdk.numbering import International, Keyed, National, NumberForm
from hub.sdk.stores import MemoryStore, SqlStore, SqlTable
from hub.sdk.stores.account_service import ServiceSettings
from hub.sdk.stores.http import HttpStore, http_store
from hub.sdk.stores.memory import MemoryAccount
from hub.sdk.times import iso_time
from tests import databases
from tests.account_service import TOKEN, Served, Service, ServiceAccount

KEY = b"a key of 16 byte"


class Seen(NamedTuple):
    """An account as its platform sees it: the number as stored, None if unbound."""

    number: str | None
    frozen: bool


class Harness(Protocol):
    """A store that can be opened again after a crash, and its platform's own view of the accounts."""

    @property
    def form(self) -> NumberForm: ...

    def open(self) -> AccountStore: ...

    def bind(self, account_id: str, number: str | None, bound_at: int | None) -> None:
        """Bind an account, new or not, to a number as it is stored."""
        ...

    def delete(self, account_id: str) -> None: ...

    def see(self) -> dict[str, Seen]: ...


class InMemory:
    """The memory store outlives a crash as an object: only what it had not saved is lost."""

    form: NumberForm = International()

    def __init__(self, _: Path) -> None:
        self._store = MemoryStore()
        self._ids: set[str] = set()

    def open(self) -> AccountStore:
        return self._store

    def bind(self, account_id: str, number: str | None, bound_at: int | None) -> None:
        self._ids.add(account_id)
        self._store.put(account_id, MemoryAccount(number, bound_at))

    def delete(self, account_id: str) -> None:
        self._store.put(account_id, None)

    def see(self) -> dict[str, Seen]:
        accounts = {name: self._store.get(name) for name in self._ids}
        return {name: Seen(one.number, one.frozen) for name, one in accounts.items() if one is not None}


class InSql:
    """A file of SQLite whose table has its own names, and seconds for ages."""

    form: NumberForm = International()
    columns = "uid TEXT PRIMARY KEY, phone TEXT, since INTEGER, locked INTEGER DEFAULT 0, note TEXT DEFAULT 'kept'"
    layout: ClassVar[dict[str, Any]] = {"frozen": "locked"}
    frozen_sql = "locked = 1"

    def __init__(self, folder: Path) -> None:
        self.engine = self.make_engine(folder)
        with self.engine.begin() as connection:
            connection.execute(text(f"CREATE TABLE members ({self.columns})"))
        self.open()

    def make_engine(self, folder: Path) -> Engine:
        return create_engine(f"sqlite:///{folder / 'shop.db'}")

    def open(self) -> AccountStore:
        table = SqlTable("members", self.form, account_id="uid", number="phone", bound_at="since", **self.layout)
        return SqlStore(self.engine, table)

    def age(self, bound_at: int | None) -> object:
        return None if bound_at is None else bound_at // 1_000

    def bind(self, account_id: str, number: str | None, bound_at: int | None) -> None:
        self.delete(account_id)
        row = {"uid": account_id, "phone": number, "since": self.age(bound_at)}
        self.run("INSERT INTO members (uid, phone, since) VALUES (:uid, :phone, :since)", row)

    def delete(self, account_id: str) -> None:
        self.run("DELETE FROM members WHERE uid = :uid", {"uid": account_id})

    def run(self, statement: str, values: dict[str, Any] | None = None) -> list[Any]:
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), values or {})
            return list(result) if result.returns_rows else []

    def see(self) -> dict[str, Seen]:
        rows: Iterable[Any] = self.run(f"SELECT uid, phone, {self.frozen_sql} FROM members")
        return {
            str(uid): Seen(None if phone is None else str(phone).rstrip() or None, bool(frozen))
            for uid, phone, frozen in rows
        }


class InSqlMemory(InSql):
    """SQLite in memory, ages as text, and no column for a freeze: a table beside the accounts tells of it."""

    columns = "uid TEXT PRIMARY KEY, phone TEXT, since TEXT, note TEXT DEFAULT 'kept'"
    layout: ClassVar[dict[str, Any]] = {}
    frozen_sql = "uid IN (SELECT account_id FROM unbind_hub_frozen)"

    def make_engine(self, _: Path) -> Engine:
        return create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

    def age(self, bound_at: int | None) -> object:
        return "" if bound_at is None else iso_time(bound_at)


class InNationalSql(InSqlMemory):
    """National numbers, empty text where there is none, ages as SQLite's own datetimes without a zone."""

    form = National("CN")
    columns = "uid TEXT PRIMARY KEY, phone TEXT NOT NULL DEFAULT '', since DATETIME"
    layout: ClassVar[dict[str, Any]] = {"unbound_value": ""}

    def age(self, bound_at: int | None) -> object:
        return None if bound_at is None else iso_time(bound_at)[:19].replace("T", " ")


class InKeyedSql(InSql):
    """Only a keyed digest of the number, and the number itself where the adapter cannot read it."""

    form = Keyed(KEY)
    columns = "uid TEXT PRIMARY KEY, phone TEXT, since INTEGER, sealed TEXT DEFAULT 'sealed', locked INTEGER DEFAULT 0"
    layout: ClassVar[dict[str, Any]] = {"frozen": "locked", "also_clear": ("sealed",)}


class InWholeNumbers(InSql):
    """Account ids and numbers in columns of whole numbers, as old systems have them."""

    form = National("CN")
    columns = "uid INTEGER PRIMARY KEY, phone BIGINT, since INTEGER, locked INTEGER DEFAULT 0"


class InLargeSql(InSql):
    """A table larger than what is read of it at the start."""

    layout: ClassVar[dict[str, Any]] = {"frozen": "locked", "scan_rows_max": 4}


class InPostgres(InSql):
    """PostgreSQL, ages with a zone."""

    columns = (
        "uid TEXT PRIMARY KEY, phone VARCHAR(20), since TIMESTAMPTZ, "
        "locked INTEGER NOT NULL DEFAULT 0, note TEXT DEFAULT 'kept'"
    )

    def make_engine(self, _: Path) -> Engine:
        return create_engine(databases.postgres_url(), poolclass=NullPool)

    def age(self, bound_at: int | None) -> object:
        return None if bound_at is None else iso_time(bound_at)


class InPostgresFixedWidth(InPostgres):
    """PostgreSQL, numbers in a column of fixed width and none empty, ages without a zone, no freeze column."""

    form = National("CN")
    columns = "uid VARCHAR(40) PRIMARY KEY, phone CHAR(20) NOT NULL, since TIMESTAMP"
    layout: ClassVar[dict[str, Any]] = {"unbound_value": ""}
    frozen_sql = "uid IN (SELECT account_id FROM unbind_hub_frozen)"


class InPostgresWholeNumbers(InPostgres):
    """PostgreSQL with account ids and numbers as whole numbers."""

    form = National("CN")
    columns = "uid BIGINT PRIMARY KEY, phone BIGINT, since TIMESTAMPTZ, locked INTEGER DEFAULT 0"

    def bind(self, account_id: str, number: str | None, bound_at: int | None) -> None:
        """Such a column has no empty text."""
        super().bind(account_id, number or None, bound_at)


class InMariaDb(InSql):
    """MariaDB, where text compares without regard to case; ages as its own datetimes."""

    columns = (
        "uid VARCHAR(64) PRIMARY KEY, phone VARCHAR(20), since DATETIME(3), locked TINYINT NOT NULL DEFAULT 0, "
        "note VARCHAR(20) DEFAULT 'kept', KEY (phone)"
    )

    def make_engine(self, _: Path) -> Engine:
        return create_engine(databases.mariadb_url(), poolclass=NullPool)

    def age(self, bound_at: int | None) -> object:
        return None if bound_at is None else iso_time(bound_at)[:-1].replace("T", " ")


class InMariaDbBesides(InMariaDb):
    """MariaDB with a unique number that cannot be empty, and no column for a freeze."""

    form = National("CN")
    columns = "uid VARCHAR(64) PRIMARY KEY, phone VARCHAR(40) NOT NULL, since BIGINT, KEY (phone)"
    layout: ClassVar[dict[str, Any]] = {"unbound_value": "none-{account_id}"}
    frozen_sql = "uid IN (SELECT account_id FROM unbind_hub_frozen)"

    def age(self, bound_at: int | None) -> object:
        return None if bound_at is None else bound_at // 1_000

    def see(self) -> dict[str, Seen]:
        return {
            name: one._replace(number=None) if one.number == f"none-{name}" else one
            for name, one in super().see().items()
        }


class InHttp:
    """A platform's own service over HTTP, the adapter's records in a file."""

    form: NumberForm = International()

    def __init__(self, folder: Path) -> None:
        self.served = Served(Service())
        self.records = folder / "records.sqlite"
        self._stores: list[HttpStore] = []

    def open(self) -> HttpStore:
        self._stores.append(http_store(ServiceSettings(self.served.url, TOKEN, batch_max=1_000), self.records))
        return self._stores[-1]

    def close(self) -> None:
        for store in self._stores:
            store.service.close()
        self.served.close()

    def bind(self, account_id: str, number: str | None, bound_at: int | None) -> None:
        self.served.service.accounts[account_id] = ServiceAccount(number, bound_at)

    def delete(self, account_id: str) -> None:
        del self.served.service.accounts[account_id]

    def see(self) -> dict[str, Seen]:
        return {name: Seen(one.number, one.frozen) for name, one in self.served.service.accounts.items()}


HARNESSES: dict[str, type[InMemory] | type[InSql] | type[InHttp]] = {
    "memory": InMemory,
    "sql-file": InSql,
    "sql-memory": InSqlMemory,
    "sql-national": InNationalSql,
    "sql-keyed": InKeyedSql,
    "sql-whole-numbers": InWholeNumbers,
    "postgres": InPostgres,
    "postgres-fixed-width": InPostgresFixedWidth,
    "postgres-whole-numbers": InPostgresWholeNumbers,
    "mariadb": InMariaDb,
    "mariadb-besides": InMariaDbBesides,
    "http": InHttp,
}
