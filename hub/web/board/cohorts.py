"""This module gives figures by platform and by the day on which a case opened: hours to effect, and cells of days.

For example, the cell of bank and 2026-11-01 counts the cases opened on that day that are in force there and resolved.
"""

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
"""A median of hours is over the cases opened in the last 90 days: older ones would hide that it got worse."""

MEDIAN = 0.5
EPOCH = date(1970, 1, 1)


class CohortFigures(Protocol):
    """Figures by platform and by the UTC day on which a case opened, and cases by stage."""

    def stages(self) -> dict[Stage, int] | None:
        """Return the cases by stage; None if they are not known."""
        ...

    def hours_to_effect(self, platform: str | None) -> Took | None:
        """Return how long a notice took to its first effect, at one platform or at all; None if there is no effect."""
        ...

    def cells(self, platform: str, days: Sequence[str]) -> list[Cell | None]:
        """Return one platform's cells, one for each day; None where no case is in force."""
        ...


class NoCohorts:
    """The figures where nobody folds pairs: nothing is known, and the answers say so."""

    def stages(self) -> dict[Stage, int] | None:
        """Return None: it is not known."""
        return None

    def hours_to_effect(self, platform: str | None) -> Took | None:  # noqa: ARG002 - a `CohortFigures`
        """Return None: it is not known."""
        return None

    def cells(self, platform: str, days: Sequence[str]) -> list[Cell | None]:  # noqa: ARG002 - a `CohortFigures`
        """Return None for each day: they are not known."""
        return [None] * len(days)


class PairCohorts:
    """The figures over the pairs that this process folds."""

    def __init__(self, pairs: PairsNow) -> None:
        self._pairs = pairs

    def stages(self) -> dict[Stage, int]:
        """Return the cases by stage, without stages that have none."""
        found: Counter[Stage] = Counter()
        for segment in self._pairs.state.universe.segments.values():
            for stage, standing in segment.by_stage.items():
                found[stage] += len(standing)
        return {stage: found[stage] for stage in Stage if found[stage]}

    def hours_to_effect(self, platform: str | None) -> Took | None:
        """Return how long it took for the cases opened lately, at one platform or at all."""
        today = self._pairs.roster.now_ms() // DAY_MS
        days = range(today - EFFECT_DAYS + 1, today + 1)
        cohorts = self._pairs.state.cohorts
        if platform is not None:
            return took(cohorts.hours_of(platform, days))
        found = [hours for (_, day), hours in cohorts.hours.items() if day in days]
        return took(np.sum(found, axis=0, dtype=np.uint64) if found else None)

    def cells(self, platform: str, days: Sequence[str]) -> list[Cell | None]:
        """Return one platform's cells, one for each day."""
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
