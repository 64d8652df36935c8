"""Figures by platform and the day a case opened: how long effects take, and how a platform's days went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Protocol

import numpy as np

from hub.clearance.pairs import PairsNow
from hub.core.cohorts import Took, took
from hub.core.model import DAY_MS, Stage
from hub.web.shapes import Cell

EFFECT_DAYS = 90
"""Cases opened in so many days are what a median of hours is of: old ones would hide that it got worse."""

MEDIAN = 0.5
EPOCH = date(1970, 1, 1)


class CohortFigures(Protocol):
    """Cohort figures by platform and the UTC day a case opened, and how cases stand."""

    def stages(self) -> dict[Stage, int] | None:
        """Cases by stage; None if nobody knows."""
        ...

    def hours_to_effect(self, platform: str | None) -> Took | None:
        """How long it took from notices to their first effects, at one platform or at all; None if there is none."""
        ...

    def cells(self, platform: str, days: Sequence[str]) -> list[Cell | None]:
        """One platform's cells, one a day; None where no case is in force."""
        ...


class NoCohorts:
    """Nobody folds them: nothing is known, and said so."""

    def stages(self) -> dict[Stage, int] | None:
        """Not known."""
        return None

    def hours_to_effect(self, platform: str | None) -> Took | None:  # noqa: ARG002 - a `CohortFigures`
        """Not known."""
        return None

    def cells(self, platform: str, days: Sequence[str]) -> list[Cell | None]:  # noqa: ARG002 - a `CohortFigures`
        """Not known."""
        return [None] * len(days)


class PairCohorts:
    """Cohort figures over the pairs that this process folds."""

    def __init__(self, pairs: PairsNow) -> None:
        self._pairs = pairs

    def stages(self) -> dict[Stage, int]:
        """Cases by stage; those without any are left out."""
        found: Counter[Stage] = Counter()
        for segment in self._pairs.state.universe.segments.values():
            for stage, standing in segment.by_stage.items():
                found[stage] += len(standing)
        return {stage: found[stage] for stage in Stage if found[stage]}

    def hours_to_effect(self, platform: str | None) -> Took | None:
        """How long it took over the cases opened lately, at one platform or at all."""
        today = self._pairs.roster.now_ms() // DAY_MS
        days = range(today - EFFECT_DAYS + 1, today + 1)
        cohorts = self._pairs.state.cohorts
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
                hours_to_effect_median=self._pairs.hours_to_effect(platform, [day], MEDIAN),
            )
            if counts.in_force
            else None
            for day, counts in zip(numbers, self._pairs.cells(platform, numbers), strict=True)
        ]
