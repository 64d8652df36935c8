"""All that a page of the board is made of, at one moment: the folds, and what was measured beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hub.core.standing import Standing, standing
from hub.web.board.board import Board
from hub.web.board.effects import Effects
from hub.web.board.stages import StageBook
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
    """The board, and everything else a page needs."""

    board: Board
    stages: StageBook
    effects: Effects
    gauges: Gauges
    as_of: AsOf

    @property
    def now_ms(self) -> int:
        """The hub's time."""
        return self.as_of.now_ms

    def standing(self, platform: str) -> Standing | None:
        """How a platform behaves; None if it is not connected."""
        known = self.board.roster.platforms[platform]
        return standing(known, self.board.behaviour(platform, self.gauges.waiting.get(platform)), self.now_ms)
