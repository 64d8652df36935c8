"""A small cloud drive, as apps are: people log in with their number and a code, and have files, sessions and debts.

It is a real web app over a real SQL database. Alone it does what such apps do today: whoever has the code is the
account's owner. What joining the hub asks of it is marked with "hub:" and is all there is:

1. an account whose `frozen` is set is not opened by its number, and nobody is dialled for it;
2. the login check is asked before a number opens an account, with the time the account was bound to it;
3. `step_up` asks for another proof (here: a code by e-mail); whoever has none may begin anew with the number;
4. `treat_as_new_user` begins anew at once. Either way the old account keeps everything but the number, and is its
   owner's again by the other proof.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from hub.sdk.login.check import Advice, Operation, Signals, Verdict
from hub.sdk.numbering import International
from hub.sdk.stores import SqlTable
from tests.stories.post import Post

CODE_MINUTES = 5
START_DEADLINE_S = 20.0
STORY_S = 3_600
"""A person's connection lives through the pauses of their story."""

METADATA = MetaData()
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("owner", String(64), nullable=False),  # what only the story knows: the person who made the account
    Column("number", String(32), index=True),
    Column("bound_at", BigInteger),  # UTC milliseconds, NULL where nobody wrote it down
    Column("frozen", Integer, nullable=False, default=0),
    Column("email", String(128), index=True),
    Column("debt", Integer, nullable=False, default=0),
)
FILES = Table(
    "files",
    METADATA,
    Column("account_id", Integer, primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("content", String(1024), nullable=False),
)
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("token", String(64), primary_key=True),
    Column("account_id", Integer, nullable=False, index=True),
)
SEEN = Table(  # devices and places an account was used from
    "seen",
    METADATA,
    Column("account_id", Integer, primary_key=True),
    Column("what", String(64), primary_key=True),
)
CODES = Table(
    "codes",
    METADATA,
    Column("sent_to", String(128), primary_key=True),
    Column("code", String(6), nullable=False),
    Column("sent_at", BigInteger, nullable=False),
)
LAYOUT = SqlTable(
    "accounts",
    International(),
    account_id="id",
    number="number",
    bound_at="bound_at",
    bound_at_unit_ms=1,
    frozen="frozen",
)
"""How the adapter finds the accounts: all it needs to know of the app."""

Check = Callable[[str, int | None, Operation, Signals], Verdict]
"""`LoginCheck.check`: (number, when the account was bound to it, what is being done, what is odd about it)."""


class ToNumber(BaseModel):
    """Who is to get a code by SMS."""

    number: str


class ToMail(BaseModel):
    """Who is to get a code by mail."""

    email: str


class ByNumber(BaseModel):
    """A person with a number and the code that came to it. `owner`: who they are, known to the story alone."""

    number: str
    code: str
    owner: str
    device: str = "phone"
    place: str = "home"
    email: str | None = None
    operation: Operation = Operation.LOG_IN


class ByMail(BaseModel):
    """A person with an e-mail address and the code that came to it."""

    email: str
    code: str
    device: str = "phone"
    place: str = "home"


class Content(BaseModel):
    """What is in a file."""

    content: str


@dataclass
class DriveApp:
    """The app.

    Args:
        engine: its database; the tables are made if missing.
        post: how codes reach people.
        check: the login check; None: the app has not joined the hub.
        clock: now, UTC milliseconds.
    """

    engine: Engine
    post: Post
    check: Check | None = None
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000

    def __post_init__(self) -> None:
        METADATA.create_all(self.engine)
        self.web = FastAPI(title="Drive")
        for method, path, work in (
            ("POST", "/codes", self.send_code),
            ("POST", "/login", self.log_in),
            ("POST", "/register", self.register),
            ("POST", "/begin_anew", self.begin_anew),
            ("POST", "/recover", self.send_mail_code),
            ("POST", "/recover/confirm", self.recover),
            ("POST", "/number", self.change_number),
            ("POST", "/email", self.change_email),
            ("GET", "/files", self.files),
            ("PUT", "/files/{name}", self.put_file),
            ("GET", "/calls", self.calls),
        ):
            self.web.add_api_route(path, work, methods=[method])

    # Putting people into the story

    def add_account(
        self, owner: str, number: str | None, bound_at: int | None, *, email: str | None = None, debt: int = 0
    ) -> int:
        """An account that was there before the story; `owner`'s phone and home are known to it."""
        with self.engine.begin() as connection:
            return self._add(connection, owner, number, bound_at, email=email, debt=debt)

    def add_accounts(self, people: Iterable[tuple[str, str | None, int | None, str | None]]) -> list[int]:
        """Many at once: (owner, number, bound_at, e-mail) of each; their ids."""
        with self.engine.begin() as connection:
            return [self._add(connection, *one[:3], email=one[3]) for one in people]

    def _add(self, connection: Connection, owner: str, number: str | None, bound_at: int | None, **more: Any) -> int:
        account_id = self._open(connection, owner, number, bound_at, **more)
        self._remember(connection, account_id, f"{owner}'s phone", f"{owner}'s home")
        values = {"account_id": account_id, "name": "diary", "content": f"what {owner} wrote"}
        connection.execute(insert(FILES), values)
        return account_id

    def account(self, account_id: int) -> dict[str, Any]:
        """An account as it now is."""
        with self.engine.connect() as connection:
            return dict(connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.id == account_id)).mappings().one())

    def _open(self, connection: Connection, owner: str, number: str | None, bound_at: int | None, **more: Any) -> int:
        values = {"owner": owner, "number": number, "bound_at": bound_at, **more}
        found = connection.execute(insert(ACCOUNTS).values(values)).inserted_primary_key
        assert found is not None
        return int(found[0])

    def _remember(self, connection: Connection, account_id: int, *seen: str) -> None:
        known = set(connection.execute(select(SEEN.c.what).where(SEEN.c.account_id == account_id)).scalars())
        fresh = [{"account_id": account_id, "what": one} for one in seen if one not in known]
        if fresh:
            connection.execute(insert(SEEN), fresh)

    # Codes

    def send_code(self, to: ToNumber) -> None:
        """Send a code to whoever holds the number."""
        self.post.sms(to.number, f"Your Drive code is {self._new_code(to.number)}.")

    def send_mail_code(self, to: ToMail) -> None:
        """Send a code by mail."""
        self.post.mail(to.email, f"Your Drive code is {self._new_code(to.email)}.")

    def _new_code(self, sent_to: str) -> str:
        code = f"{secrets.randbelow(10**6):06d}"
        with self.engine.begin() as connection:
            connection.execute(delete(CODES).where(CODES.c.sent_to == sent_to))
            connection.execute(insert(CODES).values(sent_to=sent_to, code=code, sent_at=self.clock()))
        return code

    def _use_code(self, connection: Connection, sent_to: str, code: str) -> None:
        row = connection.execute(select(CODES).where(CODES.c.sent_to == sent_to)).one_or_none()
        connection.execute(delete(CODES).where(CODES.c.sent_to == sent_to))  # one attempt a code
        fresh = row is not None and self.clock() - row.sent_at < CODE_MINUTES * 60_000
        if row is None or not fresh or not secrets.compare_digest(row.code, code):
            raise HTTPException(401, "wrong code")

    # Getting in

    def log_in(self, person: ByNumber) -> dict[str, Any]:
        """Log in with a number and a code; a number without an account begins one.

        403 with `next`: "prove" asks for another proof than the number.
        """
        with self._with_code(person) as connection:
            account = self._bound_to(connection, person.number)
            if account is None:
                return self._begin(connection, person)
            advice, may_begin_anew = self._advice(connection, account, person)
            if advice is Advice.TREAT_AS_NEW_USER:
                return self._begin(connection, person)
            if advice is Advice.STEP_UP:
                raise HTTPException(403, {"next": "prove", "may_begin_anew": may_begin_anew})
            return self._session(connection, account.id, person.device, person.place)

    def register(self, person: ByNumber) -> dict[str, Any]:
        """Begin an account; 409 if the number has one."""
        with self._with_code(person) as connection:
            account = self._bound_to(connection, person.number)
            # hub: an account of the number's last owner is no reason to turn its new one away
            if account is not None:
                advice, may_begin_anew = self._advice(connection, account, person)
                if advice is Advice.STEP_UP and may_begin_anew:
                    raise HTTPException(403, {"next": "prove", "may_begin_anew": True})
                if advice is not Advice.TREAT_AS_NEW_USER:
                    raise HTTPException(409, "already registered")
            return self._begin(connection, person)

    def begin_anew(self, person: ByNumber) -> dict[str, Any]:
        """hub: what a person may choose who is asked for another proof and has none."""
        with self._with_code(person) as connection:
            account = self._bound_to(connection, person.number)
            advice, may = (Advice.PROCEED, True) if account is None else self._advice(connection, account, person)
            if account is not None and (advice is Advice.PROCEED or not may):
                raise HTTPException(409, "this number has an account, and its owner may come back to it")
            return self._begin(connection, person)

    def recover(self, person: ByMail) -> dict[str, Any]:
        """Get into an account by a proof that is not the number; hub: a freeze is none of its business."""
        with self._committing() as connection:
            self._use_code(connection, person.email, person.code)
            query = select(ACCOUNTS.c.id).where(ACCOUNTS.c.email == person.email)
            account_id = connection.execute(query).scalars().first()
            if account_id is None:
                raise HTTPException(404, "no account")
            return self._session(connection, account_id, person.device, person.place)

    def change_number(self, person: ByNumber, authorization: Annotated[str, Header()]) -> dict[str, Any]:
        """Bind one's account to a number that one holds; it leaves whatever account had it."""
        with self._with_code(person) as connection:
            account_id = self._account_of(connection, authorization)
            self._take_off(connection, person.number)
            values = {"number": person.number, "bound_at": self.clock(), "frozen": 0}
            connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == account_id).values(values))
            return {"account": account_id}

    def change_email(self, person: ByNumber, authorization: Annotated[str, Header()]) -> dict[str, Any]:
        """Have another e-mail address, with the account's number as the proof."""
        with self._with_code(person) as connection:
            account_id = self._account_of(connection, authorization)
            account = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.id == account_id)).one()
            key_fact = person.model_copy(update={"operation": Operation.CHANGE_KEY_FACT})
            if account.number != person.number or self._advice(connection, account, key_fact)[0] is not Advice.PROCEED:
                raise HTTPException(403, {"next": "prove", "may_begin_anew": False})
            connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == account_id).values(email=person.email))
            return {"account": account_id}

    @contextmanager
    def _with_code(self, person: ByNumber) -> Iterator[Connection]:
        with self._committing() as connection:
            self._use_code(connection, person.number, person.code)
            yield connection

    @contextmanager
    def _committing(self) -> Iterator[Connection]:
        """A transaction that is kept when a person is refused: the code was used all the same."""
        with self.engine.connect() as connection:
            try:
                yield connection
            finally:
                connection.commit()

    def _bound_to(self, connection: Connection, number: str) -> Any:
        return connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.number == number)).first()

    def _advice(self, connection: Connection, account: Any, person: ByNumber) -> tuple[Advice, bool]:
        """What to do, and whether one may begin anew who cannot prove more than the number."""
        seen = set(connection.execute(select(SEEN.c.what).where(SEEN.c.account_id == account.id)).scalars())
        signals = Signals(person.device not in seen, person.place not in seen)
        advice, may_begin_anew = Advice.PROCEED, True
        if self.check is not None:  # hub:
            _, advice, may_begin_anew = self.check(account.number, account.bound_at, person.operation, signals)
        if account.frozen and advice is Advice.PROCEED:  # hub:
            advice = Advice.STEP_UP
        return advice, may_begin_anew

    def _begin(self, connection: Connection, person: ByNumber) -> dict[str, Any]:
        """A new account with the number, which the old one loses and nothing else."""
        self._take_off(connection, person.number)
        account_id = self._open(connection, person.owner, person.number, self.clock(), email=person.email)
        return self._session(connection, account_id, person.device, person.place) | {"new": True}

    def _take_off(self, connection: Connection, number: str) -> None:
        without = {"number": None, "frozen": 0}  # it was the number that could not log in
        connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.number == number).values(without))

    def _session(self, connection: Connection, account_id: int, device: str, place: str) -> dict[str, Any]:
        token = secrets.token_hex(16)
        connection.execute(insert(SESSIONS).values(token=token, account_id=account_id))
        self._remember(connection, account_id, device, place)
        return {"session": token, "account": account_id, "new": False}

    # Inside

    def _account_of(self, connection: Connection, authorization: str) -> int:
        token = authorization.removeprefix("Bearer ")
        found = connection.execute(select(SESSIONS.c.account_id).where(SESSIONS.c.token == token)).scalar_one_or_none()
        if found is None:
            raise HTTPException(401, "no such session")
        return int(found)

    def files(self, authorization: Annotated[str, Header()]) -> dict[str, str]:
        """One's files."""
        with self.engine.connect() as connection:
            account_id = self._account_of(connection, authorization)
            rows = connection.execute(select(FILES).where(FILES.c.account_id == account_id))
            return {row.name: row.content for row in rows}

    def put_file(self, name: str, file: Content, authorization: Annotated[str, Header()]) -> None:
        """Write a file."""
        with self.engine.begin() as connection:
            mine = {"account_id": self._account_of(connection, authorization), "name": name}
            connection.execute(delete(FILES).where(*(FILES.c[key] == value for key, value in mine.items())))
            connection.execute(insert(FILES).values(**mine, content=file.content))

    def calls(self) -> list[str]:
        """The numbers that are dialled for debts today; hub: none of a frozen account."""
        query = select(ACCOUNTS.c.number).where(ACCOUNTS.c.debt > 0, ACCOUNTS.c.number.is_not(None))
        with self.engine.connect() as connection:
            return sorted(connection.execute(query.where(ACCOUNTS.c.frozen == 0)).scalars())

    def count(self) -> int:
        """How many accounts there are."""
        with self.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(ACCOUNTS)).scalar_one())


@contextmanager
def serving(web: FastAPI) -> Iterator[str]:
    """A web app on a free port of this machine while the block runs; its address."""
    config = uvicorn.Config(web, port=0, log_level="warning", access_log=False, timeout_keep_alive=STORY_S)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True, name="web app")
    thread.start()
    try:
        deadline = time.monotonic() + START_DEADLINE_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise AssertionError("the web app does not start")
            time.sleep(0.01)
        yield "http://127.0.0.1:" + str(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(START_DEADLINE_S)
