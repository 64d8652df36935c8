"""What the board takes from whoever folds acknowledgements pair by pair: how long effects take, a platform's days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hub.core.cohorts import Took
from hub.core.model import Stage
from hub.web.shapes import Cell


class Effects(Protocol):
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


class NoEffects:
    """Nobody folds them: nothing is known, and said so."""

    def stages(self) -> dict[Stage, int] | None:
        """Not known."""
        return None

    def hours_to_effect(self, platform: str | None) -> Took | None:  # noqa: ARG002 - an `Effects`
        """Not known."""
        return None

    def cells(self, platform: str, days: Sequence[str]) -> list[Cell | None]:  # noqa: ARG002 - an `Effects`
        """Not known."""
        return [None] * len(days)
