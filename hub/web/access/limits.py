"""How much one may ask: a bucket of requests, and a bucket and a day's quota of numbers. Pure, given the time.

A number's space is small enough to be asked through (10 billion), so numbers are what is counted: a token that leaks
tells of thousands of numbers a day, not of all. Whoever proves nobody is counted by the address it calls from, before
any signature is looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from hub.problems import Problem
from hub.web.settings_files import read_settings

DAY_S = 86_400.0

K = TypeVar("K")
V = TypeVar("V")


class LimitSettings(BaseModel):
    """The limits of one subject, and of one address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_s: float = Field(default=50.0, gt=0)
    requests_burst: float = Field(default=500.0, ge=1)
    numbers_per_s: float = Field(default=200.0, gt=0)
    numbers_burst: float = Field(default=5_000.0, ge=1)
    """A clearance asks for up to 1,000 at once."""

    numbers_a_day: int = Field(default=500_000, ge=1)
    """A large operator's releases of a day."""

    unproven_per_s: float = Field(default=5.0, gt=0)
    unproven_burst: float = Field(default=100.0, ge=1)
    """Of an address: an office whose tokens expire at noon is let through, a flood is not."""

    subjects_max: int = Field(default=20_000, ge=1)
    """Subjects, addresses and proofs remembered, each; the one that came longest ago is forgotten first."""


def read_limits(path: Path) -> LimitSettings:
    """The settings of a file `limits.yaml`.

    Raises:
        HubError: it cannot be read, or says something else; the message names the field.
    """
    return read_settings(path, LimitSettings, "hub/web/access/limits.py")


class _Bucket(NamedTuple):
    left: float
    at_s: float


@dataclass
class _Subject:
    requests: _Bucket
    numbers: _Bucket
    day: int = 0
    today: int = 0


@dataclass
class Limits:
    """Everybody's buckets."""

    settings: LimitSettings = field(default_factory=LimitSettings)
    _known: OrderedDict[str, _Subject] = field(default_factory=OrderedDict)

    def request(self, subject: str, now_s: float) -> None:
        """Count a request.

        Raises:
            Problem: 429, too many.
        """
        one, limits = self._of(subject, now_s), self.settings
        one.requests = _take(one.requests, 1, limits.requests_per_s, limits.requests_burst, now_s, "requests")

    def numbers(self, subject: str, count: int, now_s: float) -> None:
        """Count numbers asked about.

        Raises:
            Problem: 429, too many at once or today.
        """
        one, limits = self._of(subject, now_s), self.settings
        today = int(now_s // DAY_S)
        asked = (one.today if one.day == today else 0) + count
        if asked > limits.numbers_a_day:
            left_s = int(DAY_S - now_s % DAY_S) + 1
            todo = "Ask the hub's staff for a larger quota, or go on tomorrow."
            raise Problem(429, "QUOTA_SPENT", "the day's quota of numbers is spent", todo, retry_after_s=left_s)
        one.numbers = _take(one.numbers, count, limits.numbers_per_s, limits.numbers_burst, now_s, "numbers")
        one.day, one.today = today, asked

    def _of(self, subject: str, now_s: float) -> _Subject:
        limits = self.settings
        found = self._known.get(subject)
        if found is None:
            found = _Subject(_Bucket(limits.requests_burst, now_s), _Bucket(limits.numbers_burst, now_s))
        _remember(self._known, subject, found, limits.subjects_max)
        return found


@dataclass
class Strangers:
    """Those who prove nobody, by the address they call from.

    A proof that held lately is looked at whatever else comes from its address: one client with a spoilt token does not
    lock out its neighbours.
    """

    settings: LimitSettings = field(default_factory=LimitSettings)
    _addresses: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)
    _held: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def let_in(self, address: str, proof: str, now_s: float) -> None:
        """Whether a proof is to be looked at.

        Raises:
            Problem: 429, too many that proved nobody came from there.
        """
        bucket = self._addresses.get(address)
        if bucket is not None and _digest(proof) not in self._held:
            limits = self.settings
            _take(bucket, 1, limits.unproven_per_s, limits.unproven_burst, now_s, "requests without proof")

    def held(self, proof: str) -> None:
        """Note that a proof held."""
        _remember(self._held, _digest(proof), None, self.settings.subjects_max)

    def failed(self, address: str, now_s: float) -> None:
        """Count a request that proved nobody."""
        limits = self.settings
        bucket = self._addresses.get(address) or _Bucket(limits.unproven_burst, now_s)
        left = _left(bucket, limits.unproven_per_s, limits.unproven_burst, now_s)
        _remember(self._addresses, address, _Bucket(max(0.0, left - 1), now_s), limits.subjects_max)


def _digest(proof: str) -> bytes:
    return sha256(proof.encode()).digest()


def _remember(known: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > most:
        known.popitem(last=False)


def _left(bucket: _Bucket, per_s: float, burst: float, now_s: float) -> float:
    return min(burst, bucket.left + (now_s - bucket.at_s) * per_s)


def _take(bucket: _Bucket, count: int, per_s: float, burst: float, now_s: float, what: str) -> _Bucket:
    left = _left(bucket, per_s, burst, now_s)
    if left < count:
        wait_s = int((count - left) / per_s) + 1
        todo = f"Ask for at most {per_s:g} {what} a second on average."
        raise Problem(429, "TOO_MANY", f"too many {what}", todo, retry_after_s=wait_s)
    return _Bucket(left - count, now_s)
