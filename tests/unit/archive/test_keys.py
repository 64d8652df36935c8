"""Numbers at rest: digests, seals, the key file and its rotation."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from hub.archive.keys import KEYS_MAX, Keyring, add_key, keys_or_new, new_key, read_keys
from hub.errors import HubError

NUMBER = "+8613512345678"


def test_a_digest_is_an_hmac_of_the_newest_key_and_old_ones_are_still_asked_for() -> None:
    """A number written under any key of the file is found, and without a key nobody can try numbers out."""
    old, new = new_key(), new_key()
    ring = Keyring([old, new])
    assert ring.digest(NUMBER) == hmac.new(new.lookup, NUMBER.encode(), hashlib.sha256).digest()
    assert ring.digests(NUMBER) == [Keyring([old]).digest(NUMBER), ring.digest(NUMBER)]
    assert ring.digest(NUMBER) != hashlib.sha256(NUMBER.encode()).digest()


def test_a_seal_opens_at_its_place_alone() -> None:
    """What is sealed opens with its key at its own place; moved, changed or under another key it does not."""
    ring = Keyring([new_key()])
    sealed = ring.seal(NUMBER.encode(), "cases/1/2/number")
    assert ring.unseal(sealed, "cases/1/2/number") == NUMBER.encode()
    assert ring.seal(NUMBER.encode(), "cases/1/2/number") == sealed, "the same logs give the same rows"
    assert ring.seal(NUMBER.encode(), "cases/1/3/number")[4:] != sealed[4:]
    with pytest.raises(HubError, match="was changed, or moved"):
        ring.unseal(sealed, "cases/1/3/number")
    with pytest.raises(HubError, match="was changed, or moved"):
        ring.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), "cases/1/2/number")
    with pytest.raises(HubError, match="is not in the key file"):
        Keyring([new_key()]).unseal(sealed, "cases/1/2/number")


def test_the_key_file_is_its_owners_and_rotation_keeps_what_was(tmp_path: Path) -> None:
    """A first key is made readable by its owner alone; a second one writes, and what the first sealed still opens."""
    path = tmp_path / "keys" / "archive.keys"
    first = keys_or_new(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys_or_new(path).keys == first.keys
    sealed = first.seal(b"words", "place")
    made = add_key(path)
    both = read_keys(path)
    assert both.keys == (*first.keys, made)
    assert path.stat().st_mode & 0o777 == 0o600
    assert both.unseal(sealed, "place") == b"words"
    assert both.seal(b"words", "place")[:4] == made.id


@pytest.mark.parametrize(
    "content", ["", "{}", '{"keys": []}', '{"keys": [{"id": "00", "lookup": "00", "seal": "00"}]}']
)
def test_a_spoilt_key_file_is_said_to_be_one(tmp_path: Path, content: str) -> None:
    """A file without usable keys stops the archive with what to do, and is not written over."""
    path = tmp_path / "archive.keys"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(HubError):
        read_keys(path)
    with pytest.raises(HubError):
        add_key(path)
    assert path.read_text(encoding="utf-8") == content


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Keys that were readable by others are not silently used."""
    path = tmp_path / "archive.keys"
    add_key(path)
    path.chmod(0o640)
    with pytest.raises(HubError, match="can be read by others"):
        read_keys(path)
    with pytest.raises(HubError, match="there is no archive key"):
        read_keys(tmp_path / "none")


def test_keys_are_bounded_and_of_different_ids() -> None:
    """A file holds at most 64 keys, no two under one id."""
    one = new_key()
    with pytest.raises(HubError):
        Keyring([one, one])
    with pytest.raises(HubError):
        Keyring([new_key() for _ in range(KEYS_MAX + 1)])
