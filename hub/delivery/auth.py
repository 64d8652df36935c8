"""This module checks who calls, by a JSON Web Token (RFC 7519, 8725) that the platform signs for each request.

It is in `Authorization: Bearer <token>`, signed with EdDSA (RFC 8037) and the platform's key. Its header has `kid`, the
key id on the roster. Its claims are:
- `iss`, the platform's id, as in the path; `aud`, the hub id;
- `iat` and `exp`, at most 300 s apart; 30 s of clock skew are allowed;
- `jti`, a new random value each time; one that was seen is refused until it has expired;
- `htm` and `htu`, the request's method and its path with the query (as in DPoP, RFC 9449), so that a token taken from
  one request cannot be used for another. For example, `htm` is GET and `htu` is /v1/platforms/bank/files?limit=7.

The body is not covered: what a body says for a platform (an acknowledgement) has that platform's own signature.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.model import RECEIPTS_ONLY, Platform
from hub.core.roster import Roster
from hub.problems import Problem

LIFE_S_MAX = 300
SKEW_S = 30
NONCES_EACH_MAX = 20_000
"""So many are remembered for one platform: sixty requests a second for as long as a token may be valid."""

NONCE_CHARS_MAX = 128
TODO = "Sign a fresh token for this very request with a key on the roster; see hub.sdk.http_client for one that does."


class Door:
    """This lets platforms in."""

    def __init__(self, hub_id: str) -> None:
        self._hub_id = hub_id
        self._seen: dict[str, OrderedDict[str, float]] = {}

    def admit(
        self, authorization: str | None, method: str, target: str, platform_id: str, roster: Roster, now_ms: int
    ) -> Platform:
        """Return the platform that calls.

        Args:
            target: the path and query of the request.

        Raises:
            Problem: 401, the caller did not prove that it is this platform.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unproven("no token")
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
        except jwt.PyJWTError:
            raise _unproven("the token cannot be read") from None
        found = roster.platform_key(key_id)
        if found is None or found[0].id != platform_id or key_id.startswith(RECEIPTS_ONLY):
            raise _unproven("the key is none of this platform's")
        platform, key = found
        if not key.counts_at(now_ms):
            raise _unproven("the key does not count now")
        claims = self._claims(token, key.public, platform_id)
        if claims["htm"] != method or claims["htu"] != target:
            raise _unproven("the token is for another request")
        _check_life(claims, now_ms / 1_000)
        self._once(platform_id, claims["jti"], now_ms / 1_000)
        return platform

    def _claims(self, token: str, public: bytes, platform_id: str) -> dict[str, Any]:
        required = ["iss", "aud", "iat", "exp", "jti", "htm", "htu"]
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                Ed25519PublicKey.from_public_bytes(public),
                algorithms=["EdDSA"],
                audience=self._hub_id,
                issuer=platform_id,
                # The times are judged by the time given here, not by the library's own clock.
                options={
                    "require": required,
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.PyJWTError, ValueError) as wrong:
            raise _unproven(f"the token does not hold ({type(wrong).__name__})") from None
        if not isinstance(claims["jti"], str) or not 16 <= len(claims["jti"]) <= NONCE_CHARS_MAX:
            raise _unproven("`jti` is not 16 to 128 characters")
        return claims

    def _once(self, platform_id: str, nonce: str, now_s: float) -> None:
        seen = self._seen.setdefault(platform_id, OrderedDict())
        while seen and next(iter(seen.values())) < now_s:
            seen.popitem(last=False)
        if nonce in seen:
            raise _unproven("the token was used before")
        if len(seen) >= NONCES_EACH_MAX:
            raise Problem(503, "BUSY", "too many requests at once", "Try again in a minute.", retry_after_s=60)
        # It is kept until no token with this nonce can be valid, whatever its own `exp`, so the oldest are removed
        # first.
        seen[nonce] = now_s + LIFE_S_MAX + 2 * SKEW_S


def _check_life(claims: dict[str, Any], now_s: float) -> None:
    begins, ends = claims["iat"], claims["exp"]
    if type(begins) is not int or type(ends) is not int:
        raise _unproven("`iat` and `exp` are whole seconds since 1970")
    if not 0 < ends - begins <= LIFE_S_MAX:
        raise _unproven(f"the token lives longer than {LIFE_S_MAX} s")
    if not begins - SKEW_S <= now_s < ends + SKEW_S:
        raise _unproven("the token is not of this time")


def _unproven(detail: str) -> Problem:
    return Problem(401, "UNAUTHENTICATED", detail, TODO)
