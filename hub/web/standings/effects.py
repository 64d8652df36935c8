"""The board's cohort figures, taken from the standings of this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

import numpy as np

from hub.core.cohorts import Took, took
from hub.core.model import DAY_MS, Stage
from hub.web.shapes import Cell
from hub.web.standings.standings import Standings

EFFECT_DAYS = 90
"""Cases opened in so many days are what a median of hours is of: old ones would hide that it got worse."""

MEDIAN = 0.5
EPOCH = date(1970, 1, 1)


class StandingEffects:
    """`hub.web.board.effects.Effects` over standings."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    def stages(self) -> dict[Stage, int]:
        """Cases by stage; those without any are left out."""
        found: Counter[Stage] = Counter()
        for segment in self._standings.state.universe.segments.values():
            for stage, standing in segment.by_stage.items():
                found[stage] += len(standing)
        return {stage: found[stage] for stage in Stage if found[stage]}

    def hours_to_effect(self, platform: str | None) -> Took | None:
        """How long it took over the cases opened lately, at one platform or at all."""
        today = self._standings.roster.now_ms() // DAY_MS
        days = range(today - EFFECT_DAYS + 1, today + 1)
        cohorts = self._standings.state.cohorts
        if platform is not None:
            return took(cohorts.hours_of(platform, days))
        found = [hours for (_, day), hours in cohorts.hours.items() if day in days]
        return took(np.sum(found, axis=0, dtype=np.uint64) if found else None)

    def cells(self, platform: str, days: Sequence[str]) -> list[Cell | None]:
        """One platform's cells, one a day."""
        numbers = [(date.fromisoformat(day) - EPOCH).days for day in days]
        return [
            Cell(
                in_force=counts.in_force,
                resolved=counts.resolved,
                takeover_safe=counts.takeover_safe,
                outcomes=dict(counts.outcomes),
                hours_to_effect_median=self._standings.hours_to_effect(platform, [day], MEDIAN),
            )
            if counts.in_force
            else None
            for day, counts in zip(numbers, self._standings.cells(platform, numbers), strict=True)
        ]
