"""This module limits how much a caller may ask: a token bucket of requests, and a bucket and a daily quota of numbers.

There are few enough phone numbers (10 billion) to ask about each, so numbers are counted: with a token that leaks one
can learn of a quota of numbers each day, not of all. A caller without a valid token is counted by the address it calls
from, before any signature is checked. The module is pure: it is given the time. For example, with 50 requests a second
and a burst of 500, a caller may send 500 requests at once, and 50 more each second after that.
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
    """The limits for one subject, and for one address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_s: float = Field(default=50.0, gt=0)
    requests_burst: float = Field(default=500.0, ge=1)
    numbers_per_s: float = Field(default=200.0, gt=0)
    numbers_burst: float = Field(default=5_000.0, ge=1)
    """A clearance asks about up to 1,000 numbers at once."""

    numbers_a_day: int = Field(default=500_000, ge=1)
    """A large operator releases about this many numbers a day."""

    unproven_per_s: float = Field(default=5.0, gt=0)
    unproven_burst: float = Field(default=100.0, ge=1)
    """For one address: an office whose tokens all expire at noon gets through, a flood does not."""

    subjects_max: int = Field(default=20_000, ge=1)
    """How many subjects, addresses and tokens are remembered, each; the least recent one is forgotten first."""


def read_limits(path: Path) -> LimitSettings:
    """Read the settings of a file `limits.yaml`.

    Raises:
        HubError: the file cannot be read, or does not fit the settings; the message names the field.
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
    """The buckets of all subjects."""

    settings: LimitSettings = field(default_factory=LimitSettings)
    _known: OrderedDict[str, _Subject] = field(default_factory=OrderedDict)

    def request(self, subject: str, now_s: float) -> None:
        """Count a request.

        Raises:
            Problem: 429, there are too many.
        """
        one, limits = self._of(subject, now_s), self.settings
        one.requests = _take(one.requests, 1, limits.requests_per_s, limits.requests_burst, now_s, "requests")

    def numbers(self, subject: str, count: int, now_s: float) -> None:
        """Count numbers that somebody asks about.

        Raises:
            Problem: 429, there are too many at once or today.
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
    """Counts the callers without a valid token, by the address they call from.

    A token that was valid lately is checked whatever else comes from its address, so that one client with a bad token
    does not lock out its neighbours.
    """

    settings: LimitSettings = field(default_factory=LimitSettings)
    _addresses: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)
    _held: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def let_in(self, address: str, proof: str, now_s: float) -> None:
        """Check that a token from this address may be checked now.

        Raises:
            Problem: 429, too many requests without a valid token came from there.
        """
        bucket = self._addresses.get(address)
        if bucket is not None and _digest(proof) not in self._held:
            limits = self.settings
            _take(bucket, 1, limits.unproven_per_s, limits.unproven_burst, now_s, "requests without proof")

    def held(self, proof: str) -> None:
        """Note that a token was valid."""
        _remember(self._held, _digest(proof), None, self.settings.subjects_max)

    def failed(self, address: str, now_s: float) -> None:
        """Count a request without a valid token."""
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
