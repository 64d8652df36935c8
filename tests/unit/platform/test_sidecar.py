"""The login check over HTTP: its own face and CAMARA's, what they refuse, and what they keep to themselves."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from hub.clock import system_clock
from hub.core.model import DAY_MS, Stage
from hub.local.machine import free_port
from hub.platform.sidecar import BATCH_MAX, web
from hub.sdk.adapter.heartbeat import beat
from hub.sdk.login.check import EVERYBODY, LoginCheck, LoginCheckSettings
from hub.sdk.stores import MemoryStore
from hub.sdk.times import iso_time
from hub.wire.contracts import partition_of
from tests import plain_http
from tests.stories.app import serving
from tests.unit.adapter_driver import NOW, NUMBER, OLD, OTHER, Log, hear
from tests.unit.store_harnesses import InSql

LOGIN = NOW + 100 * DAY_MS
REISSUED = NOW + 50 * DAY_MS
THIRD = "+8613712345678"
BEGAN = OLD - DAY_MS
PARTITIONS = 12
SETTINGS = LoginCheckSettings(clock=lambda: LOGIN, evidence_kept_s=0, served=EVERYBODY)
STRANGER = {"operation": "log_in", "signals": {"new_device": True, "new_place": True}}
CONFIG = """
platform: shop
key: {{id: shop-1, file: shop.pem}}
hub: {{bootstrap_servers: "127.0.0.1:9092", hub_id: local-hub}}
store:
  sql:
    url: "{url}"
    table: members
    columns: {{account_id: uid, number: phone, bound_at: since, frozen: locked}}
    numbers: {{region: CN}}
"""
CAMARA = "/number-recycling/v0.2/check"


def lived() -> MemoryStore:
    """One number went to a new owner after a pause, another lies in cooling; all was heard since before both."""
    store, log = MemoryStore(), Log()
    beat(store, BEGAN, range(PARTITIONS))
    home, there = (partition_of(one.encode(), PARTITIONS) for one in (NUMBER, OTHER))
    for stage, at in ((Stage.COOLING, NOW), (Stage.RELEASED, NOW), (Stage.REASSIGNED, REISSUED)):
        log.add(stage, None if stage is Stage.COOLING else 0, partition=home, occurred_at=at)
    log.add(Stage.COOLING, number=OTHER, partition=there)
    hear(store, log)
    beat(store, LOGIN, range(PARTITIONS))
    return store


class Side(NamedTuple):
    """A sidecar that serves, and the store behind it."""

    http: httpx.Client
    store: MemoryStore

    def ask(self, number: str, since: int | None, **more: Any) -> httpx.Response:
        words = {"number": number, "bound_since": None if since is None else iso_time(since), **STRANGER, **more}
        return self.http.post("/v1/check", json=words)

    def camara(self, number: str, day_ms: int, **headers: str) -> httpx.Response:
        words = {"phoneNumber": number, "specifiedDate": iso_time(day_ms)[:10]}
        return self.http.post(CAMARA, json=words, headers=headers)


@pytest.fixture(scope="module")
def side() -> Iterator[Side]:
    store = lived()
    with serving(web(LoginCheck(store, SETTINGS))) as url, httpx.Client(verify=plain_http.NO_TLS, base_url=url) as http:
        yield Side(http, store)


def serve_with(settings: LoginCheckSettings, store: MemoryStore | None = None, **more: Any) -> Any:
    return serving(web(LoginCheck(store or lived(), settings), **more))


def test_the_stranger_is_a_new_user(side: Side) -> None:
    """The whole answer: what, why, at which stage, what to do, and what it rests on."""
    answer = side.ask(NUMBER, OLD)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "recycled": "yes",
        "reason": "reissued",
        "words": {
            "en": "The number is back in the pool or with somebody else.",
            "zh": "该号码已回到号码池，或已归他人使用。",
        },
        "stage": "REASSIGNED",
        "advice": "treat_as_new_user",
        "may_begin_anew": True,
        "evidence_from": iso_time(BEGAN),
        "as_of": iso_time(LOGIN),
    }


def test_everybody_else_is_not(side: Side) -> None:
    """The new owner's own account goes on, a number in cooling is asked for a proof, an unknown age is unknown."""
    found = [side.ask(NUMBER, REISSUED), side.ask(OTHER, OLD), side.ask(NUMBER, None), side.ask(THIRD, OLD)]
    assert [(one.json()["recycled"], one.json()["reason"], one.json()["advice"]) for one in found] == [
        ("no", "same_owner", "proceed"),
        ("yes", "given_up", "step_up"),
        ("unknown", "age_unknown", "step_up"),
        ("no", "same_owner", "proceed"),
    ]


def test_a_batch_is_answered_in_order(side: Side) -> None:
    """A thousand questions are answered in their order; one more is refused whole."""
    numbers = [NUMBER, OTHER, THIRD] * BATCH_MAX
    asked = [{"number": one, "bound_since": iso_time(OLD), **STRANGER} for one in numbers[:BATCH_MAX]]
    answers = side.http.post("/v1/checks", json={"checks": asked}).json()["answers"]
    expected = {NUMBER: "yes", OTHER: "yes", THIRD: "no"}
    assert [one["recycled"] for one in answers] == [expected[one] for one in numbers[:BATCH_MAX]]
    refused = side.http.post("/v1/checks", json={"checks": [*asked, asked[0]]})
    assert (refused.status_code, refused.json()["errors"][0]["at"]) == (422, "checks")


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"number": 8613800138000}, "number"),
        ({"number": NUMBER * 10}, "number"),
        ({"bound_since": "2024-01-01"}, "bound_since"),
        ({"bound_since": "2024-01-01T00:00:00"}, "bound_since"),
        ({"bound_since": "0001-01-01T00:00:00+23:59"}, "bound_since"),
        ({"bound_since": "9999-12-31T23:59:59-23:59"}, "bound_since"),
        ({"bound_since": 1700000000}, "bound_since"),
        ({"bound_since": NUMBER}, "bound_since"),
        ({"operation": "login"}, "operation"),
        ({"signals": {"new_device": 1, "new_place": False}}, "signals.new_device"),
        ({"signals": {"new_device": True}}, "signals.new_place"),
        ({NUMBER: "x"}, "(unknown field)"),
        ({"signals": {"new_device": True, "new_place": True, NUMBER: 1}}, "signals.(unknown field)"),
    ],
)
def test_a_question_that_is_none_is_a_problem(side: Side, change: dict[str, Any], at: str) -> None:
    """What is wrong is said by its place and in RFC 9457's form, and nothing that was sent is said back."""
    words = {"number": NUMBER, "bound_since": iso_time(OLD), **STRANGER, **change}
    answer = side.http.post("/v1/check", json=words)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert {"type", "title", "status", "detail", "reason", "todo", "errors"} == set(answer.json())
    assert at in [one["at"] for one in answer.json()["errors"]]
    assert NUMBER[3:] not in answer.text


@pytest.mark.parametrize("left_out", ["number", "bound_since", "operation", "signals"])
def test_nothing_of_a_question_is_guessed(side: Side, left_out: str) -> None:
    """Each part of the question is needed: a binding of unknown age says so, with null."""
    words = {"number": NUMBER, "bound_since": None, **STRANGER}
    del words[left_out]
    answer = side.http.post("/v1/check", json=words)
    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, left_out)


def test_what_is_no_request_is_a_problem_too(side: Side) -> None:
    """Broken JSON, another path or method, and a body without end are refused in the same form."""
    big = (b"x" * 2**16 for _ in range(40))
    found = [
        side.http.post("/v1/check", content=b"{"),
        side.http.get("/v1/check/" + NUMBER),
        side.http.get("/v1/check"),
        side.http.post("/v1/check", content=big),
    ]
    assert [one.status_code for one in found] == [422, 404, 405, 413]
    assert {one.headers["content-type"] for one in found} == {"application/problem+json"}
    assert not any(NUMBER[3:] in one.text for one in found)


def test_health_says_how_far_behind() -> None:
    """In time it is ok, later behind with the seconds, and never where no adapter ran; the last two are 503."""
    store = lived()
    found = []
    for late_s in (10, 61):
        now = LOGIN + late_s * 1_000
        with serve_with(replace(SETTINGS, clock=partial(int, now)), store) as url:
            found.append(plain_http.get(url + "/healthz"))
    with serve_with(SETTINGS, MemoryStore()) as url:
        found.append(plain_http.get(url + "/healthz"))
    assert [(one.status_code, one.json()["status"], one.json()["behind_s"]) for one in found] == [
        (200, "ok", 10.0),
        (503, "behind", 61.0),
        (503, "never", None),
    ]


def test_the_api_describes_itself(side: Side) -> None:
    """OpenAPI is served, with both faces, and no page that fetches scripts from elsewhere."""
    described = side.http.get("/openapi.json").json()
    assert set(described["paths"]) == {"/v1/check", "/v1/checks", "/healthz", CAMARA}
    assert described["paths"][CAMARA]["post"]["operationId"] == "checkNumberRecycling"
    assert side.http.get("/docs").status_code == 404


# ---- CAMARA's face ----


@pytest.mark.parametrize(
    ("number", "day_ms", "recycled"),
    [
        (NUMBER, OLD, True),
        (NUMBER, NOW - DAY_MS, True),
        (NUMBER, NOW + DAY_MS, True),
        (NUMBER, REISSUED - DAY_MS, True),
        (NUMBER, REISSUED, False),
        (NUMBER, LOGIN, False),
        (OTHER, OLD, True),
        (OTHER, LOGIN, True),
        (THIRD, OLD, False),
    ],
)
def test_camara_is_told_of_days(side: Side, number: str, day_ms: int, recycled: bool) -> None:
    """Before the end and while nobody has the number: true; from the day the new contract began on: false."""
    answer = side.camara(number, day_ms)
    assert (answer.status_code, answer.json()) == (200, {"phoneNumberRecycled": recycled})


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ({"specifiedDate": "2024-01-01"}, 422, "MISSING_IDENTIFIER"),
        ({"phoneNumber": NUMBER}, 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": NUMBER[1:], "specifiedDate": "2024-01-01"}, 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": NUMBER, "specifiedDate": "2024-02-30"}, 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": NUMBER, "specifiedDate": "2024-01-01T00:00:00Z"}, 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": NUMBER, "specifiedDate": "9999-12-31"}, 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": NUMBER, "specifiedDate": "2024-01-01", "more": 1}, 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": THIRD, "specifiedDate": iso_time(BEGAN - DAY_MS)[:10]}, 400, "OUT_OF_RANGE"),
        ({"phoneNumber": NUMBER, "specifiedDate": iso_time(LOGIN + DAY_MS)[:10]}, 400, "OUT_OF_RANGE"),
        ({"phoneNumber": "+8612345", "specifiedDate": "2024-10-10"}, 404, "IDENTIFIER_NOT_FOUND"),
    ],
)
def test_camara_refuses_in_its_own_words(side: Side, words: dict[str, Any], status: int, code: str) -> None:
    """Every error has CAMARA's three fields and its code; nothing that was sent is in it."""
    answer = side.http.post(CAMARA, json=words)
    assert (answer.status_code, set(answer.json())) == (status, {"status", "code", "message"})
    assert (answer.json()["status"], answer.json()["code"]) == (status, code)
    assert NUMBER[3:] not in answer.text


def test_camara_cannot_say_no_without_knowing() -> None:
    """Behind the log it is UNAVAILABLE, outside the ranges heard IDENTIFIER_NOT_FOUND; what was heard stays true."""
    with serve_with(replace(SETTINGS, clock=lambda: LOGIN + DAY_MS, served={"+861380": 0})) as url:
        found = [
            plain_http.post(url + CAMARA, json={"phoneNumber": number, "specifiedDate": iso_time(day)[:10]})
            for number, day in ((NUMBER, LOGIN), (THIRD, LOGIN), (NUMBER, OLD))
        ]
    assert [one.status_code for one in found] == [503, 404, 200]
    assert [one.json().get("code") for one in found] == ["UNAVAILABLE", "IDENTIFIER_NOT_FOUND", None]


def test_camara_days_are_of_a_zone() -> None:
    """A day of Shanghai ends eight hours before one of Greenwich."""
    answers = []
    for zone, shift in (("UTC", 0), ("Asia/Shanghai", 8 * 3_600_000)):
        store, log = MemoryStore(), Log()
        beat(store, BEGAN, range(PARTITIONS))
        log.add(Stage.REASSIGNED, partition=partition_of(NUMBER.encode(), PARTITIONS), bound_before=NOW - shift)
        hear(store, log)
        beat(store, LOGIN, range(PARTITIONS))
        with serve_with(SETTINGS, store, zone=zone) as url:
            for day in (NOW - DAY_MS, NOW):
                words = {"phoneNumber": NUMBER, "specifiedDate": iso_time(day)[:10]}
                answers.append(plain_http.post(url + CAMARA, json=words).json()["phoneNumberRecycled"])
    assert answers == [True, False, True, False]


def test_a_correlator_comes_back(side: Side) -> None:
    """The caller's x-correlator is in the answer, of whatever kind; one that is not of its form is refused."""
    assert side.camara(NUMBER, OLD, **{"x-correlator": "a-1_2:3;4"}).headers["x-correlator"] == "a-1_2:3;4"
    assert "x-correlator" not in side.camara(NUMBER, OLD).headers
    wrong = side.camara(NUMBER, OLD, **{"x-correlator": "a b"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "INVALID_ARGUMENT")


# ---- What it keeps to itself ----


def test_nothing_personal_is_logged(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    """Right questions, wrong ones and CAMARA's leave no number in any log, however much is logged."""
    caplog.set_level(logging.DEBUG)
    for number in (NUMBER, NUMBER[1:], NUMBER * 20):
        side.ask(number, OLD)
        side.ask(number, OLD, operation=number)
        side.http.post(CAMARA, json={"phoneNumber": number, "specifiedDate": number})
        side.http.post("/v1/check", content=number.encode())
    logged = [one for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]
    assert not any(NUMBER[3:] in str(one.__dict__) for one in logged)


def test_a_database_that_is_away_is_a_503(tmp_path: Path) -> None:
    """Where the record cannot be read nobody is told no, and the problem names no table and no number."""
    harness = InSql(tmp_path)
    store = harness.open()
    beat(store, LOGIN, range(PARTITIONS))
    check = LoginCheck(harness.engine, SETTINGS)
    check.evidence()
    harness.run("DROP TABLE unbind_hub_last_cases")
    with serving(web(check)) as url:
        words = {"number": NUMBER, "bound_since": iso_time(OLD), **STRANGER}
        answer = plain_http.post(url + "/v1/check", json=words)
        camara = plain_http.post(url + CAMARA, json={"phoneNumber": NUMBER, "specifiedDate": "2024-01-01"})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "unbind_hub" not in answer.text
    assert (camara.status_code, camara.json()["code"]) == (503, "UNAVAILABLE")


@contextmanager
def commanded(*words: str) -> Iterator[tuple[httpx.Client, list[str]]]:
    """`check-server` as a process, asked over HTTP; when it has ended, what it printed."""
    port, said = free_port(), list[str]()
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", "platform", "check-server", *words, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(verify=plain_http.NO_TLS, retries=8), base_url=f"http://127.0.0.1:{port}"
        ) as http:
            yield http, said
    finally:
        process.terminate()
        said.append(process.communicate(timeout=20)[0])


@pytest.mark.long
@pytest.mark.parametrize("by_config", [True, False])
def test_the_command_serves(tmp_path: Path, by_config: bool) -> None:
    """`check-server`, given the platform's file or an address, answers on its port, prints no number, and ends."""
    harness = InSql(tmp_path)
    beat(harness.open(), LOGIN, range(PARTITIONS))
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    if by_config:
        words = ["--config", str(write(tmp_path, CONFIG.format(url=url) + "login_check: {served: all}"))]
    else:
        words = ["--database-url", url, "--region", "CN", "--served", "all"]
    with commanded(*words) as (http, said):
        asked = {"number": "138 0013 8000", "bound_since": iso_time(OLD), **STRANGER}
        answer = http.post("/v1/check", json=asked)
    assert answer.json()["reason"] == "before_evidence"
    assert str(http.base_url.port) in said[0]
    assert "0013" not in said[0]


def write(folder: Path, text: str) -> Path:
    """The platform's file."""
    (folder / "platform.yaml").write_text(text, encoding="utf-8")
    return folder / "platform.yaml"


@pytest.mark.long
@pytest.mark.parametrize(
    ("said", "words", "reasons"),
    [
        ("", (), ["not_served", "not_served"]),
        ('login_check: {served: {"+86138": 2020-01-01T00:00:00Z}}', (), ["same_owner", "not_served"]),
        ("login_check: {served: all}", (), ["same_owner", "same_owner"]),
        ("login_check: {served: all}", ("--served", "+86137=2020-01-01T00:00:00Z"), ["not_served", "same_owner"]),
    ],
)
def test_no_is_said_of_the_numbers_that_are_told_of(
    tmp_path: Path, said: str, words: tuple[str, ...], reasons: list[str]
) -> None:
    """Of a number whose operator the hub never heard of, the command says no only to who said that all tell it."""
    store = InSql(tmp_path).open()
    for at in (LOGIN, system_clock()):
        beat(store, at, range(PARTITIONS))
    file = write(tmp_path, CONFIG.format(url=f"sqlite:///{tmp_path / 'shop.db'}") + said)
    with commanded("--config", str(file), *words) as (http, printed):
        found = [
            http.post("/v1/check", json={"number": one, "bound_since": iso_time(LOGIN), **STRANGER}).json()
            for one in (NUMBER, THIRD)
        ]
    assert [one["reason"] for one in found] == reasons
    assert ("No operator is said to tell the hub" in printed[0]) == (not said)
