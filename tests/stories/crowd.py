"""A crowd at the login of a cloud drive, once without the hub and once with it: the same people, the same order.

Everybody does what people do. A new owner types the number they were given, or tries to register with it, and takes
what they get; one in ten of those who land in somebody else's account is a thief, who makes it their own by changing
its e-mail address. An old owner logs in while the number is theirs, and else by e-mail. Whoever is asked for a proof
gives it; a new owner, who has none, begins anew. One account in five has no other proof than the number.

Counted are, over all of them: strangers who got into somebody else's account; rightful owners who ended outside their
own though they had another proof, or were not even asked for one (and new owners who got none); those who were asked,
or came without the number, and have no other proof, so that nobody can tell them from the number's next owner; and
people who were asked for more than the number and the code.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from enum import StrEnum
from http import HTTPStatus
from typing import Any, NamedTuple

from hub.core.model import DAY_MS, EventType, NumberEvent, ReleaseReason, Reminder
from tests.stories.app import DriveApp
from tests.stories.browser import Browser
from tests.stories.people import Person

ALL_AT_ONCE = {"device": "a tablet", "place": "a hotel"}
OK, UNPROVEN, TAKEN = HTTPStatus.OK, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT
NO_CODE, NO_ACCOUNT = HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND


class Life(StrEnum):
    """What happened to a number."""

    REISSUED = "reissued"
    REISSUED_UNTOLD = "released, sold, and the operator has not said so yet"
    UNTOLD = "released and sold, and the operator told nothing at all"
    HANDED_OVER = "handed to another person without a pause"
    BACKFILLED = "recycled years before the hub, cleaned up on request"
    HAS_OWN = "reissued, and the new owner has an account of their own"
    COOLING = "in cooling"
    SCHEDULED = "soon to be released"
    RESTORED = "restored in cooling"
    RESTORED_LATE = "restored when its release was scheduled"
    WITHDRAWN = "given up by the operator's mistake, withdrawn"
    ORDINARY = "never given up, bound before the hub began"
    ORDINARY_NEW = "never given up, bound since"


SHARES = {
    Life.REISSUED: 36,
    Life.REISSUED_UNTOLD: 8,
    Life.UNTOLD: 4,
    Life.HANDED_OVER: 8,
    Life.BACKFILLED: 8,
    Life.HAS_OWN: 6,
    Life.COOLING: 8,
    Life.SCHEDULED: 6,
    Life.RESTORED: 8,
    Life.RESTORED_LATE: 4,
    Life.WITHDRAWN: 4,
}
"""Of 100 numbers with a case, or that should have one."""

ORDINARY = (Life.ORDINARY, Life.ORDINARY_NEW)
GONE = (Life.REISSUED, Life.REISSUED_UNTOLD, Life.UNTOLD, Life.HANDED_OVER, Life.BACKFILLED)
"""Somebody else holds the number, and the old owner's account is there."""

AWAY = (Life.COOLING, Life.SCHEDULED)
"""Nobody holds the number."""

BACK = (Life.RESTORED, Life.RESTORED_LATE, Life.WITHDRAWN)
Happening = tuple[EventType, float]
"""What happened, and how many days ago."""

HAPPENINGS: dict[Life, tuple[Happening, ...]] = {
    Life.REISSUED: (
        (EventType.COOLING, 100),
        (EventType.RELEASE_SCHEDULED, 45),
        (EventType.RELEASED, 38),
        (EventType.REASSIGNED, 20),
    ),
    Life.REISSUED_UNTOLD: ((EventType.COOLING, 100), (EventType.RELEASE_SCHEDULED, 45), (EventType.RELEASED, 38)),
    Life.UNTOLD: (),
    Life.HANDED_OVER: ((EventType.REASSIGNED, 15),),
    Life.BACKFILLED: ((EventType.REASSIGNED, 1),),
    Life.HAS_OWN: ((EventType.COOLING, 100), (EventType.RELEASED, 38), (EventType.REASSIGNED, 20)),
    Life.COOLING: ((EventType.COOLING, 10),),
    Life.SCHEDULED: ((EventType.COOLING, 60), (EventType.RELEASE_SCHEDULED, 1)),
    Life.RESTORED: ((EventType.COOLING, 10), (EventType.RESTORED, 2)),
    Life.RESTORED_LATE: ((EventType.COOLING, 60), (EventType.RELEASE_SCHEDULED, 3), (EventType.RESTORED, 1)),
    Life.WITHDRAWN: ((EventType.COOLING, 3), (EventType.WITHDRAWN, 1)),
    Life.ORDINARY: (),
    Life.ORDINARY_NEW: (),
}
HANDOVERS = {Life.HANDED_OVER: (ReleaseReason.TRANSFER, 15), Life.BACKFILLED: (ReleaseReason.BACKFILL, 1_000)}
"""Why, and how many days ago the old owner's time ended."""


COLUMNS = ("people", "strangers in", "locked out", "cannot prove", "asked")


class Fate(NamedTuple):
    """One number, its people, and how they come to the login."""

    number: str
    life: Life
    bound_days: int | None
    new_phone: bool
    registers: bool
    thief: bool
    twice: bool
    other_proof: bool

    @property
    def old(self) -> str:
        """Whose the number was."""
        return f"old{self.number[-8:]}"

    @property
    def new(self) -> str:
        """Whose it is, if it went on."""
        return f"new{self.number[-8:]}"


class Tally:
    """How it went: who came, who ever was in somebody else's account, who stayed outside, who was asked for more."""

    def __init__(self) -> None:
        self._who: dict[str, set[tuple[Life, str]]] = {column: set() for column in COLUMNS}

    def note(self, column: str, life: Life, name: str) -> None:
        """Note a person, each once."""
        self._who[column].add((life, name))

    def add(self, other: Tally) -> None:
        """Note everybody whom another tally has."""
        for column, who in other._who.items():
            self._who[column] |= who

    def count(self, column: str, *lives: Life) -> int:
        """How many people, of these lives or of all."""
        return sum(not lives or life in lives for life, _ in self._who[column])


def fates(recycled: int, rng: random.Random, number: Callable[[int], str]) -> list[Fate]:
    """A world: so many numbers with a case, and half as many without one."""
    lives = rng.choices(list(SHARES), list(SHARES.values()), k=recycled)
    lives += [ORDINARY[place % 2] for place in range(recycled // 2)]
    return [_fate(number(place), life, rng) for place, life in enumerate(lives)]


def _fate(number: str, life: Life, rng: random.Random) -> Fate:
    oldest = rng.randint(1_100, 2_000) if life is Life.BACKFILLED else rng.randint(150, 2_000)
    return Fate(
        number=number,
        life=life,
        bound_days=None if rng.random() < 0.1 else oldest,  # in one of ten accounts nobody wrote it down
        new_phone=rng.random() < 0.15,
        registers=rng.random() < 0.3,
        thief=rng.random() < 0.1,
        twice=rng.random() < 0.2,
        other_proof=rng.random() < 0.8,
    )


def events(one: Fate, now_ms: int, rng: random.Random, operator: str) -> Iterator[NumberEvent]:
    """What the operator has to say of a number, in order."""
    first = b""
    for kind, days in HAPPENINGS[one.life]:
        at = int(now_ms - days * DAY_MS)
        event_id = uuid.UUID(int=rng.getrandbits(128), version=4).bytes
        more: dict[str, Any] = {}
        if kind is EventType.COOLING:
            more = {"cooling_until": at + 60 * DAY_MS, "reissue_not_before": at + 70 * DAY_MS}
        if kind is EventType.WITHDRAWN:
            more = {"supersedes": first}
        if kind is EventType.REASSIGNED:
            more = {"reminders": (Reminder(at, "SMS"),)}
        if one.life in HANDOVERS:
            reason, ended = HANDOVERS[one.life]
            more |= {"reason": reason, "bound_before": now_ms - ended * DAY_MS}
        first = first or event_id
        yield NumberEvent(event_id, operator, one.number, kind, at, **more)


def email(one: Fate, owner: str) -> str | None:
    """The other proof of an account, if it has one."""
    return f"{owner}@mail.example" if one.other_proof else None


def accounts(world: list[Fate], now_ms: int) -> Iterator[tuple[str, str, int | None, str | None]]:
    """The accounts that are there before the crowd comes, for `DriveApp.add_accounts`; those bound since are not."""
    for one in world:
        if one.life is Life.ORDINARY_NEW:
            continue
        owner, days = (one.new, 10) if one.life is Life.HAS_OWN else (one.old, one.bound_days)
        yield owner, one.number, None if days is None else now_ms - days * DAY_MS, email(one, owner)


class Crowd:
    """The people of a world at one app.

    Args:
        app: with the accounts of the world in it.
        http: a connection to the app.
    """

    def __init__(self, app: DriveApp, http: Browser, world: list[Fate]) -> None:
        self.tally = Tally()
        self._app = app
        self._http = http
        self._world = world
        for one in world:
            holder = one.new if one.life in (*GONE, Life.HAS_OWN) else one.old
            app.post.hand_over(one.number, None if one.life in AWAY else holder)

    def come(self, rng: random.Random) -> Tally:
        """Everybody logs in, in a random order."""
        for one in rng.sample(self._world, len(self._world)):
            if one.life in GONE:
                self._new_owner(one)
                self._by_mail(one, self._person(one.old))
            elif one.life in AWAY:
                self._by_mail(one, self._person(one.old))
            else:
                self._owner(one, self._person(one.new if one.life is Life.HAS_OWN else one.old))
        return self.tally

    def _person(self, name: str) -> Person:
        return Person(name, self._http, self._app.post)

    def _owner(self, one: Fate, person: Person) -> None:
        """The account's owner, with the number in hand."""
        self.tally.note("people", one.life, person.name)
        status = person.log_in(one.number, **(ALL_AT_ONCE if one.new_phone else {}))
        if status == UNPROVEN:
            self.tally.note("asked", one.life, person.name)
            self._prove(one, person)
        else:
            self._judge(one, person, status)

    def _by_mail(self, one: Fate, person: Person) -> None:
        """The account's owner, without the number: it is somebody else's, or out of service."""
        self.tally.note("people", one.life, person.name)
        status = person.log_in(one.number)
        assert status == NO_CODE, status
        self._prove(one, person)

    def _prove(self, one: Fate, person: Person) -> None:
        """Into one's account by another proof than the number; who has none is not in, and is not let in."""
        status = person.recover()
        if one.other_proof:
            self._judge(one, person, status)
        else:
            assert status == NO_ACCOUNT, status
            self.tally.note("cannot prove", one.life, person.name)

    def _new_owner(self, one: Fate) -> None:
        """Who has the number now, and never had an account."""
        person = self._person(one.new)
        self.tally.note("people", one.life, person.name)
        status = person.register(one.number) if one.registers else person.log_in(one.number)
        if status == TAKEN:  # "already registered": then it must be logged in to
            status = person.log_in(one.number)
        if status == UNPROVEN:
            self.tally.note("asked", one.life, person.name)
            status = person.begin_anew(one.number)
        self._judge(one, person, status)
        if status == OK and one.thief and not self._owns(person):
            person.change_email(one.number, person.email)
        if status == OK and one.twice:
            self._judge(one, person, person.log_in(one.number))

    def _judge(self, one: Fate, person: Person, status: int) -> None:
        """In one's own account, in somebody else's, or nowhere."""
        if status != OK:
            self.tally.note("locked out", one.life, person.name)
        elif not self._owns(person):
            self.tally.note("strangers in", one.life, person.name)
            assert person.files().get("diary") != f"what {person.name} wrote"
        elif person.name == one.old and one.life in GONE:
            assert person.files() == {"diary": f"what {person.name} wrote"}

    def _owns(self, person: Person) -> bool:
        assert person.account is not None
        return bool(self._app.account(person.account)["owner"] == person.name)
