"""What each role sees of an answer, and tables as CSV: pure parts of the API."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.model import GapClass, Names, Outcome, Platform, PlatformState, Role, Source, Stage
from hub.core.pairs import PairNow
from hub.web import shapes
from hub.web.access import seen
from hub.web.access.auth import Caller
from hub.web.access.who import STAFF, WHO
from hub.web.routes import notices
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


@given(st.lists(st.sampled_from(GAPS), min_size=3, max_size=3), st.lists(st.sampled_from(GAPS), min_size=3, max_size=3))
def test_notices_do_not_tell_where_the_old_owner_was(one: list[GapClass | None], other: list[GapClass | None]) -> None:
    """Two worlds that differ only in what connected platforms said give notices that differ in one word at most."""

    def made(gaps: list[GapClass | None]) -> list[shapes.PersonalNotice]:
        pairs = [pair(platform, gap) for platform, gap in zip(CONNECTED, gaps, strict=True)]
        pairs.append(pair(BLIND, GapClass.NOT_CONNECTED))
        everybody = [*CONNECTED, BLIND]
        return [notices.new_owner(everybody, pairs), notices.after_cancelling(everybody, pairs, 12.5, names=False)]

    for first, second in zip(made(one), made(other), strict=True):
        assert first.items == second.items
        assert [item.platform for item in first.items] == ["gym"]
        if any(one) == any(other):
            assert first == second


def test_the_checklist_has_every_platform_gravest_first_with_its_guide() -> None:
    """Before cancelling a person sees where to go, in both languages, numbered."""
    left = CONNECTED[0]._replace(id="gone", state=PlatformState.LEFT)
    found = notices.before_cancelling([BLIND, *reversed(CONNECTED), left])
    assert [one.platform for one in found.items] == ["bank", "mail", "shop", "gym"]
    assert "4. 健身" in found.text.zh
    assert "4.1  Ask." in found.text.en
    assert "1. bank (will be told)" in found.text.en


def test_a_number_nobody_gave_up_has_a_notice_that_says_so() -> None:
    """For the new owner of a number without a case there is nothing to list."""
    found = notices.new_owner(CONNECTED, [])
    assert found.items == []
    assert not found.others_pending
    assert "no record" in found.text.en


def test_the_old_owner_learns_how_long_is_left_and_staff_who_is_at_it() -> None:
    """Days are whole and never below nought; names of connected platforms are for the staff."""
    pairs = [pair(CONNECTED[0], GapClass.FAILED), pair(BLIND, GapClass.NOT_CONNECTED)]
    found = notices.after_cancelling([*CONNECTED, BLIND], pairs, -3.0, names=True)
    assert [one.platform for one in found.items] == ["bank", "gym"]
    assert "0 days" in found.text.en
    assert "还有 0 天" in found.text.zh
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
