"""This module makes lives until a world has its cases, and writes the world's files.

For example, `make_world(folder, seed=1, cases=300)` makes every way of `worlds` happen once, and then ordinary ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from hub.core.model import DAY_MS
from hub.errors import HubError
from hub.local.worlds.accounts import bind_accounts
from hub.local.worlds.bounds import BOUNDS
from hub.local.worlds.cells import CELLS
from hub.local.worlds.files import write_accounts, write_events, write_yaml
from hub.local.worlds.life import SECOND_MS, Life
from hub.local.worlds.moments import moments
from hub.local.worlds.refusals import REFUSALS
from hub.local.worlds.repeats import REPEATS
from hub.local.worlds.roster import SKETCHES, Entry, make_operators, make_platforms
from hub.local.worlds.unreadable import UNREADABLE
from hub.local.worlds.ways import ORDINARY, SELDOM, Way
from hub.sdk.times import iso_time, time_ms

STARTS_AT = time_ms("2026-01-01T00:00:00Z")
DAYS = 243
DAYS_MIN = 200
"""With fewer days a number could not be recycled three times within a world."""

FIRST_DAYS = 30
"""The lives that make each way happen once begin in these first days, so that they end in time."""

SELDOM_PART = 0.12
"""The share of unusual lives once every way has happened once."""

BYSTANDER_PART = 0.05
"""How many numbers there are that have accounts but no events, for each number with events."""

NUMBER_TRIES_MAX = 1_000
"""How often a number is drawn until a free one is found; if that is not enough, hardly any number is free."""

NUMBER_CHARS = len("+8613400000000")
NOTE = "Synthetic: no number or account here belongs to anyone; numbers are random, names are invented."


class Crowd(NamedTuple):
    """Ordinary lives that begin close together in further days at the end of a world, besides its cases."""

    days: int
    lives_a_day: int


class WorldSummary(NamedTuple):
    """What a new world holds. `cases` counts the cases meant to open; troubles may add some or have some refused."""

    directory: Path
    seed: int
    cases: int
    numbers: int
    rows: int
    accounts: int
    platforms: int


def make_world(
    directory: Path,
    *,
    seed: int,
    cases: int,
    platforms: int | None = None,
    days: int = DAYS,
    crowd: Crowd | None = None,
) -> WorldSummary:
    """Make a world in a new or empty folder; the same arguments give the same bytes.

    Args:
        directory: the folder for its files.
        seed: any integer.
        cases: about how many cases to open; from 300 on the world holds every kind of trouble.
        platforms: how many platforms are on the roster; from 20 on (the default) they have every state and behaviour.
        days: the days from 2026-01-01 to the report, at least 200.
        crowd: the lives that begin in further days after those.

    Raises:
        HubError: the folder is not empty, or a world of that size cannot be made.
    """
    if cases < 1 or days < DAYS_MIN or platforms == 0:
        raise HubError("a world that small holds nothing", todo=f"Ask for a case, a platform and {DAYS_MIN} days.")
    if directory.exists() and any(directory.iterdir()):
        raise HubError(f"{directory} is not empty", todo="Name a folder that is not there yet.")
    ends_at = STARTS_AT + (days + (crowd.days if crowd else 0)) * DAY_MS
    rng = Random(f"unbind-hub world {seed}")
    operators = make_operators(rng, STARTS_AT, ends_at)
    roster = make_platforms(rng, len(SKETCHES) if platforms is None else platforms, STARTS_AT, ends_at)
    dealer = Dealer(rng, seed, operators, moments(roster, STARTS_AT, ends_at), ends_at)
    lives = list(dealer.deal(cases))
    if crowd is not None:
        lives += dealer.crowd(crowd, days)
    accounts = list(bind_accounts(rng, lives, [one["id"] for one in roster], ends_at))

    rows = [row for life in lives for row in life.rows]
    (directory / "events").mkdir(parents=True)
    for one in operators:
        write_events(directory / "events" / f"{one['id']}.csv", rng, (row for row in rows if row.operator == one["id"]))
    write_accounts(directory / "accounts.csv", accounts)
    about = {"starts_at": iso_time(STARTS_AT), "ends_at": iso_time(ends_at), "seed": seed, "cases": cases, "note": NOTE}
    for name, content in (("operators", operators), ("platforms", roster), ("world", about)):
        write_yaml(directory / f"{name}.yaml", content)
    return WorldSummary(
        directory, seed, sum(len(life.openers) for life in lives), len(lives), len(rows), len(accounts), len(roster)
    )


class Dealer:
    """Gives every life a number, an operator, a beginning and a way."""

    def __init__(
        self, rng: Random, seed: int, operators: Sequence[Entry], special: Sequence[Way], ends_at: int
    ) -> None:
        self.rng = rng
        self.seed = seed
        self.ranges: dict[str, list[str]] = {one["id"]: one["ranges"] for one in operators}
        self.ends_at = ends_at
        self.seldom = (*BOUNDS, *CELLS, *REFUSALS, *REPEATS, *UNREADABLE, *SELDOM, *special)
        self.taken: set[str] = set()

    def deal(self, cases: int) -> Iterator[Life]:
        """Yield lives until that many cases were opened; every way comes once first."""
        ways = [*self.seldom, *(way for _, way in ORDINARY)]
        pending = self.rng.sample(ways, len(ways))
        opened = 0
        while opened < cases:
            if pending:
                life = self._life(pending.pop(), FIRST_DAYS)
            else:
                life = self._life(self._any_way(), (self.ends_at - STARTS_AT) // DAY_MS - 1)
            opened += len(life.openers)
            yield life
            if self.rng.random() < BYSTANDER_PART:
                yield self._life(lambda life: life.wait(0, 1), 1)

    def crowd(self, crowd: Crowd, first_day: int) -> Iterator[Life]:
        """Yield the lives of a crowd."""
        ways, weights = [way for _, way in ORDINARY], [weight for weight, _ in ORDINARY]
        for _ in range(crowd.days * crowd.lives_a_day):
            yield self._life(self.rng.choices(ways, weights)[0], crowd.days, first_day - 1)

    def _any_way(self) -> Way:
        if self.rng.random() < SELDOM_PART:
            return self.rng.choice(self.seldom)
        return self.rng.choices([way for _, way in ORDINARY], [weight for weight, _ in ORDINARY])[0]

    def _life(self, way: Way, days: int, first_day: int = 0) -> Life:
        """Make one life up to the world's end. It begins a day after the start or later, as a row may arrive before it
        occurs."""
        operator = self.rng.choice([*self.ranges])
        others = [one for one in self.ranges if one != operator]
        starts_at = STARTS_AT + (first_day + 1) * DAY_MS + self.rng.randrange(days * 86_400) * SECOND_MS
        own = Random(f"unbind-hub world {self.seed} life {len(self.taken)}")
        life = Life(own, operator, others, self.number(operator), starts_at)
        way(life)
        life.rows = [row for row in life.rows if row.published_at < self.ends_at]
        life.openers = [row for row in life.openers if row.published_at < self.ends_at]
        return life

    def number(self, operator: str) -> str:
        """Return a number of an operator's ranges that is not used yet.

        Raises:
            HubError: hardly any number is left.
        """
        for _ in range(NUMBER_TRIES_MAX):
            start = self.rng.choice(self.ranges[operator])
            digits = NUMBER_CHARS - len(start)
            number = f"{start}{self.rng.randrange(10**digits):0{digits}}"
            if number not in self.taken:
                self.taken.add(number)
                return number
        raise HubError("the operators' ranges have hardly a number left", todo="Make a world of fewer cases.")
