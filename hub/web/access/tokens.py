"""The hub's own issuer of tokens: for a hub without an OpenID provider, for machines, and for a first look."""

from __future__ import annotations

import uuid
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.model import Role
from hub.wire.signing import Signer

KEY_FILE = "issuer.pem"
NAME = "issuer"


class LocalIssuer:
    """Makes tokens with a key of its own, signed with EdDSA (RFC 8037)."""

    def __init__(self, signer: Signer, hub_id: str) -> None:
        self._signer = signer
        self.issuer = f"unbind-hub/{hub_id}"
        self.audience = hub_id
        self.public_key = Ed25519PublicKey.from_public_bytes(signer.public)

    @classmethod
    def open(cls, path: Path, hub_id: str) -> LocalIssuer:
        """The issuer of a key file, made if it is not there, readable by its owner alone.

        Raises:
            UnbindError: the file is there and holds no usable key.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Signer.generate(NAME, hub_id).save(path)
        return cls(Signer.load(path, NAME, hub_id), hub_id)

    def token(self, role: Role, subject: str, life_ms: int, now_ms: int) -> str:
        """A token for somebody, for a time.

        Args:
            subject: an operator's or a platform's id, or whose name is to stand in `lookups`.
        """
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "role": str(role).lower(),
            "iat": now_ms // 1_000,
            "exp": (now_ms + life_ms) // 1_000,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode(claims, self._signer.private, algorithm="EdDSA", headers={"kid": NAME})
