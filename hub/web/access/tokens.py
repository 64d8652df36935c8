"""This module is the hub's own issuer of tokens, for a hub without an OpenID provider, for machines and for a trial.

For example, a token that the hub `demo` makes has the issuer `unbind-hub/demo` and the audience `demo`.
"""

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
    """Makes tokens and signs them with a key of its own, with EdDSA (RFC 8037)."""

    def __init__(self, signer: Signer, hub_id: str) -> None:
        self._signer = signer
        self.issuer = f"unbind-hub/{hub_id}"
        self.audience = hub_id
        self.public_key = Ed25519PublicKey.from_public_bytes(signer.public)

    @classmethod
    def open(cls, path: Path, hub_id: str) -> LocalIssuer:
        """Open the issuer of a key file; if there is no file, make one that only its owner can read.

        Raises:
            UnbindError: the file exists and holds no usable key.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Signer.generate(NAME, hub_id).save(path)
        return cls(Signer.load(path, NAME, hub_id), hub_id)

    def token(self, role: Role, subject: str, life_ms: int, now_ms: int) -> str:
        """Return a token.

        Args:
            subject: the id of an operator or a platform, or the name of a person that `lookups` will show.
            life_ms: how long the token is valid, in milliseconds.
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
