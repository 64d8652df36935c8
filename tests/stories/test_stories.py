"""What happens to people whose number was recycled, with the hub: real apps, a real broker, real adapters."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.model import Action, Outcome, PlatformState, ReportKind
from tests.stories.town import AppInTown, Town, shortly, years_ago

pytestmark = pytest.mark.broker

IN = 200
ANOTHER_PROOF_WANTED = 403
ALREADY_REGISTERED = 409


@pytest.fixture(scope="module")
def drive(town: Town) -> AppInTown:
    """A cloud drive that joined the hub."""
    return town.app("panbox")


@pytest.fixture(scope="module")
def lender(town: Town) -> AppInTown:
    """A lender that joined the hub, and signs that it dials nobody any more."""
    return town.app(
        "quickloan", actions=dict.fromkeys((Outcome.FROZEN, Outcome.UNBOUND), (Action.COLLECTIONS_STOPPED,))
    )


@pytest.fixture(scope="module")
def alone(town: Town) -> AppInTown:
    """A drive that never heard of the hub."""
    return town.app("alonebox", PlatformState.KNOWN_UNCONNECTED)


def test_the_new_owner_is_a_new_user_and_the_old_owners_files_are_safe(
    town: Town, drive: AppInTown, alone: AppInTown
) -> None:
    """In a drive without the hub the new owner is in the old one's files; in one with it they find it empty.

    The old owner's files are theirs after another proof.
    """
    number = town.number()
    account = drive.drive.add_account("ann", number, years_ago(4), email="ann@mail.example")
    harmed = alone.drive.add_account("ann", number, years_ago(4), email="ann@mail.example")
    ann, bo = drive.person("ann"), drive.person("bo")
    town.post.hand_over(number, "ann")
    assert ann.log_in(number) == IN

    town.operator.cools(number, days_ago=75)
    town.answers(number, panbox="FROZEN")
    town.operator.schedules(number)
    town.answers(number, panbox="UNBOUND")
    town.operator.hands_out(number, "bo")

    stranger = alone.person("bo")
    assert stranger.log_in(number) == IN
    assert (stranger.account, stranger.files()) == (harmed, {"diary": "what ann wrote"})
    assert bo.log_in(number) == IN
    assert bo.account != account
    assert bo.files() == {}
    bo.put_file("mine", "bo's first file")
    assert ann.recover() == IN
    assert (ann.account, ann.files()) == (account, {"diary": "what ann wrote"})
    assert bo.log_in(number) == IN
    assert bo.files() == {"mine": "bo's first file"}


def test_an_account_of_unknown_age_is_frozen_and_opened_to_nobody_by_its_number(town: Town, drive: AppInTown) -> None:
    """It may be either's: another proof is asked for, the old owner has one, and the new one begins anew."""
    number = town.number()
    account = drive.drive.add_account("ada", number, None, email="ada@mail.example")
    town.operator.cools(number, days_ago=75)
    town.operator.schedules(number)
    town.operator.hands_out(number, "bea")
    town.answers(number, panbox="FROZEN")
    ada, bea = drive.person("ada"), drive.person("bea")
    assert bea.log_in(number) == ANOTHER_PROOF_WANTED
    assert bea.begin_anew(number) == IN
    assert bea.account != account
    assert bea.files() == {}
    assert ada.recover() == IN
    assert ada.files() == {"diary": "what ada wrote"}


def test_the_debt_calls_stop(town: Town, lender: AppInTown) -> None:
    """From cooling on nobody is dialled at a number for the debts of who had it; the debt itself stays."""
    number = town.number()
    account = lender.drive.add_account("cal", number, years_ago(2), debt=900)
    assert number in lender.drive.calls()
    town.operator.cools(number, days_ago=75)
    town.answers(number, quickloan="FROZEN")
    assert number not in lender.drive.calls()
    assert town.signed_for("quickloan", Outcome.FROZEN) == {Action.COLLECTIONS_STOPPED}
    town.operator.hands_out(number, "dee")
    town.answers(number, quickloan="UNBOUND")
    assert number not in lender.drive.calls()
    assert town.signed_for("quickloan", Outcome.UNBOUND) == {Action.COLLECTIONS_STOPPED}
    assert lender.account(account)["debt"] == 900


def test_already_registered_no_longer_blocks(town: Town, drive: AppInTown, alone: AppInTown) -> None:
    """Without the hub the number is "already registered" to its new owner; with it they register like anybody."""
    number = town.number()
    for one in (drive, alone):
        one.drive.add_account("eva", number, years_ago(3))
    fay = drive.person("fay")
    town.operator.cools(number, days_ago=75)
    town.operator.hands_out(number, "fay")
    town.answers(number, panbox="UNBOUND")
    assert alone.person("fay").register(number) == ALREADY_REGISTERED
    assert fay.register(number) == IN
    assert fay.register(number) == ALREADY_REGISTERED


def test_who_restores_in_cooling_finds_everything_as_it_was(town: Town, drive: AppInTown, lender: AppInTown) -> None:
    """While the number cools it opens nothing; restored, everything is as it was, to the last column."""
    number = town.number()
    accounts = [(one, one.drive.add_account("gil", number, years_ago(1), debt=5)) for one in (drive, lender)]
    before = [one.account(account) for one, account in accounts]
    town.operator.cools(number)
    town.answers(number, panbox="FROZEN", quickloan="FROZEN")
    assert [one.account(account)["frozen"] for one, account in accounts] == [1, 1]
    town.operator.restores(number, "gil")
    town.answers(number, panbox="REINSTATED", quickloan="REINSTATED")
    assert [one.account(account) for one, account in accounts] == before
    gil = drive.person("gil")
    shortly("gil logs in as ever", lambda: gil.log_in(number) == IN)
    assert gil.files() == {"diary": "what gil wrote"}
    assert number in lender.drive.calls()


def test_a_wrong_cooling_is_withdrawn_and_nobody_lost_anything(town: Town, drive: AppInTown) -> None:
    """The operator named the wrong number; withdrawn, even after the unbinding, its owner has what they had."""
    number = town.number()
    account = drive.drive.add_account("hal", number, years_ago(5))
    before = drive.account(account)
    wrong = town.operator.cools(number, days_ago=75)
    town.operator.schedules(number)
    town.answers(number, panbox="UNBOUND")
    assert drive.account(account)["number"] is None
    town.operator.withdraws(wrong, "hal")
    town.answers(number, panbox="REINSTATED")
    assert drive.account(account) == before
    hal = drive.person("hal")
    shortly("hal logs in as ever", lambda: hal.log_in(number) == IN)
    assert (hal.account, hal.files()) == (account, {"diary": "what hal wrote"})


def test_who_forgot_six_small_platforms_is_shown_what_is_left(town: Town, drive: AppInTown, lender: AppInTown) -> None:
    """Of six forgotten apps the two that joined have dealt with it; the other four are named, each with its guide."""
    number = town.number()
    for one in (drive, lender):
        one.drive.add_account("ivy", number, years_ago(6))
    small = [f"small{place}" for place in range(1, 5)]
    for name in small:
        guide: dict[str, Any] = {
            "guide_url": f"https://{name}.example/unbind",
            "guide_steps": ("Settings", "Unbind the number"),
        }
        town.app(name, PlatformState.KNOWN_UNCONNECTED, tier=3, **guide)
    town.operator.cools(number)
    rows = town.answers(number, panbox="FROZEN", quickloan="FROZEN", **dict.fromkeys(small))
    left = {name: row for name, row in rows.items() if row["gap"] == "not_connected"}
    assert set(left) >= set(small)
    assert [left[name]["guide"] for name in small] == [f"https://{name}.example/unbind" for name in small]


def test_a_number_recycled_years_before_the_hub_is_cleaned_up(town: Town, drive: AppInTown, lender: AppInTown) -> None:
    """On the present holder's request what is older than their contract goes, and their own account stays."""
    number = town.number()
    contract = years_ago(3)
    stale = lender.drive.add_account("jan", number, years_ago(8), debt=77)
    own = drive.drive.add_account("kim", number, years_ago(2))
    town.post.hand_over(number, "kim")
    assert number in lender.drive.calls()
    town.operator.cleans_up(number, contract)
    town.answers(number, quickloan="UNBOUND", panbox="NOT_BOUND")
    assert lender.account(stale)["number"] is None
    assert number not in lender.drive.calls()
    kim = drive.person("kim")
    shortly("kim logs in as ever", lambda: kim.log_in(number) == IN)
    assert kim.account == own


def test_a_platform_that_is_not_connected_stays_a_visible_gap(town: Town) -> None:
    """Nothing the others do closes the gap of a platform nobody reaches: exposed, then an incident, with its guide."""
    number = town.number()
    gym = town.app("gymnow", PlatformState.KNOWN_UNCONNECTED, tier=3, guide_url="https://gym.example/unbind")
    account = gym.drive.add_account("lea", number, years_ago(2))
    max_ = gym.person("max")
    town.operator.cools(number, days_ago=75)
    assert town.case(number)["gymnow"]["gap"] == "not_connected"
    town.operator.schedules(number)
    town.operator.hands_out(number, "max")
    row = town.case(number)["gymnow"]
    assert (row["gap"], row["guide"]) == ("not_connected", "https://gym.example/unbind")
    assert "incident" in row["marks"]
    assert max_.log_in(number) == IN
    assert max_.account == account, "this is the harm that the gap stands for"


def test_who_lands_in_a_strangers_account_is_heard(town: Town, drive: AppInTown) -> None:
    """A drive said not bound, and restored an old account from a backup; a person's word has it look again."""
    number = town.number()
    town.operator.cools(number, days_ago=75)
    town.operator.schedules(number)
    town.operator.hands_out(number, "ned")
    town.answers(number, panbox="NOT_BOUND")
    account = drive.drive.add_account("mia", number, years_ago(4))
    receipt = town.operator.passes_on(number, "PANBOX", ReportKind.STRANGERS_ACCOUNT)
    assert receipt.deadline_at is not None
    row = town.answers(number, panbox="UNBOUND")["panbox"]
    assert row["gap"] is None
    assert drive.account(account)["number"] is None
    shortly("the answer is on record", lambda: town.reports("panbox")[0]["answer"].startswith("UNBOUND"))
    ned = drive.person("ned")
    assert ned.log_in(number) == IN
    assert ned.files() == {}


def test_a_platform_that_does_not_answer_is_known_to_owe_it(town: Town) -> None:
    """A connected platform whose adapter is away owes its answer, by a time that everybody can read."""
    number = town.number()
    town.scene.put_platforms(town.scene.platform("mute", tier=2))
    town.operator.cools(number)
    town.operator.passes_on(number, "mute", ReportKind.RECEIVES_MESSAGES)
    (row,) = town.reports("mute")
    assert (row["answer"], row["kind"]) == ("awaited", "receives_messages")
    assert row["deadline"] is not None
