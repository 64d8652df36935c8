"""All that a page of the board is made of, at one moment: the folds, and what was measured beside them."""

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
    """How far one reader of one log is behind: messages, and the age of the oldest of them."""

    reader: str
    topic: str
    behind: int
    behind_ms: int | None


class Gauges(NamedTuple):
    """What is measured beside the folds.

    `waiting`: per platform, record time of the oldest notice it has not received; `acks_today`: acknowledgements of
    the hub's UTC day; `releases`: where each partition of `releases` ends; `topics`: messages, and a second, by topic.
    """

    waiting: Mapping[str, int] = {}
    acks_today: int = 0
    releases: Mapping[int, int] = {}
    topics: Mapping[str, tuple[int, float]] = {}
    lags: tuple[Lag, ...] = ()


class Sight(NamedTuple):
    """The board, and everything else a page needs.

    `in_tens`: what platforms did is told to an outsider (`hub.web.access.seen.sight`); `own`: whom that does not hide.
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
        """The hub's time."""
        return self.as_of.now_ms

    def standing(self, platform: str) -> Standing | None:
        """How a platform behaves; None if it is not connected."""
        known = self.board.roster.platforms[platform]
        seen = self.board.behaviour(platform, self.gauges.waiting.get(platform))
        if not self._is_whole(platform):
            seen = seen._replace(unanswered=ten(seen.unanswered))
        return standing(known, seen, self.now_ms)

    def hours_to_effect(self, platform: str | None) -> float | None:
        """Median hours from a notice to its first effect, at one platform or at all; None if there is none."""
        took = self.effects.hours_to_effect(platform)
        if took is None:
            return None
        return took.median_hours if self._is_whole(platform) else took.told_hours

    def _is_whole(self, platform: str | None) -> bool:
        return not self.in_tens or (platform is not None and platform == self.own)
