"""The cloud drive of the stories, by itself: what such apps do today, and where the hub has its say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import create_engine, text

from hub.sdk.login.check import Advice, Answer, Operation, Reason, Signals, Verdict
from tests.stories.app import DriveApp, serving
from tests.stories.browser import Browser
from tests.stories.people import Person
from tests.stories.post import Post

NUMBER = "+8613500000001"


class Town(NamedTuple):
    """The app, the network, and two people: the number was Ann's and is Bo's."""

    app: DriveApp
    post: Post
    ann: Person
    bo: Person
    account: int


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    post = Post()
    app = DriveApp(create_engine(f"sqlite:///{tmp_path / 'drive.db'}"), post)
    account = app.add_account("ann", NUMBER, 1, email="ann@mail.example", debt=7)
    with serving(app.web) as url, Browser(url) as http:
        yield Town(app, post, Person("ann", http, post), Person("bo", http, post), account)


def advise(
    town: Town, advice: Advice, *, may_begin_anew: bool = True
) -> list[tuple[str, int | None, Operation, Signals]]:
    """Give the app a login check that always says this; what it is asked."""
    asked = []

    def check(*question: object) -> Verdict:
        asked.append(question)
        return Verdict(Answer(Reason.SAME_OWNER), advice, may_begin_anew)

    town.app.check = check
    return asked  # type: ignore[return-value]


def test_without_the_hub_a_stranger_lands_in_an_account(town: Town) -> None:
    """Whoever holds the number has the code, and whoever has the code has the files: the harm itself."""
    town.post.hand_over(NUMBER, "bo")
    assert town.bo.log_in(NUMBER) == 200
    assert town.bo.files() == {"diary": "what ann wrote"}
    assert town.bo.register(NUMBER) == 409
    assert town.app.calls() == [NUMBER]


def test_nobody_gets_in_without_the_code(town: Town) -> None:
    """A number that one does not hold opens nothing."""
    town.post.hand_over(NUMBER, "ann")
    assert town.bo.log_in(NUMBER) == 401
    assert town.ann.log_in(NUMBER) == 200


def test_a_new_user_begins_a_new_account(town: Town) -> None:
    """Told that the number is recycled, the app begins anew; the files are kept for their owner's other proof."""
    town.post.hand_over(NUMBER, "bo")
    asked = advise(town, Advice.TREAT_AS_NEW_USER)
    assert town.bo.log_in(NUMBER) == 200
    assert town.bo.files() == {}
    assert asked == [(NUMBER, 1, Operation.LOG_IN, Signals(new_device=True, new_place=True))]
    assert town.ann.recover() == 200
    assert (town.ann.account, town.ann.files()) == (town.account, {"diary": "what ann wrote"})
    town.post.hand_over("+8613500000002", "ann")
    assert town.ann.change_number("+8613500000002") == 200
    assert town.app.account(town.account)["number"] == "+8613500000002"


def test_a_step_up_lets_nobody_in_by_the_number(town: Town) -> None:
    """Asked for another proof, the owner gives it; whoever has none begins anew and sees nobody's files."""
    town.post.hand_over(NUMBER, "bo")
    advise(town, Advice.STEP_UP, may_begin_anew=False)
    assert (town.bo.log_in(NUMBER), town.bo.register(NUMBER), town.bo.begin_anew(NUMBER)) == (403, 409, 409)
    advise(town, Advice.STEP_UP)
    assert (town.bo.log_in(NUMBER), town.bo.register(NUMBER)) == (403, 403)
    assert town.ann.recover() == 200
    assert town.bo.begin_anew(NUMBER) == 200
    assert town.bo.files() == {}


@pytest.mark.parametrize("with_check", [True, False])
def test_a_frozen_account_is_not_opened_by_its_number(town: Town, with_check: bool) -> None:
    """Whatever the check says, a frozen account wants another proof, and nobody is dialled for it."""
    if with_check:
        advise(town, Advice.PROCEED)
    with town.app.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET frozen = 1"))
    town.post.hand_over(NUMBER, "bo")
    assert town.bo.log_in(NUMBER) == 403
    assert town.app.calls() == []


def test_a_device_is_known_once_used(town: Town) -> None:
    """The owner's own phone at home raises no signal; another one does, once."""
    town.post.hand_over(NUMBER, "ann")
    asked = advise(town, Advice.PROCEED)
    for device in ("ann's phone", "a tablet", "a tablet"):
        assert town.ann.log_in(NUMBER, device=device) == 200
    assert [signals for *_, signals in asked] == [Signals(), Signals(new_device=True), Signals()]


def test_begin_anew_is_not_for_those_who_may_log_in(town: Town) -> None:
    """Nobody loses their own account by asking for a new one."""
    town.post.hand_over(NUMBER, "ann")
    advise(town, Advice.PROCEED)
    assert town.ann.begin_anew(NUMBER) == 409
    assert town.app.account(town.account)["number"] == NUMBER


@pytest.mark.parametrize(("advice", "status"), [(Advice.PROCEED, 200), (Advice.STEP_UP, 403)])
def test_a_key_fact_is_changed_as_advised(town: Town, advice: Advice, status: int) -> None:
    """The e-mail address that is to be the other proof is not changed by the number where that is in doubt."""
    town.post.hand_over(NUMBER, "ann")
    town.ann.recover()
    asked = advise(town, advice)
    assert town.ann.change_email(NUMBER, "else@mail.example") == status
    assert asked[0][2] is Operation.CHANGE_KEY_FACT
    assert town.app.account(town.account)["email"] == ("else@mail.example" if status == 200 else "ann@mail.example")
