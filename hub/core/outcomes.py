"""What each outcome means for its pair: the one table that gaps, figures, cohorts and estimates go by. Pure.

Whoever adds an outcome begins here; `tests/unit/test_tables.py` names the tables that have to follow. The recount
has a table of its own (`hub.recount.figures.WORDS`), for it is to find what is wrong here.
"""

from __future__ import annotations

from typing import NamedTuple

from hub.core.model import GapClass, Outcome


class Means(NamedTuple):
    """What an outcome means.

    `rank`: of several that were said, the one with the lowest is shown; None: it is shown of undone cases alone.
    `gap`: the class of the gap that it leaves; None: it leaves none.
    `against_not_bound`: said together with NOT_BOUND it is a dispute.
    `touched`: the account was changed, so once the case is undone it is to be put back.
    `effect`: it says what became of the binding.
    `was_bound`: an account was found bound.
    `found_bound`: an account was found bound and something was done about it; of these the share found bound is.
    """

    rank: int | None
    gap: GapClass | None
    against_not_bound: bool
    touched: bool
    effect: bool
    was_bound: bool
    found_bound: bool


MEANING: dict[Outcome, Means] = {
    Outcome.UNBOUND: Means(
        rank=0, gap=None, against_not_bound=True, touched=True, effect=True, was_bound=True, found_bound=True
    ),
    Outcome.FROZEN: Means(
        rank=1,
        gap=GapClass.FROZEN,
        against_not_bound=True,
        touched=True,
        effect=True,
        was_bound=True,
        found_bound=True,
    ),
    Outcome.DECLINED: Means(
        rank=2,
        gap=GapClass.DECLINED,
        against_not_bound=True,
        touched=False,
        effect=True,
        was_bound=True,
        found_bound=False,
    ),
    Outcome.NOT_BOUND: Means(
        rank=3, gap=None, against_not_bound=False, touched=False, effect=True, was_bound=False, found_bound=False
    ),
    Outcome.FAILED: Means(
        rank=4,
        gap=GapClass.FAILED,
        against_not_bound=False,
        touched=False,
        effect=False,
        was_bound=True,
        found_bound=False,
    ),
    Outcome.REINSTATED: Means(
        rank=None, gap=None, against_not_bound=False, touched=False, effect=False, was_bound=True, found_bound=False
    ),
}
"""FAILED says that nothing became of the binding. NOT_BOUND is an effect: a median of the others alone would move with
one number's case, and tell where its owner had an account."""

_RANKS = {one: means.rank for one, means in MEANING.items() if means.rank is not None}
SHOWN_FIRST = tuple(sorted(_RANKS, key=_RANKS.__getitem__))
"""What is shown of a case in force: the first of these that was ever said."""

AGAINST_NOT_BOUND = frozenset(one for one, means in MEANING.items() if means.against_not_bound)
TOUCHED = frozenset(one for one, means in MEANING.items() if means.touched)
RESOLVES = frozenset(one for one in _RANKS if MEANING[one].gap is None)
GAP_OF: dict[Outcome, GapClass] = {one: means.gap for one, means in MEANING.items() if means.gap is not None}
EFFECTS = tuple(one for one in Outcome if one in MEANING and MEANING[one].effect)
WAS_BOUND = frozenset(one for one, means in MEANING.items() if means.was_bound)
FOUND_BOUND = tuple(one for one, means in MEANING.items() if means.found_bound)
