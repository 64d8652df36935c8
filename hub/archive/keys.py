"""The archive's keys: numbers at rest can be looked up and read with them, and with nothing else.

- A **digest** (HMAC-SHA-256, 32 bytes) stands where a number is looked up. A bare hash of a phone number protects
  nothing; this one cannot be tried out without the key.
- A **seal** (AES-256-GCM-SIV, RFC 8452) covers original bytes and numbers. Its nonce comes from the place of what is
  sealed, so the same logs give the same rows; where a nonce should repeat, GCM-SIV shows equality and no more. The
  place is also authenticated: a sealed value moved to another row does not open.
- The file holds any number of keys. The newest writes; every one reads, so rotating needs no rewriting.
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
"""Keys in one file: a lookup asks for the digest under each."""

OWNER_ONLY = 0o600
OTHERS = 0o077


class ArchiveKey(NamedTuple):
    """Two independent random keys under one random id."""

    id: bytes
    lookup: bytes
    seal: bytes


def new_key() -> ArchiveKey:
    """A key from the system's randomness."""
    return ArchiveKey(*(secrets.token_bytes(size) for size in (ID_BYTES, KEY_BYTES, KEY_BYTES)))


class Keyring:
    """Keys, oldest first; the last one writes."""

    def __init__(self, keys: Sequence[ArchiveKey]) -> None:
        if not 0 < len(keys) <= KEYS_MAX or len({one.id for one in keys}) < len(keys):
            raise HubError(f"1 to {KEYS_MAX} keys, all of different ids, are needed", todo="unbind-hub archive key")
        self.keys = tuple(keys)
        self._newest = keys[-1]
        self._ciphers = {one.id: AESGCMSIV(one.seal) for one in keys}
        self._cipher = self._ciphers[self._newest.id]

    def digest(self, number: str) -> bytes:
        """What stands for a number in rows written now."""
        return hmac.digest(self._newest.lookup, number.encode(), "sha256")

    def digests(self, number: str) -> list[bytes]:
        """What stands for a number in any row: one a key."""
        return [hmac.digest(key.lookup, number.encode(), "sha256") for key in self.keys]

    def seal(self, plain: bytes, place: str) -> bytes:
        """Encrypt: key id, then ciphertext and tag. `place`: names the row and column, and is bound to it."""
        bound = place.encode()
        nonce = sha256(bound).digest()[:NONCE_BYTES]
        return self._newest.id + self._cipher.encrypt(nonce, plain, bound)

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """What was sealed at a place.

        Raises:
            HubError: the key is not in the file, or the bytes are not what was sealed there.
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
    """The keys of a file.

    Raises:
        HubError: it is missing, readable by others, or holds no keys.
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
    """Put a new key into a file, made if there is none; from now on it writes, and those before it still read.

    Raises:
        HubError: the file is there and holds no keys, or too many.
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
    """The keys of a file; with a first key in it if there was none."""
    if not path.exists():
        add_key(path)
    return read_keys(path)
