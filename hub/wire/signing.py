"""This module signs messages and checks signatures: Ed25519 (RFC 8032) over hub, topic and value, in two Kafka headers.

The signed bytes are ``unbind-hub/v1`` NUL hub id NUL topic NUL value. A signature made for one topic or one hub
therefore never counts in another. For example, in topic `acks` of the hub `demo` the signed bytes begin with
``unbind-hub/v1`` NUL ``demo`` NUL ``acks`` NUL. The headers are `signature` (64 raw bytes) and `key-id` (UTF-8),
exactly one of each. Checking needs the `hub` extra (libsodium through PyNaCl); signing needs only the base install.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.errors import UnbindError

DOMAIN = b"unbind-hub/v1"
SIGNATURE_HEADER = "signature"
KEY_ID_HEADER = "key-id"
SIGNATURE_BYTES = 64
KEY_ID_MAX_BYTES = 200
Headers = tuple[tuple[str, bytes], ...]


def signed_bytes(hub_id: str, topic: str, value: bytes) -> bytes:
    """Return the bytes that a signature covers."""
    return b"\x00".join((DOMAIN, hub_id.encode(), topic.encode(), value))


class Signer:
    """A private key and its name on the roster. It signs for one hub."""

    def __init__(self, key_id: str, private: Ed25519PrivateKey, hub_id: str) -> None:
        self.key_id = key_id
        self.hub_id = hub_id
        self._private = private

    @property
    def public(self) -> bytes:
        """Return the 32 bytes of the public key, as the roster keeps them."""
        return self._private.public_key().public_bytes_raw()

    @property
    def private(self) -> Ed25519PrivateKey:
        """Return the private key, for libraries that sign by themselves."""
        return self._private

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature of data as it is. For a message of a topic use `headers`."""
        return self._private.sign(data)

    def named(self, key_id: str) -> Signer:
        """Return the same key under another name on the roster."""
        return Signer(key_id, self._private, self.hub_id)

    def headers(self, topic: str, value: bytes) -> Headers:
        """Return the two headers that sign a value for a topic."""
        signature = self._private.sign(signed_bytes(self.hub_id, topic, value))
        return ((SIGNATURE_HEADER, signature), (KEY_ID_HEADER, self.key_id.encode()))

    @classmethod
    def generate(cls, key_id: str, hub_id: str) -> Signer:
        """Return the signer of a new key."""
        return cls(key_id, Ed25519PrivateKey.generate(), hub_id)

    @classmethod
    def from_seed(cls, key_id: str, seed: bytes, hub_id: str) -> Signer:
        """Return the signer of a 32-byte seed (RFC 8032 section 5.1.5)."""
        return cls(key_id, Ed25519PrivateKey.from_private_bytes(seed), hub_id)

    @classmethod
    def load(cls, path: Path, key_id: str, hub_id: str) -> Signer:
        """Return the signer of a PEM file (PKCS #8, unencrypted).

        Raises:
            UnbindError: the file is missing or holds no Ed25519 private key.
        """
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as wrong:
            raise UnbindError(f"no usable private key in {path}", todo="Give a PKCS #8 PEM file.") from wrong
        if not isinstance(private, Ed25519PrivateKey):
            raise UnbindError(f"{path} holds another kind of key", todo="Make an Ed25519 key.")
        return cls(key_id, private, hub_id)

    def save(self, path: Path) -> None:
        """Write the private key as PEM, readable only by its owner. An existing file is never overwritten."""
        pem = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(pem)


class Seal(NamedTuple):
    """The two headers of a message. They are well formed, but not yet checked."""

    key_id: str
    signature: bytes


def read_seal(headers: Headers) -> Seal | None:
    """Return the seal of a message, or None unless there is exactly one of each header, each well formed."""
    signatures = [value for name, value in headers if name == SIGNATURE_HEADER]
    key_ids = [value for name, value in headers if name == KEY_ID_HEADER]
    if len(signatures) != 1 or len(key_ids) != 1:
        return None
    signature, key_id = signatures[0], key_ids[0]
    if signature is None or key_id is None:
        return None
    if len(signature) != SIGNATURE_BYTES or not 0 < len(key_id) <= KEY_ID_MAX_BYTES:
        return None
    try:
        return Seal(key_id.decode(), signature)
    except UnicodeDecodeError:
        return None


def signature_holds(public: bytes, signature: bytes, hub_id: str, topic: str, value: bytes) -> bool:
    """Return whether a signature is by this key, over this value, in this topic of this hub."""
    from nacl.bindings import crypto_sign_open  # only the hub's side needs libsodium
    from nacl.exceptions import BadSignatureError

    try:
        crypto_sign_open(signature + signed_bytes(hub_id, topic, value), public)
    except (BadSignatureError, ValueError):
        return False
    return True


def signature_is_by(public: bytes, signature: bytes, hub_id: str, topic: str, value: bytes) -> bool:
    """Do the same as `signature_holds` with the SDK's library, for the few messages that go to one platform alone."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed_bytes(hub_id, topic, value))
    except (InvalidSignature, ValueError):
        return False
    return True
