"""This module holds the archive's keys: with them, and only with them, numbers at rest can be looked up and read.

- A **digest** (HMAC-SHA-256, 32 bytes) stands in the column by which a number is looked up. A bare hash of a phone
  number protects nothing, because all numbers can be tried; without the key nobody can try them on this one.
- A **seal** (AES-256-GCM-SIV, RFC 8452) encrypts original bytes and numbers. Its nonce comes from the place of the
  value, so the same logs give the same rows; if a nonce repeats, GCM-SIV shows only that two values are equal. The
  place is also authenticated: a sealed value that was moved to another row does not open.
- The file holds up to 64 keys. The newest one writes and every one reads, so a new key needs no rewriting of rows.

For example, the number of case 7-120033 is sealed for the place `cases/7/120033/number` and opens nowhere else.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from hub.errors import HubError

KEY_BYTES = 32
ID_BYTES = 4
NONCE_BYTES = 12
KEYS_MAX = 64
"""The most keys in one file: a lookup asks for the digest under each of them."""

OWNER_ONLY = 0o600
OTHERS = 0o077


class ArchiveKey(NamedTuple):
    """Two independent random keys with one random id."""

    id: bytes
    lookup: bytes
    seal: bytes


def new_key() -> ArchiveKey:
    """Return a new key from the system's random bytes."""
    return ArchiveKey(*(secrets.token_bytes(size) for size in (ID_BYTES, KEY_BYTES, KEY_BYTES)))


class Keyring:
    """Keys, oldest first; the last one writes and all read."""

    def __init__(self, keys: Sequence[ArchiveKey]) -> None:
        if not 0 < len(keys) <= KEYS_MAX or len({one.id for one in keys}) < len(keys):
            raise HubError(f"1 to {KEYS_MAX} keys, all of different ids, are needed", todo="unbind-hub archive key")
        self.keys = tuple(keys)
        self._newest = keys[-1]
        self._ciphers = {one.id: AESGCMSIV(one.seal) for one in keys}
        self._cipher = self._ciphers[self._newest.id]

    def digest(self, number: str) -> bytes:
        """Return what stands for a number in rows that are written now."""
        return hmac.digest(self._newest.lookup, number.encode(), "sha256")

    def digests(self, number: str) -> list[bytes]:
        """Return what may stand for a number in any row: one digest for each key."""
        return [hmac.digest(key.lookup, number.encode(), "sha256") for key in self.keys]

    def seal(self, plain: bytes, place: str) -> bytes:
        """Encrypt: return key id, ciphertext and tag. `place` names the row and column, and the seal is bound to it."""
        bound = place.encode()
        nonce = sha256(bound).digest()[:NONCE_BYTES]
        return self._newest.id + self._cipher.encrypt(nonce, plain, bound)

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Return what was sealed for a place.

        Raises:
            HubError: the key is not in the file, or the bytes are not what was sealed for that place.
        """
        cipher = self._ciphers.get(bytes(sealed[:ID_BYTES]))
        if cipher is None:
            raise HubError(
                f"archive key {bytes(sealed[:ID_BYTES]).hex()} is not in the key file",
                todo="Put the key file back that held it; keys are never taken out while rows need them.",
            )
        bound = place.encode()
        try:
            return cipher.decrypt(sha256(bound).digest()[:NONCE_BYTES], bytes(sealed[ID_BYTES:]), bound)
        except InvalidTag:
            raise HubError(
                f"the row {place} was changed, or moved from elsewhere", todo="unbind-hub archive check; then rebuild."
            ) from None


def read_keys(path: Path) -> Keyring:
    """Read the keys of a file.

    Raises:
        HubError: the file is missing, can be read by others, or holds no keys.
    """
    try:
        if path.stat().st_mode & OTHERS:
            raise HubError(f"{path} can be read by others", todo=f"chmod 600 {path}")
        raw = json.loads(path.read_text(encoding="utf-8"))
        keys = [ArchiveKey(*(bytes.fromhex(one[name]) for name in ArchiveKey._fields)) for one in raw["keys"]]
    except FileNotFoundError:
        raise HubError(f"there is no archive key at {path}", todo=f"unbind-hub archive key --key-file {path}") from None
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise HubError(f"{path} holds no archive keys ({type(wrong).__name__})", todo="Put the file back.") from wrong
    if any(tuple(map(len, one)) != (ID_BYTES, KEY_BYTES, KEY_BYTES) for one in keys):
        raise HubError(f"{path} holds a key of a wrong length", todo="Put the file back.")
    return Keyring(keys)


def add_key(path: Path) -> ArchiveKey:
    """Add a new key to a file, and make the file if there is none. The new key writes from now on; older keys read.

    Raises:
        HubError: the file exists and holds no keys, or too many.
    """
    known = read_keys(path).keys if path.exists() else ()
    ring = Keyring((*known, new_key()))
    raw = {"keys": [{name: value.hex() for name, value in one._asdict().items()} for one in ring.keys]}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)  # never readable by others
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(raw, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    return ring.keys[-1]


def keys_or_new(path: Path) -> Keyring:
    """Read the keys of a file; if there is no file, make one with a first key."""
    if not path.exists():
        add_key(path)
    return read_keys(path)
