"""Settings: each can be set by whoever runs the program, or says here why not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from hub.archive.settings import ArchiveSettings
from hub.delivery.settings import DeliverySettings, Patience
from hub.sdk.adapter.settings import AdapterSettings
from hub.settings import WorkerSettings
from hub.web.settings import WebSettings
from tests.places import ROOT
from tests.unit.sources import said, short, tree_of

NO_OPTION_YET = "the programs are run beside the brokers; what embeds them gives it"
STEP = "bounds one step of the program's work; another value makes a program nobody has measured"
FILE_DAY = "a file a day is fetched by those who come by themselves: their patience is counted in days"

SET_IN: dict[type[Any], str] = {
    WorkerSettings: "hub/cli/worker.py",
    WebSettings: "hub/cli/web.py",
    ArchiveSettings: "hub/cli/archive.py",
    DeliverySettings: "hub/cli/delivery.py",
    Patience: "hub/cli/delivery.py",
    AdapterSettings: "hub/platform/config_settings.py",
}
"""Where a program's settings are made of what somebody says."""

NOT_SET: dict[type[Any], dict[str, str]] = {
    WorkerSettings: {
        "chunk_records_max": STEP,
        "intake_batch_max": STEP,
        "flush_interval_ms": STEP,
        "publish_interval_ms": "the promise is 200 ms; a hub that publishes less often breaks it",
        "refresh_interval_ms": STEP,
        "signature_threads": "libsodium fills a core with two; more take from the loop",
        "silence_s_max": "a broker that is silent for longer is at fault, wherever it runs",
        "security": NO_OPTION_YET,
    },
    WebSettings: {
        "roster_wait_s": "a request waits as long as its asker's client would",
        "streams_max": "follows from the 200 connections that the server takes",
        "streams_each_max": "a person has a few tabs",
        "security": NO_OPTION_YET,
    },
    ArchiveSettings: {
        "batch_bytes_max": STEP,
        "look_s": STEP,
        "outage_s_max": "a supervisor starts the program again; how long it waited changes nothing",
        "security": NO_OPTION_YET,
    },
    DeliverySettings: {
        "batch_bytes_max": "what receivers' proxies take; said in docs/platform-webhook.md",
        "in_flight_max": STEP,
        "in_flight_per_receiver_max": STEP,
        "slow_after_s": STEP,
        "lookups_max": STEP,
        "connect_timeout_s": "what receivers are told they have",
        "answer_timeout_s": "what receivers are told they have",
        "answer_bytes_max": STEP,
        "inbox_look_s": STEP,
        "reach_s": "a request waits as long as its asker's client would",
        "receipt_linger_ms": STEP,
        "offer_s": FILE_DAY,
        "file_grace_s": FILE_DAY,
        "files_kept_max": "others are made again from the log, byte for byte",
        "file_patience": FILE_DAY,
        "security": NO_OPTION_YET,
    },
    Patience: {
        "degraded_backoff_max_s": "between the two that can be set",
        "retry_after_max_s": "an hour; what asks for longer is looked at again then",
    },
    AdapterSettings: {
        "authority": "a world says it of itself; outside worlds these rules always hold",
        "linger_ms": STEP,
        "clock": "a replayed world's alone; a platform's own time is the system's",
        "retries": "the plan of docs/platform-sql.md; a program that embeds the adapter may give another",
        "retry_batch_max": STEP,
        "retry_poll_ms": STEP,
        "retries_max": STEP,
        "backoff_ms": STEP,
        "backoff_max_ms": STEP,
        "silence_s_max": "`run_until` is called by programs alone",
        "heartbeat_s": "the login check's rules rest on it",
    },
}
"""Settings that nobody who runs the program can set, each with its reason."""


def given(kind: type[Any]) -> Iterator[str]:
    """The fields that are given where a program's settings are made."""
    names = [one.name for one in fields(kind)]
    for node in ast.walk(tree_of(said(ROOT / SET_IN[kind]))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == kind.__name__:
            yield from names[: len(node.args)]
            yield from (one.arg for one in node.keywords if one.arg)


@pytest.mark.parametrize("kind", SET_IN, ids=lambda one: one.__name__)
def test_every_setting_can_be_set_or_says_why_not(kind: type[Any]) -> None:
    """Whoever runs a program can set what it goes by; a setting without an option has a reason that stands here."""
    settable, excused = set(given(kind)), NOT_SET[kind]
    names = {one.name for one in fields(kind)}
    missing = sorted(names - settable - excused.keys())
    todo = (
        f"give it an option in {SET_IN[kind]}, or a reason in NOT_SET of {short(ROOT / 'tests/unit/test_settings.py')}"
    )
    assert not missing, f"{kind.__name__}: nobody can set {', '.join(missing)}: {todo}"
    assert sorted(excused.keys() & settable) == [], "these have an option and a reason why not"
    assert excused.keys() <= names, "reasons of no setting"


@pytest.mark.parametrize("kind", SET_IN, ids=lambda one: one.__name__)
def test_every_setting_says_what_it_is(kind: type[Any]) -> None:
    """Each setting, or the group that it stands in, is followed by a sentence on what it is for."""
    source = next(path for path in ROOT.glob("hub/**/settings.py") if f"class {kind.__name__}:" in said(path))
    body = next(
        node.body
        for node in tree_of(said(source)).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    silent = []
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            rest = iter(body[place + 1 :])
            after = next((one for one in rest if not isinstance(one, ast.AnnAssign)), None)
            if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
                silent.append(node.target.id)
    assert set(silent) <= {"security", "file_patience", "webhook_patience"}, f"{short(source)}: {silent} say nothing"
