"""This module signs and reads a `clearance_id`: what the hub answered, to whom, about which case and until when.

It is a compact JWS (RFC 7515) signed with EdDSA (RFC 8037). Its typ is `clearance+jwt`, and its kid names a key of
topic `hub`. The claims are: iss, the hub id; aud, the operator it was given to; sub, the case (such as `7-120033`, or
null); ans, which is clear, blocked or unknown; iat and exp, in seconds with milliseconds as decimals (RFC 7519
NumericDate); jti, a random id. There is no number in it: the case identifies the number.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.types import Options

from hub.core.breaches import Clearance
from hub.core.model import ClearanceAnswer, Key, Role
from hub.wire.signing import Signer

TYPE = "clearance+jwt"
ALGORITHM = "EdDSA"
CHARS_MAX = 2_000
"""A clearance id has about 400 characters. One that is longer than this is not read."""

ANSWERS: dict[ClearanceAnswer, str] = {
    ClearanceAnswer.CLEAR: "clear",
    ClearanceAnswer.BLOCKED: "blocked",
    ClearanceAnswer.UNKNOWN: "unknown",
}

UNJUDGED: Options = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_sub": False,
    "require": ["iss", "aud", "ans", "iat", "exp"],
}
"""Times are judged by the event's times and not by a clock, the audience by the event's signer. `sub` may be null."""

__all__ = ["Clearance", "audience", "read_clearance", "sign_clearance"]


def audience(asked_by: str, role: Role) -> str:
    """Return whom a clearance is for: the operator's id, which no other asker can have."""
    return asked_by if role is Role.OPERATOR else f"{role.lower()}:{asked_by}"


def sign_clearance(signer: Signer, clearance: Clearance) -> str:
    """Return a new clearance id."""
    claims = {
        "iss": signer.hub_id,
        "aud": clearance.operator,
        "sub": clearance.case,
        "ans": ANSWERS[clearance.answer],
        "iat": clearance.from_ms / 1000,
        "exp": clearance.until_ms / 1000,
        "jti": secrets.token_hex(16),
    }
    return jwt.encode(claims, signer.private, ALGORITHM, headers={"typ": TYPE, "kid": signer.key_id})


def read_clearance(token: str | None, hub_id: str, keys: Mapping[str, Key]) -> Clearance | None:
    """Return what a clearance id says, without judging its times; None if it is not one of this hub.

    Args:
        keys: the hub's public keys by key id; one must count at the time the id was made.
    """
    if token is None or len(token) > CHARS_MAX:
        return None
    try:
        header = jwt.get_unverified_header(token)
        key = keys.get(str(header.get("kid")))
        if key is None or header.get("typ") != TYPE:
            return None
        public = Ed25519PublicKey.from_public_bytes(key.public)
        claims = jwt.decode(token, public, algorithms=[ALGORITHM], issuer=hub_id, options=UNJUDGED)
        answer = next(one for one, word in ANSWERS.items() if word == claims["ans"])
        from_ms, until_ms = round(claims["iat"] * 1000), round(claims["exp"] * 1000)
    except (jwt.PyJWTError, ValueError, TypeError, StopIteration, OverflowError):
        return None
    operator, case = claims["aud"], claims.get("sub")
    if not isinstance(operator, str) or not (case is None or isinstance(case, str)) or not key.counts_at(from_ms):
        return None
    return Clearance(operator, case, answer, from_ms, until_ms)
