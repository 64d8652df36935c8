"""The store over HTTP: its contract, a service that fails in every way, and what the log may say."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from hub.core.model import Outcome, Source, Stage
from hub.errors import PlatformError, StoreAway
from hub.platform.assembly import store_of
from hub.platform.config import read_config
from hub.platform.login import login_check_of
from hub.sdk.adapter.acting import Rules, handle, wanted
from hub.sdk.adapter.heartbeat import beat
from hub.sdk.adapter.settings import always_done
from hub.sdk.deeds import Deed
from hub.sdk.login.check import LoginCheckSettings, Reason
from hub.sdk.numbering import usual_forms
from hub.sdk.stores.account_service import AccountService, ServiceSettings
from hub.sdk.stores.http import HttpStore
from tests.account_service import TOKEN, ServiceAccount, openapi
from tests.unit.adapter_driver import NUMBER, OLD, OTHER, Log, answers, hear
from tests.unit.store_harnesses import InHttp, Seen

CASE = Source(0, 0)
CONFIG = """
platform: shop
key: {{id: shop-1, file: shop.pem}}
hub: {{bootstrap_servers: "127.0.0.1:9092", hub_id: local-hub}}
store: {{http: {{url: "{url}", token: "{token}", records: records.sqlite{more}}}}}
"""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[InHttp]:
    made = InHttp(tmp_path)
    yield made
    made.close()


def asking(platform: InHttp, **settings: Any) -> HttpStore:
    """The store, with a service asked in another way."""
    store = platform.open()
    given = ServiceSettings(platform.served.url, TOKEN, backoff_ms=1)
    store.service.close()
    store.service = AccountService(replace(given, **settings))
    return store


def cooling(*numbers: str) -> Log:
    log = Log()
    for number in numbers:
        log.add(Stage.COOLING, number=number)
    return log


def test_the_document_is_openapi() -> None:
    """What a platform must serve is a valid OpenAPI 3.1 document; every deed is in it, and every call has an id."""
    document = openapi()
    validate(document)
    assert set(document["components"]["schemas"]["Ask"]["properties"]["deed"]["enum"]) == set(Deed)
    calls = {path.strip("/"): next(iter(item.values()))["operationId"] for path, item in document["paths"].items()}
    assert calls == {name: name for name in ("readability", "match", "act")}


def test_a_service_that_is_away_for_a_moment_is_asked_again(platform: InHttp) -> None:
    """Calls that fail in passing are repeated a bounded number of times; beyond that the batch waits, undone."""
    platform.bind("1", NUMBER, OLD)
    log = cooling(NUMBER)
    platform.served.service.down = 2
    assert hear(asking(platform), log).counts.frozen == 1
    log.add(Stage.SCHEDULED, 0)
    platform.served.service.down = 99
    store = asking(platform, tries_max=3)
    with pytest.raises(StoreAway, match="status 503"):
        hear(store, log)
    assert (platform.served.service.down, store.progress().places[0].next_offset) == (96, 1)


def test_what_the_service_refuses_is_said(platform: InHttp) -> None:
    """An account that the service fails at or declines is that outcome alone; the others of the batch are done."""
    for name, number in (("1", NUMBER), ("2", OTHER), ("3", "+8613712345678")):
        platform.bind(name, number, OLD)
    platform.served.service.refuses = {"1": "FAILED", "3": "DECLINED"}
    store, log = platform.open(), cooling(NUMBER, OTHER, "+8613712345678")
    counts = hear(store, log, always_done).counts
    assert (counts.frozen, counts.failed, counts.declined) == (1, 1, 1)
    said = {0: {Outcome.FAILED}, 1: {Outcome.FROZEN}, 2: {Outcome.DECLINED}}
    assert answers(store, log) == {Source(0, offset): outcomes for offset, outcomes in said.items()}
    assert [name for name, one in platform.see().items() if one.frozen] == ["2"]


def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_is_done_twice(platform: InHttp) -> None:
    """Where the service did its part and the answer was lost, the repeat is answered from its key."""
    platform.bind("1", NUMBER, OLD)
    platform.served.service.dies_after = 0
    log = cooling(NUMBER)
    assert hear(asking(platform), log).counts.frozen == 1
    assert platform.served.service.deeds == [("1", "FREEZE")]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1), (1, 2), (3,)])
def test_a_crash_between_asking_and_writing_forgets_nothing(platform: InHttp, sizes: tuple[int, ...]) -> None:
    """The service unbound, the adapter died, the log comes back in other batches: it ends as if nothing had been."""
    platform.bind("1", NUMBER, OLD)
    before, log = platform.see(), cooling(NUMBER)
    log.add(Stage.SCHEDULED, 0)
    log.add(Stage.RELEASED, 0)
    store = platform.open()
    with pytest.raises(ZeroDivisionError):
        _crash_after_asking(store, log)
    assert platform.see() == {"1": Seen(None, frozen=False)}
    assert platform.open().outbox() == (None, {}, {})
    notices, said = log.notices, dict[Source, set[Outcome]]()
    for size in sizes:
        log.notices, notices = notices[:size], notices[size:]
        store = platform.open()
        hear(store, log)
        for case, outcomes in answers(store, _whole(log)).items():
            said.setdefault(case, set()).update(outcomes)
    assert said == {CASE: {Outcome.FROZEN, Outcome.UNBOUND}}
    assert platform.served.service.deeds == [("1", "FREEZE"), ("1", "UNBIND")]
    log.add(Stage.WITHDRAWN, 0)
    hear(platform.open(), log)
    assert platform.see() == before


def _crash_after_asking(store: HttpStore, log: Log) -> None:
    with store.transaction() as session:
        plan = handle(log.notices, session.load(wanted(log.notices)), Rules(always_done))
        assert session.ask(plan.asks) == {}
        raise ZeroDivisionError


def _whole(log: Log) -> Log:
    """A log whose first case counts as opened, whatever part of it this is."""
    whole = cooling(NUMBER)
    whole.notices += log.notices
    return whole


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"no", "no JSON"),
        (b"[]", "no object"),
        (b'{"accounts": 5}', "no good accounts"),
        (b'{"accounts": [{"account_id": 7, "number": null, "bound_at": null}]}', "no good account_id"),
        (b'{"accounts": [{"account_id": "1", "number": null, "bound_at": "soon"}]}', "no good bound_at"),
        (b" " * (16 * 2**20 + 1), "more than"),
    ],
)
def test_a_service_that_answers_otherwise_stops_the_adapter(platform: InHttp, body: bytes, said: str) -> None:
    """An answer that is not as described ends the batch undone, and says what was wrong with it."""
    store = platform.open()
    store.service._client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    with pytest.raises(PlatformError, match=said):
        hear(store, cooling(NUMBER))
    assert store.progress().places == {}


def test_a_wrong_token_is_the_platforms_to_mend(platform: InHttp) -> None:
    """A service that does not know the token is not asked again and again."""
    with pytest.raises(PlatformError, match="status 401") as wrong:
        hear(asking(platform, token="another"), cooling(NUMBER))
    assert "token" in wrong.value.todo


def test_accounts_nobody_asked_for_are_left_alone(platform: InHttp) -> None:
    """A service that lists accounts of other numbers gets nothing done to them."""
    platform.bind("1", OTHER, OLD)
    answer = {"accounts": [{"account_id": "1", "number": OTHER, "bound_at": OLD, "state": ""}]}
    store = platform.open()
    store.service._client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer)))
    assert hear(store, cooling(NUMBER)).counts.frozen == 0


def test_the_log_says_what_was_asked_and_answered_but_no_number(
    platform: InHttp, caplog: pytest.LogCaptureFixture
) -> None:
    """Deed, account, case and answer are in the log; the number is not, even where it is the account's id."""
    platform.bind("1", NUMBER, OLD)
    platform.served.service.accounts["m" + NUMBER[3:]] = ServiceAccount(NUMBER, OLD)
    caplog.set_level(logging.DEBUG)
    hear(platform.open(), cooling(NUMBER), always_done)
    assert "FREEZE of account 1 for case 0-0: DONE" in caplog.text
    assert "FREEZE of account (named by its number) for case 0-0: DONE" in caplog.text
    assert not re.search(NUMBER[-7:], caplog.text)


def test_the_records_key_may_lie_elsewhere(platform: InHttp, tmp_path: Path) -> None:
    """The file of `store.http.index_key` is the record's key: with it the login check finds, without it it refuses."""
    (tmp_path / "record.key").write_bytes(b"32 bytes that are not in the db.")
    keyed = CONFIG.format(url=platform.served.url, token=TOKEN, more=", index_key: {file: record.key}")
    platform.bind("1", NUMBER, OLD)
    store = store_of(read_config(keyed, folder=tmp_path))
    beat(store, OLD, range(12))
    hear(store, cooling(NUMBER))
    settings = LoginCheckSettings(form=usual_forms("CN"))
    check = login_check_of(read_config(keyed, folder=tmp_path), settings)
    assert check.is_recycled("138 0013 8000", OLD).reason is Reason.GIVEN_UP
    keyless = CONFIG.format(url=platform.served.url, token=TOKEN, more="")
    with pytest.raises(PlatformError, match="another key"):
        login_check_of(read_config(keyless, folder=tmp_path), settings).is_recycled(NUMBER, OLD)


def test_the_records_are_their_owners_alone(platform: InHttp) -> None:
    """The file beside the adapter holds numbers of what was touched: nobody else may read it."""
    platform.records.touch(0o644)  # as by a login check that was asked before the adapter ever ran
    platform.open()
    assert platform.records.stat().st_mode & 0o777 == 0o600
