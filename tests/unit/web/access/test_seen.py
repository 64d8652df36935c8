"""What each role sees of an answer, and tables as CSV: pure parts of the API."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.lifecycle import LIVE
from hub.core.model import GapClass, Names, Outcome, Platform, PlatformState, Role, Source, Stage
from hub.core.pairs import PairNow
from hub.web import shapes
from hub.web.access import seen
from hub.web.access.auth import Caller
from hub.web.access.who import STAFF, WHO
from hub.web.routes import notices
from hub.web.routes.case_pages import CLEARED, word_of
from hub.web.routes.csv_out import as_csv

PUBLIC = sorted(set(Role) - STAFF)
CONNECTED = [
    Platform(one, Names(one, one), "bank", tier, PlatformState.CONNECTED)
    for one, tier in (("bank", 1), ("mail", 1), ("shop", 2))
]
BLIND = Platform("gym", Names("健身", "Gym"), "sport", 3, PlatformState.KNOWN_UNCONNECTED, guide_steps=("Ask.",))
CASE = Source(7, 120_033)


def caller(role: Role, subject: str = "somebody") -> Caller:
    return Caller(subject, role, 0)


def pair(platform: Platform, gap: GapClass | None, shown: Outcome | None = None) -> PairNow:
    return PairNow(platform, True, shown, gap, False, False, False, True, 0)


def row(in_force: int, **counts: int) -> shapes.PlatformRow:
    pairs = shapes.Pairs(
        in_force=in_force,
        resolved=in_force,
        takeover_safe=in_force,
        outcomes={Outcome(name): count for name, count in counts.items()},
    )
    return shapes.PlatformRow(
        id="bank",
        name=shapes.Name(zh="b", en="b"),
        sector="bank",
        tier=1,
        state=PlatformState.CONNECTED,
        standing=None,
        channel=None,
        must_connect=False,
        pairs=pairs,
        bound_per_10000=3.0,
    )


AS_OF = shapes.AsOf(now_ms=1, read_at=1)
TODAY = shapes.Today()


@pytest.mark.parametrize("role", PUBLIC)
@pytest.mark.parametrize(("in_force", "there"), [(0, 1), (1, 0), (9, 0), (10, 1)])
def test_a_platform_with_few_cases_is_left_out_and_counted(role: Role, in_force: int, there: int) -> None:
    """Of one to nine cases the public sees that a row is missing, and nothing else."""
    shown = seen.platforms(shapes.Platforms(as_of=AS_OF, platforms=[row(in_force)]), caller(role))
    assert (len(shown.platforms), shown.suppressed) == (there, 1 - there)


@pytest.mark.parametrize("role", Role)
def test_exact_counts_are_the_staffs_and_ones_own(role: Role) -> None:
    """Nobody else learns that five accounts were unbound at a bank, nor which of two banks one more case was at."""
    found = shapes.Platforms(as_of=AS_OF, platforms=[row(105, UNBOUND=5, NOT_BOUND=97)])
    one_more = shapes.Platforms(as_of=AS_OF, platforms=[row(105, UNBOUND=6, NOT_BOUND=98)])
    shown = seen.platforms(found, caller(role))
    whole = role in STAFF
    exact = {Outcome.UNBOUND: 5, Outcome.NOT_BOUND: 97}
    assert shown.platforms[0].pairs.outcomes == (exact if whole else {Outcome.NOT_BOUND: 90})
    assert shown.platforms[0].pairs.resolved == (105 if whole else 100)
    assert (shown == seen.platforms(one_more, caller(role))) != whole
    assert shown.in_tens != whole
    assert seen.platforms(found, caller(Role.PLATFORM, "bank")).platforms == found.platforms


def test_every_role_has_a_route_and_every_route_a_role() -> None:
    """Nobody is let in to nothing, and nothing is for nobody."""
    assert all(WHO.values())
    assert set().union(*WHO.values()) == set(Role)


GAPS = [None, GapClass.FROZEN, GapClass.FAILED, GapClass.NO_OUTCOME, GapClass.NOT_RECEIVED, GapClass.DECLINED]
PAIRS = st.lists(st.sampled_from(GAPS), min_size=3, max_size=3).map(
    lambda gaps: [
        *(pair(platform, gap) for platform, gap in zip(CONNECTED, gaps, strict=True)),
        pair(BLIND, GapClass.NOT_CONNECTED),
    ]
)


@given(PAIRS, PAIRS, st.sampled_from(sorted(LIVE | {Stage.REASSIGNED})))
def test_notices_do_not_tell_where_the_old_owner_was(one: list[PairNow], other: list[PairNow], stage: Stage) -> None:
    """Worlds that differ in what connected platforms said differ by the case's word, for a stranger by done or not."""
    first, second = (notices.Ended(stage, pairs, 12.5) for pairs in (one, other))
    olds = [notices.after_cancelling(each, names=False) for each in (first, second)]
    news = [notices.new_owner(each) for each in (first, second)]
    for made in (*olds, *news):
        assert [item.platform for item in made.items] == ["gym"]
    assert (olds[0] == olds[1]) == (word_of(one) == word_of(other))
    assert (news[0] == news[1]) == ((word_of(one) == CLEARED) == (word_of(other) == CLEARED))


def test_the_checklist_has_every_platform_gravest_first_with_its_guide() -> None:
    """Before cancelling a person sees where to go, in both languages, numbered."""
    left = CONNECTED[0]._replace(id="gone", state=PlatformState.LEFT)
    found = notices.before_cancelling([BLIND, *reversed(CONNECTED), left])
    assert [one.platform for one in found.items] == ["bank", "mail", "shop", "gym"]
    assert "4. 健身" in found.text.zh
    assert "4.1  Ask." in found.text.en
    assert "1. bank (will be told)" in found.text.en


def test_a_number_nobody_gave_up_has_notices_that_say_so() -> None:
    """Without a case nobody is told that a number was given up, or that nothing is left; nor that it was not."""
    for found in (notices.new_owner(None), notices.after_cancelling(None, names=False)):
        assert found.items == []
        assert not found.others_pending
        assert "no record" in found.text.en
        assert "没有可以出示的" in found.text.zh
        assert "Nothing is left" not in found.text.en
        assert "has been given up" not in found.text.en


@pytest.mark.parametrize(
    ("stage", "en", "zh"),
    [(Stage.RESTORED, "have your number back", "已经恢复"), (Stage.WITHDRAWN, "was taken back", "已被撤回")],
)
def test_a_case_that_was_undone_is_told_as_undone(stage: Stage, en: str, zh: str) -> None:
    """Who has the number back hears no days and nothing to do; only the staff sees who still has to put back."""
    back = pair(CONNECTED[0], None, Outcome.FROZEN)._replace(in_force=False, restore_pending=True)
    case = notices.Ended(stage, [back, pair(BLIND, None)._replace(in_force=False)], 12.5)
    found = notices.after_cancelling(case, names=False)
    assert en in found.text.en
    assert zh in found.text.zh
    assert "given up." not in found.text.en.replace(en, "")
    assert "12 days" not in found.text.en
    assert (found.items, found.others_pending, found.others_declined) == ([], False, False)
    assert [one.platform for one in notices.after_cancelling(case, names=True).items] == ["bank"]
    assert "still belongs to who had it before" in notices.new_owner(case).text.en
    assert "仍属于原机主" in notices.new_owner(case).text.zh


def test_a_platform_that_keeps_the_number_is_not_called_at_work() -> None:
    """Where a connected platform declined the old owner has something to do; a stranger hears what is true of both."""
    case = notices.Ended(Stage.RELEASED, [pair(CONNECTED[0], GapClass.DECLINED), pair(CONNECTED[1], None)], 3.0)
    old, new = notices.after_cancelling(case, names=False), notices.new_owner(case)
    assert (old.others_pending, old.others_declined, old.items) == (False, True, [])
    assert "legal basis" in old.text.en
    assert "依法保留" in old.text.zh
    for text in (old.text.en, old.text.zh):
        assert "still working" not in text
        assert "仍在处理" not in text
        assert "Nothing is left" not in text
    assert (new.others_pending, new.others_declined) == (True, False)
    assert "or keep the number on a legal basis" in new.text.en
    assert "依法保留" in new.text.zh
    assert [one.platform for one in notices.after_cancelling(case, names=True).items] == ["bank"]


def test_a_platform_that_left_is_listed_if_the_case_was_its_own() -> None:
    """Nobody hears from it any more, so both owners are sent there, whatever it said before it left."""
    left = CONNECTED[1]._replace(state=PlatformState.LEFT, left_at=9)
    later = pair(left._replace(id="gone"), None)._replace(in_force=False)
    for gap in (GapClass.NOT_CONNECTED, GapClass.FROZEN, None):
        case = notices.Ended(Stage.COOLING, [pair(left, gap), later, pair(CONNECTED[0], None)], 30.0)
        for found in (notices.after_cancelling(case, names=False), notices.new_owner(case)):
            assert [one.platform for one in found.items] == ["mail"]
            assert not found.others_pending


@pytest.mark.parametrize(
    ("stage", "days", "en", "zh", "back"),
    [
        (Stage.COOLING, 12.5, "in 12 days.", "还有 12 天", True),
        (Stage.SCHEDULED, 0.4, "in 1 day.", "还有 1 天", True),
        (Stage.RELEASED, 3.0, "in 3 days.", "还有 3 天", False),
        (Stage.RELEASED, -3.0, "from now on", "现在起", False),
        (Stage.REASSIGNED, -3.0, "belongs to somebody else now", "已经分配给新机主", False),
        (Stage.COOLING, None, "has been given up", "已经注销", True),
    ],
)
def test_the_old_owner_learns_how_long_is_left(stage: Stage, days: float | None, en: str, zh: str, back: bool) -> None:
    """Days are whole while there are any, and only who can still have the number back is told so."""
    found = notices.after_cancelling(notices.Ended(stage, [], days), names=False)
    assert en in found.text.en
    assert zh in found.text.zh
    assert ("have it back" in found.text.en, "恢复" in found.text.zh) == (back, back)


def test_the_staff_sees_who_is_at_it() -> None:
    """Names of connected platforms that are not done are for the staff, beside those nobody hears from."""
    pairs = [pair(CONNECTED[0], GapClass.FAILED), pair(BLIND, GapClass.NOT_CONNECTED), pair(CONNECTED[2], None)]
    found = notices.after_cancelling(notices.Ended(Stage.RELEASED, pairs, 1.0), names=True)
    assert [one.platform for one in found.items] == ["bank", "gym"]
    assert found.others_pending


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("7-120033", CASE),
        ("0-0", Source(0, 0)),
        ("7", None),
        ("-7-1", None),
        ("7-1-2", None),
        ("07-1", None),
        ("7-01", None),
        ("٧-1", None),
        ("7-" + "1" * 19, None),
        ("", None),
    ],
)
def test_a_cases_id(text: str, position: Source | None) -> None:
    """Only a position names a case, written in one way."""
    assert Source.read(text) == position


DANGEROUS = ["=1+1", "+86", "-2", "@x", "\tx", "\rx"]


@pytest.mark.parametrize("text", [*DANGEROUS, 'a "b", c', "line\nline", "中文，逗号", "plain"])
def test_a_cell_of_csv_is_text_and_no_formula(text: str) -> None:
    """What a stranger wrote does not run in a spreadsheet, and is otherwise read as it was."""
    found = shapes.Name(zh=text, en="x")
    ((zh, en),) = list(csv.reader(io.StringIO(as_csv(shapes.Name, [found]), newline="")))[1:]
    assert zh == ("'" + text if text in DANGEROUS else text)
    assert en == "x"


def test_an_empty_table_has_its_header() -> None:
    """Without rows the columns are still there."""
    assert as_csv(shapes.Name, []) == "zh,en\r\n"


def test_values_in_a_cell_are_json() -> None:
    """Counts by kind stay readable for a program."""
    text = as_csv(shapes.PlatformRow, [row(20, NOT_BOUND=20)])
    (found,) = csv.DictReader(io.StringIO(text))
    assert '"outcomes":{"NOT_BOUND":20}' in found["pairs"]
    assert found["must_connect"] == "false"
    assert found["standing"] == ""


def test_an_operators_case_has_one_word() -> None:
    """Effects, counts and platforms' moments go; the word stays."""
    moments = [
        shapes.Moment(at=1, kind="event", what="COOLING", who="north"),
        shapes.Moment(at=2, kind="effect", what="FROZEN", who="bank"),
        shapes.Moment(at=3, kind="answer", what="UNBOUND", who="bank"),
        shapes.Moment(at=4, kind="lookup", what="CASE", who="ana"),
    ]
    whole = shapes.Case(
        id="7-120033",
        operator="north",
        stage=Stage.RELEASED,
        opened_at=1,
        cooling_until=None,
        reissue_not_before=None,
        bound_before=1,
        days_to_reissue=None,
        cleared=2,
        pending=1,
        refused=0,
        unconnected=["gym"],
        effects=[],
        moments=moments,
        status="pending",
    )
    shown = seen.case(whole, caller(Role.OPERATOR, "north"))
    assert [one.kind for one in shown.moments] == ["event"]
    assert (shown.effects, shown.cleared, shown.pending, shown.refused) == (None, None, None, None)
    assert (shown.status, shown.unconnected) == ("pending", ["gym"])
    assert seen.case(whole, caller(Role.AUDITOR)) == whole


def spot(**figures: Any) -> shapes.BlindSpot:
    given = {"expected": None, "low": 0.0, "high": None, "reported": 0, "would_close": 0, **figures}
    named = shapes.Name(zh="健身", en="Gym")
    return shapes.BlindSpot(
        id="gym", name=named, sector="sport", tier=3, state=BLIND.state, sureness="FAIR", guide=shapes.Guide(), **given
    )


@pytest.mark.parametrize("role", Role)
def test_an_estimate_does_not_move_with_one_binding(role: Role) -> None:
    """Behind a platform nobody hears from, one more binding at a connected one moves no figure that the public sees."""
    before = spot(expected=33.975, low=6.2, high=71.5, reported=25, would_close=104, exposed=31, incident=12)
    after = spot(expected=34.2, low=6.3, high=72.0, reported=26, would_close=105, exposed=32, incident=13)
    one, other = (
        seen.blind_spots(shapes.BlindSpots(as_of=AS_OF, spots=[each]), caller(role)) for each in (before, after)
    )
    (shown,) = one.spots
    if role in STAFF:
        assert (shown, one.in_tens) == (before, False)
        return
    assert one == other
    assert one.in_tens
    assert (shown.expected, shown.low, shown.high) == (30, 0, 80)
    assert (shown.reported, shown.would_close, shown.exposed, shown.incident) == (20, 100, 30, 10)
    (unknown,) = seen.blind_spots(shapes.BlindSpots(as_of=AS_OF, spots=[spot(reported=9)]), caller(role)).spots
    assert (unknown.expected, unknown.high, unknown.reported) == (None, None, 0)


COUNTS = st.integers(0, 10_000)


@given(st.builds(shapes.Pairs, **dict.fromkeys(shapes.Pairs.model_fields.keys() - {"outcomes", "gaps"}, COUNTS)))
def test_every_count_of_what_platforms_said_is_in_tens(pairs: shapes.Pairs) -> None:
    """What the public sees is at least ten, a multiple of ten, and at most nine below the truth."""
    whole = shapes.Overview(
        as_of=AS_OF, pairs=pairs, connected=pairs, unconnected=pairs, platforms={}, degraded=0, cases={}, today=TODAY
    )
    shown = seen.overview(whole, caller(Role.VIEWER)).pairs
    for name in shapes.Pairs.model_fields.keys() - {"in_force", "outcomes", "gaps"}:
        told, truth = getattr(shown, name), getattr(pairs, name)
        assert (told % 10, 0 <= truth - told <= 9) == (0, True)
    assert shown.in_force == pairs.in_force
