"""Roster records and keys as they are handed over: read whole, or refused with the field that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.cli.roster import new_key
from hub.core.model import Key, Names, Operator, Platform, PlatformState, StateChange
from hub.errors import HubError
from hub.sdk.roster_records import read_record, record_of, to_json
from hub.wire.signing import Signer

KEY = Key("drive-1", bytes(range(32)), 7)
DRIVE = Platform(
    "drive",
    Names("盘", "Drive"),
    "drive",
    1,
    PlatformState.CONNECTED,
    channel="webhook",
    keys=(KEY,),
    guide_steps=("a", "b"),
    users_estimate=5,
    history=(StateChange(1, PlatformState.CONNECTED, "Li"),),
)
NORTH = Operator("north", Names("北", "North"), ("+86135",), limit_daily=4, since=9, keys=(KEY,))
LEAST: dict[str, Any] = {"id": "drive", "name": {"zh": "盘", "en": "Drive"}, "sector": "drive", "tier": 1}


def test_a_record_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    """What one prints and another reads is the same record."""
    path = tmp_path / "record.json"
    path.write_text(json.dumps(to_json(DRIVE)), encoding="utf-8")
    assert read_record(path, Platform) == DRIVE
    path.write_text(json.dumps(to_json(NORTH)), encoding="utf-8")
    assert read_record(path, Operator) == NORTH


def test_a_platform_without_a_state_is_where_its_keys_say() -> None:
    """With a key it is being connected; without one nobody reaches it yet."""
    assert record_of(LEAST, Platform).state is PlatformState.KNOWN_UNCONNECTED
    keyed = LEAST | {"keys": [{"key_id": "d", "public": "00" * 32, "valid_from": 0}]}
    assert record_of(keyed, Platform).state is PlatformState.ONBOARDING


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"tier": None}, "Platform.tier"),
        ({"tier": "1"}, "Platform.tier"),
        ({"tier": True}, "Platform.tier"),
        ({"tier": 4}, "tier is none"),
        ({"naem": "x"}, "Platform.naem"),
        ({"id": "a/b"}, "an id"),
        ({"id": ""}, "an id"),
        ({"name": "Drive"}, "Platform.name"),
        ({"name": {"zh": "盘"}}, "Platform.name.en"),
        ({"state": "GONE"}, "Platform.state"),
        ({"guide_steps": "a"}, "Platform.guide_steps"),
        ({"keys": [{"key_id": "k", "public": "xy", "valid_from": 0}]}, r"Platform.keys\[0\].public"),
        ({"keys": [{"key_id": "k", "public": "00", "valid_from": 0}]}, "32 bytes"),
        ({"keys": [{"key_id": "", "public": "00" * 32, "valid_from": 0}]}, "32 bytes"),
    ],
)
def test_a_wrong_record_is_refused_with_its_field(changes: dict[str, Any], wrong: str) -> None:
    """A misspelt or mistyped field is named, and nothing is guessed."""
    with pytest.raises(HubError, match=wrong):
        record_of(LEAST | changes, Platform)


def test_a_file_that_is_no_record_is_refused(tmp_path: Path) -> None:
    """Neither a missing file nor one of something else is a traceback."""
    path = tmp_path / "record.json"
    with pytest.raises(HubError, match="cannot be opened"):
        read_record(path, Platform)
    path.write_text("name: Drive", encoding="utf-8")
    with pytest.raises(HubError, match="is not JSON"):
        read_record(path, Platform)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(HubError, match="Platform is missing"):
        read_record(path, Platform)


def test_a_range_is_a_prefix() -> None:
    """What is no prefix would make every number or none the operator's."""
    for ranges in (["86135"], ["+"], ["+861x"], ["+８６"]):
        with pytest.raises(HubError, match="no prefix"):
            record_of({"id": "n", "name": {"zh": "n", "en": "n"}, "ranges": ranges}, Operator)


def test_a_public_key_is_read_as_openssl_writes_it_and_a_private_one_refused(tmp_path: Path) -> None:
    """The registrar takes the public half, in hex, JSON or PEM, and says so if it is sent the other."""
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes_raw()
    pem, secret, plain = tmp_path / "public.pem", tmp_path / "private.pem", tmp_path / "key.json"
    pem.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    Signer("k", private, "hub").save(secret)
    plain.write_text(json.dumps({"key_id": "k", "public": raw.hex()}), encoding="utf-8")
    expected = Key("k", raw, 5)
    assert new_key(raw.hex(), None, "k", 5) == new_key(None, pem, "k", 5) == new_key(None, plain, None, 5) == expected
    with pytest.raises(HubError, match="private key"):
        new_key(None, secret, "k", 5)
    for public, key_id in ((None, "k"), ("zz", "k"), (raw.hex(), None)):
        with pytest.raises(HubError):
            new_key(public, None, key_id, 5)
