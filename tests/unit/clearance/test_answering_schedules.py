"""Clearance against an adversary: whatever happens while it is asked, the recount at its positions says the same."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from hub.core.model import ClearanceAnswer, ClearancePolicy, LookedUp, Lookup, LookupKind, Role, UnconnectedRule
from hub.core.reports import Disputes
from hub.recount import OtherAnswer, recount_lookup
from hub.recount.wire import read
from hub.wire.contracts import OPERATORS, RELEASES, encode
from tests.unit.adversary_logs import NUMBERS, World
from tests.unit.late_reader import LateReader, ask, misheard

STEPS = 60
ASKS = 2


class NeverAgain(LateReader):
    """Holds what it merged for right, whatever the roster says later."""

    def settle(self) -> None:
        for platform in self.state.unsettled():
            self.state.settle(platform)


class Hasty(LateReader):
    """Refuses at once what names a notice that is not there."""

    patience_ms = 0


class Forgetful(LateReader):
    """Clears numbers against people's reports."""

    def __init__(self, world: World) -> None:
        super().__init__(world, Disputes())


def schedule(seed: int, reads: type[LateReader] = LateReader) -> tuple[Counter[str], list[OtherAnswer | str]]:
    """One world and one late reader, asked a few times; the answers, and what the recount has otherwise."""
    rng = random.Random(seed)
    world = World(rng, early=True)
    reader = reads(world)
    answers: Counter[str] = Counter()
    found: list[OtherAnswer | str] = []
    asked_at = set(rng.sample(range(STEPS // 3, STEPS), ASKS))
    for step in range(STEPS):
        world.step()
        topic, number = rng.choice(list(reader.places))
        reader.read_on(topic, number, rng.randrange(6))
        if step in asked_at:
            if rng.random() < 0.5:
                for name in world.logs:
                    reader.read_all(name)
            if rng.random() < 0.9:
                reader.settle()
            rule = rng.choice([UnconnectedRule.NAMED, *UnconnectedRule])
            tiers = rng.choice(((1,), (1,), (1, 2)))
            policy = ClearancePolicy(tiers, rng.random() < 0.3, rng.random() < 0.7, rule)
            asked_by, role = rng.choice((("north", Role.OPERATOR), ("south", Role.OPERATOR), ("li", Role.AUDITOR)))
            recounted = ask(world, reader, policy, asked_by, role)
            answers.update(["BEHIND"] if recounted is None else recounted.answers)
            if recounted is not None:
                found += [*recounted.differences, *misheard(world, reader)]
    return answers, found


def run(seeds: range) -> Counter[str]:
    answers: Counter[str] = Counter()
    for seed in seeds:
        one, found = schedule(seed)
        assert found == [], f"seed {seed}"
        answers.update(one)
    return answers


@pytest.mark.long
def test_never_clear_where_the_recount_says_otherwise() -> None:
    """Over 300 schedules every answer is the recount's, and enough of them are CLEAR to mean something."""
    answers = run(range(300))
    assert answers["CLEAR"] > 50
    assert answers["BLOCKED"] > 300
    assert answers["UNKNOWN"] > 300


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_never_clear_over_ten_thousand_schedules() -> None:
    """The same over 10,000 schedules."""
    answers = run(range(1_000, 11_000))
    assert answers["CLEAR"] > 1_500


@pytest.mark.parametrize("reads", [NeverAgain, Hasty, Forgetful])
def test_a_hub_that_is_wrong_is_found_out(reads: type[LateReader]) -> None:
    """The schedules notice a hub that believes stolen keys, judges too early, or forgets what people report."""
    assert any(schedule(seed, reads)[1] for seed in range(300))


@pytest.mark.parametrize("behind", [False, True])
def test_to_know_nothing_is_a_claim_unless_the_hub_was_behind(behind: bool) -> None:
    """UNKNOWN for a number that has a case is found wrong; a hub that was behind claims nothing."""
    world = World(random.Random(1))
    reader = LateReader(world)
    while reader.case_of(NUMBERS[0]) is None:
        world.step()
        reader.read_all(RELEASES)
    looked_up = (LookedUp(NUMBERS[0], None, ClearanceAnswer.UNKNOWN),)
    asked = (LookupKind.CLEARANCE, "li", Role.AUDITOR, world.now_ms, looked_up, ClearancePolicy())
    lookup = read("lookup", encode(Lookup(b"i" * 16, *asked, None if behind else reader.positions())))
    assert lookup is not None
    found = recount_lookup(world.recount_logs(), world.logs[OPERATORS][0], lookup)
    assert found.claimed is not behind
    assert [one.field for one in found.differences] == ([] if behind else ["answer", "case"])
