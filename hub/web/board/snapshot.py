"""This module holds all that a page of the board is made from at one moment: the folds, and the measurements.

For example, for an outsider a `Sight` with `in_tens` counts 37 unanswered cases of bank as 30.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hub.core.standing import Standing, standing
from hub.web.board.board import Board
from hub.web.board.cohorts import CohortFigures
from hub.web.board.stages import StageBook
from hub.web.rounding import ten
from hub.web.shapes import AsOf


class Lag(NamedTuple):
    """How far one reader of one log is behind, in messages and by the age of the oldest of them."""

    reader: str
    topic: str
    behind: int
    behind_ms: int | None


class Gauges(NamedTuple):
    """What is measured beside the folds.

    `waiting` is the record time of the oldest notice that a platform has not received, by platform. `acks_today` counts
    acknowledgements of the hub's UTC day. `releases` says where each partition of `releases` ends. `topics` holds all
    messages and messages a second, by topic.
    """

    waiting: Mapping[str, int] = {}
    acks_today: int = 0
    releases: Mapping[int, int] = {}
    topics: Mapping[str, tuple[int, float]] = {}
    lags: tuple[Lag, ...] = ()


class Sight(NamedTuple):
    """The board, and everything else that a page needs.

    If `in_tens` is true, the page is for an outsider, and what platforms did is shown in tens
    (`hub.web.access.seen.sight`). `own` is the platform whose figures stay exact, if there is one.
    """

    board: Board
    stages: StageBook
    effects: CohortFigures
    gauges: Gauges
    as_of: AsOf
    in_tens: bool = False
    own: str | None = None

    @property
    def now_ms(self) -> int:
        """Return the hub's time."""
        return self.as_of.now_ms

    def standing(self, platform: str) -> Standing | None:
        """Return how a platform behaves; None if it is not connected."""
        known = self.board.roster.platforms[platform]
        seen = self.board.behaviour(platform, self.gauges.waiting.get(platform))
        if not self._is_whole(platform):
            seen = seen._replace(unanswered=ten(seen.unanswered))
        return standing(known, seen, self.now_ms)

    def hours_to_effect(self, platform: str | None) -> float | None:
        """Return the median hours from a notice to its first effect, at one platform or at all; None if it has none."""
        took = self.effects.hours_to_effect(platform)
        if took is None:
            return None
        return took.median_hours if self._is_whole(platform) else took.told_hours

    def _is_whole(self, platform: str | None) -> bool:
        return not self.in_tens or (platform is not None and platform == self.own)
