"""How much one may ask: a bucket of requests, and a bucket and a day's quota of numbers. Pure, given the time.

A number's space is small enough to be asked through (10 billion), so numbers are what is counted: a token that leaks
tells of thousands of numbers a day, not of all.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.problems import Problem

DAY_S = 86_400.0


@dataclass(frozen=True)
class LimitSettings:
    """The limits of one subject."""

    requests_per_s: float = 50.0
    requests_burst: float = 500.0
    numbers_per_s: float = 200.0
    numbers_burst: float = 5_000.0
    numbers_a_day: int = 500_000
    """A large operator's releases of a day."""

    subjects_max: int = 20_000
    """Subjects remembered; the one that asked longest ago is forgotten first."""


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
        found = self._known.get(subject)
        if found is None:
            limits = self.settings
            found = _Subject(_Bucket(limits.requests_burst, now_s), _Bucket(limits.numbers_burst, now_s))
            self._known[subject] = found
            if len(self._known) > limits.subjects_max:
                self._known.popitem(last=False)
        self._known.move_to_end(subject)
        return found


def _take(bucket: _Bucket, count: int, per_s: float, burst: float, now_s: float, what: str) -> _Bucket:
    left = min(burst, bucket.left + (now_s - bucket.at_s) * per_s)
    if left < count:
        wait_s = int((count - left) / per_s) + 1
        todo = f"Ask for at most {per_s:g} {what} a second on average."
        raise Problem(429, "TOO_MANY", f"too many {what}", todo, retry_after_s=wait_s)
    return _Bucket(left - count, now_s)
