"""The rules of the login check, whole: every answer by its cause, and every advice by its table."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.model import DAY_MS, HOUR_MS, Source, Stage
from hub.sdk.last_cases import LastCase, moved, opened
from hub.sdk.login.rules import ADVICE, Knowledge, Relation, advise, answer, may_begin_anew, relation_of
from hub.sdk.login.words import MEANS, RECYCLED, Advice, Answer, Operation, Reason, Recycled, Signals
from tests.unit.adapter_driver import Log

NOW = 20_000 * DAY_MS
EVIDENCE = NOW - 300 * DAY_MS
ENDED = NOW - 100 * DAY_MS
"""When the old owner's time with the number ended."""

EARLIER = NOW - 200 * DAY_MS
BEHIND_MAX_MS = 60_000
SOUND = Knowledge(None, EVIDENCE, NOW - 1_000)
YES, NO, UNKNOWN = Recycled.YES, Recycled.NO, Recycled.UNKNOWN
UNDONE = (Stage.RESTORED, Stage.WITHDRAWN)


def a_case(stage: Stage, earlier: int | None = None) -> Knowledge:
    return SOUND._replace(last=LastCase(Source(0, 0), stage, ENDED, None, earlier, earlier))


def ask(bound_since: int | None, known: Knowledge = SOUND, *, served: bool = True) -> Answer:
    return answer(bound_since, known, NOW, BEHIND_MAX_MS, served=served)


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (Stage.COOLING, Reason.GIVEN_UP),
        (Stage.SCHEDULED, Reason.GIVEN_UP),
        (Stage.RELEASED, Reason.REISSUED),
        (Stage.REASSIGNED, Reason.REISSUED),
        (Stage.RESTORED, Reason.SAME_OWNER),
        (Stage.WITHDRAWN, Reason.SAME_OWNER),
    ],
)
def test_a_binding_before_a_case_by_its_stage(stage: Stage, reason: Reason) -> None:
    """Strictly older than the end of the old owner's time is theirs, later ones not; an undone case is none.

    From then until the number is handed over it is nobody's, and who bound it is unknown.
    """
    found = ask(ENDED - 1, a_case(stage))
    assert (found.reason, found.stage) == (reason, None if stage in UNDONE else stage)
    nobodys = stage in (Stage.COOLING, Stage.SCHEDULED, Stage.RELEASED)
    after = Reason.BETWEEN_OWNERS if nobodys else Reason.SAME_OWNER
    assert ask(ENDED, a_case(stage)) == ask(NOW, a_case(stage)) == Answer(after, None, EVIDENCE, NOW - 1_000)


@pytest.mark.parametrize("stage", list(Stage))
def test_an_owner_before_the_last_is_not_forgotten(stage: Stage) -> None:
    """A binding from before an earlier case is recycled whatever became of the last case, also if it was undone."""
    known = a_case(stage, EARLIER)
    assert ask(EARLIER - 1, known)[:2] == (Reason.REISSUED, Stage.REASSIGNED)
    assert ask(EARLIER, known) == ask(ENDED - 1, a_case(stage))


@pytest.mark.parametrize(
    ("bound_since", "known", "served", "reason"),
    [
        (NOW, SOUND, True, Reason.SAME_OWNER),
        (EVIDENCE, SOUND, True, Reason.SAME_OWNER),
        (EVIDENCE - 1, SOUND, True, Reason.BEFORE_EVIDENCE),
        (NOW, SOUND, False, Reason.NOT_SERVED),
        (NOW + HOUR_MS, SOUND, True, Reason.SAME_OWNER),
        (NOW + HOUR_MS + 1, SOUND, True, Reason.BOUND_IN_FUTURE),
        (NOW * 1_000, SOUND, True, Reason.BOUND_IN_FUTURE),
        (NOW // 1_000, SOUND, True, Reason.BEFORE_EVIDENCE),
        (None, SOUND, True, Reason.AGE_UNKNOWN),
        (NOW, SOUND._replace(caught_up_at=NOW - BEHIND_MAX_MS), True, Reason.SAME_OWNER),
        (NOW, SOUND._replace(caught_up_at=NOW - BEHIND_MAX_MS - 1), True, Reason.ADAPTER_BEHIND),
        (NOW, Knowledge(None, None, None), True, Reason.ADAPTER_BEHIND),
        (NOW, Knowledge(None, EVIDENCE, None), True, Reason.ADAPTER_BEHIND),
        (NOW, SOUND._replace(caught_up_at=NOW + BEHIND_MAX_MS), True, Reason.SAME_OWNER),
        (NOW, SOUND._replace(caught_up_at=NOW + BEHIND_MAX_MS + 1), True, Reason.ADAPTER_BEHIND),
    ],
)
def test_no_is_said_only_on_evidence(bound_since: int | None, known: Knowledge, served: bool, reason: Reason) -> None:
    """Before the evidence, behind the log, outside the hub or out of all time, the answer is unknown and says why."""
    found = ask(bound_since, known, served=served)
    assert (found.reason, found.evidence_from, found.as_of) == (reason, known.since, known.caught_up_at)
    assert found.stage is None


@pytest.mark.parametrize("stage", [Stage.COOLING, Stage.REASSIGNED])
def test_yes_is_said_however_far_behind(stage: Stage) -> None:
    """What was heard stays heard: neither a silent adapter nor a number outside the ranges unsays a case."""
    old = a_case(stage)._replace(caught_up_at=NOW - DAY_MS, since=None)
    assert ask(EVIDENCE - 1, old, served=False).recycled is YES


@pytest.mark.parametrize("stage", list(Stage))
def test_an_unknown_age_is_unknown_and_says_if_there_is_doubt(stage: Stage) -> None:
    """Without an age nothing is sure; a case in force, now or earlier, is named as the doubt."""
    plain, earlier = ask(None, a_case(stage)), ask(None, a_case(stage, EARLIER))
    assert plain.reason is earlier.reason is Reason.AGE_UNKNOWN
    assert plain.stage is (None if stage in UNDONE else stage)
    assert earlier.stage is Stage.REASSIGNED


TIMES = st.integers(NOW - 400 * DAY_MS, NOW + DAY_MS)


@given(
    bound_since=st.none() | TIMES,
    last=st.none()
    | st.builds(
        LastCase,
        *(
            st.just(Source(0, 0)),
            st.sampled_from(Stage),
            TIMES,
            st.none() | TIMES,
            st.none() | TIMES,
            st.none() | TIMES,
        ),
    ),
    since=st.none() | TIMES,
    caught_up_at=st.none() | TIMES,
    served=st.booleans(),
)
def test_a_no_is_never_false(
    bound_since: int | None, last: LastCase | None, since: int | None, caught_up_at: int | None, served: bool
) -> None:
    """Whatever is known, no means: an age, evidence since then and up to now, and no case in force after it."""
    found = ask(bound_since, Knowledge(last, since, caught_up_at), served=served)
    if found.recycled is NO:
        assert served
        assert bound_since is not None
        assert since is not None
        assert caught_up_at is not None
        assert since <= bound_since
        assert NOW - caught_up_at <= BEHIND_MAX_MS
        assert last is None or last.stage in UNDONE or last.bound_before <= bound_since
        assert last is None or last.earlier_before is None or last.earlier_before <= bound_since
        assert last is None or last.earlier_until is None or last.earlier_until <= bound_since
        assert last is None or last.free_until is None or last.stage in UNDONE or last.free_until <= bound_since


@pytest.mark.parametrize(
    ("days", "reason"),
    [(-1, Reason.REISSUED), (0, Reason.BETWEEN_OWNERS), (89, Reason.BETWEEN_OWNERS), (90, Reason.SAME_OWNER)],
)
def test_a_binding_of_a_time_when_nobody_held_the_number(days: int, reason: Reason) -> None:
    """Given up, and handed over three months later: what was bound in between may be anybody's; no would be a guess."""
    given_up = NOW - 200 * DAY_MS
    last = LastCase(Source(0, 0), Stage.REASSIGNED, given_up, given_up + 90 * DAY_MS)
    known = SOUND._replace(last=last, since=given_up - 300 * DAY_MS)
    earlier = known._replace(last=LastCase(Source(0, 9), Stage.RESTORED, NOW, None, given_up, given_up + 90 * DAY_MS))
    for one in (known, earlier):
        assert ask(given_up + days * DAY_MS, one).reason is reason


def test_a_withdrawn_handover_leaves_older_bindings_unknown() -> None:
    """Handed over and then withdrawn: whoever received the number may still have it, also once another case opened."""
    handed_over = NOW - 20 * DAY_MS
    last = LastCase(Source(0, 0), Stage.WITHDRAWN, handed_over - 90 * DAY_MS, handed_over)
    known = SOUND._replace(last=last, since=handed_over - 300 * DAY_MS)
    log = Log()
    for stage in (Stage.COOLING, Stage.RESTORED):
        log.add(stage, bound_before=NOW - 5 * DAY_MS)
    opener, restored = (heard.notice for heard in log.notices)
    later = known._replace(last=moved(opened(last, Source(0, 0), opener), Source(0, 0), restored))
    for days in (-91, -1):
        assert ask(handed_over + days * DAY_MS, known).reason is Reason.HANDOVER_WITHDRAWN
        assert ask(handed_over + days * DAY_MS, later).recycled is Recycled.UNKNOWN
    assert ask(handed_over, known).reason is ask(handed_over, later).reason is Reason.SAME_OWNER


# ---- The advice ----

SIGNALS = (Signals(), Signals(new_place=True), Signals(new_device=True), Signals(True, True))
LETTERS = {"p": Advice.PROCEED, "s": Advice.STEP_UP, "n": Advice.TREAT_AS_NEW_USER}
EXPECTED = {  # by operation: signals none, place, device, both
    Relation.TRUSTED: "log_in:pppp recover:ppps change_key_fact:ppss pay:ppps",
    Relation.UNCERTAIN: "log_in:ppss recover:psss change_key_fact:ssss pay:psss",
    Relation.DOUBTED: "log_in:ssss recover:ssss change_key_fact:ssss pay:ssss",
    Relation.GIVEN_UP: "log_in:ssss recover:ssss change_key_fact:ssss pay:ssss",
    Relation.REISSUED: "log_in:ssnn recover:ssnn change_key_fact:ssss pay:ssss",
}
ANSWERS = {
    Relation.TRUSTED: [Answer(Reason.SAME_OWNER)],
    Relation.UNCERTAIN: [Answer(one) for one in Reason if RECYCLED[one] is UNKNOWN],
    Relation.DOUBTED: [Answer(Reason.AGE_UNKNOWN, stage) for stage in Stage],
    Relation.GIVEN_UP: [Answer(Reason.GIVEN_UP, Stage.COOLING), Answer(Reason.GIVEN_UP, Stage.SCHEDULED)],
    Relation.REISSUED: [Answer(Reason.REISSUED, Stage.RELEASED), Answer(Reason.REISSUED, Stage.REASSIGNED)],
}


@pytest.mark.parametrize("how", list(Relation))
def test_every_advice(how: Relation) -> None:
    """For every relation_of, operation and set of signals there is one advice, and it is this one."""
    for word in EXPECTED[how].split():
        operation, _, letters = word.partition(":")
        for of, (signals, letter) in product(ANSWERS[how], zip(SIGNALS, letters, strict=True)):
            assert relation_of(of) is how
            assert advise(Operation(operation), signals, of) is LETTERS[letter], (of, operation, signals)


def test_the_table_is_total() -> None:
    """Every relation_of knows every operation with all four sets of signals, and every reason has its answer."""
    assert set(ADVICE) == set(Relation)
    assert all(set(rows) == set(Operation) for rows in ADVICE.values())
    assert all(len(row) == len(SIGNALS) for rows in ADVICE.values() for row in rows.values())
    assert set(RECYCLED) == set(Reason)
    assert set(MEANS) == set(Reason)
    assert all(one.en.isascii() and not one.zh.isascii() for one in MEANS.values())
    assert {relation_of(Answer(reason)) for reason in Reason} == set(Relation) - {Relation.DOUBTED}


def test_more_signals_never_ask_for_less() -> None:
    """A new device or place never makes the advice milder, and a new device weighs at least what a new place does."""
    severity = {Advice.PROCEED: 0, Advice.STEP_UP: 1, Advice.TREAT_AS_NEW_USER: 2}
    for rows in ADVICE.values():
        for row in rows.values():
            assert [severity[one] for one in row] == sorted(severity[one] for one in row)


def test_who_is_never_bothered_and_who_never_gets_in() -> None:
    """Ordinary logins go on; a number that is not its old owner's never opens their account by itself."""
    for operation in Operation:
        assert advise(operation, Signals(), Answer(Reason.SAME_OWNER)) is Advice.PROCEED
        for how, signals in product((Relation.DOUBTED, Relation.GIVEN_UP, Relation.REISSUED), SIGNALS):
            assert advise(operation, signals, ANSWERS[how][0]) is not Advice.PROCEED
    for signals in SIGNALS:
        assert advise(Operation.LOG_IN, signals, Answer(Reason.SAME_OWNER)) is Advice.PROCEED
    for how, operation, signals in product((Relation.DOUBTED, Relation.GIVEN_UP), Operation, SIGNALS):
        assert advise(operation, signals, ANSWERS[how][0]) is Advice.STEP_UP


def test_who_may_begin_anew() -> None:
    """Whoever is asked and has no proof is not turned away; but nobody takes a number that may be restored."""
    allowed = {how for how in Relation for of in ANSWERS[how] if may_begin_anew(of)}
    assert allowed == {Relation.UNCERTAIN, Relation.DOUBTED, Relation.REISSUED}
    assert not any(may_begin_anew(of) for of in ANSWERS[Relation.GIVEN_UP] + ANSWERS[Relation.TRUSTED])
