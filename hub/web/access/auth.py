"""This module finds out who calls, from a JSON Web Token (RFC 7519, RFC 8725) of an issuer that this hub trusts.

Issuers are the hub's own (`hub.web.access.tokens`), and any OpenID provider by its keys (JWKS, RFC 7517) at an address
or in a file. Rules:
1. Only algorithms with public keys are allowed: EdDSA for the hub's own issuer, RS256, ES256 or EdDSA for others. The
   token itself does not choose the algorithm.
2. `iss`, `aud`, `sub`, `iat` and `exp` must be present. Times may differ by 30 s, and are judged by the time given.
3. The settings name the claim that holds the role, which must be exactly one role, and the claim that holds the
   subject, which is the id of an operator or a platform, or a person.
4. Keys are fetched once, again after an hour, and for a key id that is not known, but at most once a minute. While the
   provider does not answer, the known keys stay valid.

For example, a token with the claims role `operator` and sub `carrier-a` is the caller carrier-a with the role OPERATOR.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import jwt
from pydantic import BaseModel, ConfigDict, Field

from hub.core.model import Role
from hub.problems import Problem
from hub.web.access.tokens import LocalIssuer
from hub.web.settings_files import read_settings

SKEW_S = 30
TOKEN_CHARS_MAX = 8_192
KEYS_MAX = 100
KEYS_BYTES_MAX = 256 * 1024
FETCH_S = 5.0
AGAIN_S = 60.0
FRESH_S = 3_600.0
SUBJECT_CHARS_MAX = 200
ALGORITHMS = ("RS256", "ES256", "EdDSA")
TODO = "Get a fresh token from the issuer this hub names (or `unbind-hub token`), and send it as a bearer token."


class Caller(NamedTuple):
    """Who asks.

    `subject` is the id of an operator or a platform, or a person. `expires_at` is when the token expires, in UTC
    milliseconds.
    """

    subject: str
    role: Role
    expires_at: int

    @property
    def counted_as(self) -> str:
        """Return the name by which requests are counted: it holds the role, as an operator and a platform may have
        the same id."""
        return f"{self.role.lower()} {self.subject}"


class Issuer(BaseModel):
    """An OpenID provider. `jwks` is an https address or the path of a file; a claim may be a path
    (`realm_access.roles`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    audience: str
    jwks: str
    role_claim: str = "role"
    subject_claim: str = "sub"


class AuthSettings(BaseModel):
    """The issuers whose tokens the hub trusts. `local` says whether it also trusts its own issuer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuers: list[Issuer] = Field(default=[], max_length=20)
    local: bool = True


def read_auth(path: Path) -> AuthSettings:
    """Read the settings of a file `auth.yaml`.

    Raises:
        HubError: the file cannot be read, or does not fit the settings; the message names the field.
    """
    return read_settings(path, AuthSettings, "hub/web/access/auth.py")


class Provider:
    """One issuer's keys, fetched when they are needed."""

    def __init__(self, settings: Issuer, client: httpx.AsyncClient) -> None:
        self.settings = settings
        self._client = client
        self._keys: dict[str, Any] = {}
        self._tried_s = -FRESH_S
        self._fetched_s = -FRESH_S
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str) -> Any:
        """Return the key of that id; None if the provider has none."""
        async with self._fetching:
            now_s = time.monotonic()
            stale = now_s - self._fetched_s > FRESH_S
            if (key_id not in self._keys or stale) and now_s - self._tried_s > AGAIN_S:
                self._tried_s = now_s
                found = await self._fetch()
                if found is not None:
                    self._keys, self._fetched_s = found, now_s
        return self._keys.get(key_id)

    async def _fetch(self) -> dict[str, Any] | None:
        """Return the keys that the provider names now; None if it does not answer, or answers without keys."""
        try:
            raw = await self._raw()
            listed = json.loads(raw)["keys"][:KEYS_MAX]
        except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError):
            return None
        found: dict[str, Any] = {}
        for one in listed:
            try:
                key = jwt.PyJWK(one)
            except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
                continue  # the hub does not use keys of this kind
            if key.key_id and key.algorithm_name in ALGORITHMS:
                found[key.key_id] = key
        return found

    async def _raw(self) -> bytes:
        where = self.settings.jwks
        if not where.startswith(("http://", "https://")):
            return await asyncio.to_thread(Path(where).read_bytes)
        found = bytearray()
        async with self._client.stream("GET", where) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                found += chunk
                if len(found) > KEYS_BYTES_MAX:
                    raise ValueError("too much to be keys")
        return bytes(found)


class Doorman:
    """Admits callers by their tokens."""

    def __init__(self, settings: AuthSettings, local: LocalIssuer) -> None:
        self._client = httpx.AsyncClient(timeout=FETCH_S, follow_redirects=False, trust_env=False)
        self._providers = {one.issuer: Provider(one, self._client) for one in settings.issuers}
        self._local = local if settings.local else None

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()

    async def admit(self, authorization: str | None, now_ms: int) -> Caller:
        """Return the caller that a request's `Authorization` header proves.

        Raises:
            Problem: 401, the header proves no caller.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise unproven("no token")
        if len(token) > TOKEN_CHARS_MAX:
            raise unproven("the token is too long")
        header, issuer = _unproven_words(token)
        if header.get("crit") is not None or str(header.get("typ", "JWT")).lower() not in {"jwt", "at+jwt"}:
            raise unproven("the token is of another kind")
        if self._local is not None and issuer == self._local.issuer:
            claims = _claims(token, self._local.public_key, "EdDSA", issuer, self._local.audience)
            return _caller(claims, "role", "sub", now_ms)
        provider = self._providers.get(issuer)
        if provider is None:
            raise unproven("the token's issuer is none this hub believes")
        key = await provider.key(str(header.get("kid", "")))
        if key is None:
            raise unproven("the token's key is none its issuer names")
        settings = provider.settings
        claims = _claims(token, key.key, key.algorithm_name, issuer, settings.audience)
        return _caller(claims, settings.role_claim, settings.subject_claim, now_ms)


def _unproven_words(token: str) -> tuple[Mapping[str, Any], str]:
    """Return the header and the issuer as the token says them, before anything is proven."""
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise unproven("the token cannot be read") from None
    return header, str(claims.get("iss", ""))


def _claims(token: str, key: Any, algorithm: str, issuer: str, audience: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            # The token's times are judged by the time given, not by the library's own clock.
            options={
                "require": ["iss", "aud", "iat", "exp"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError) as wrong:
        raise unproven(f"the token does not hold ({type(wrong).__name__})") from None
    return claims


def _caller(claims: Mapping[str, Any], role_claim: str, subject_claim: str, now_ms: int) -> Caller:
    begins = max(_time(claims, "iat"), _time(claims, "nbf") if "nbf" in claims else 0)
    ends, now_s = _time(claims, "exp"), now_ms / 1_000
    if not begins - SKEW_S <= now_s < ends + SKEW_S:
        raise unproven("the token is not of this time")
    named = _at(claims, role_claim)
    words = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    roles = {Role(one.upper()) for one in words if isinstance(one, str) and one.upper() in Role.__members__}
    if len(roles) != 1:
        raise unproven(f"the claim {role_claim} does not name one role")
    subject = _at(claims, subject_claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARS_MAX or not subject.isprintable():
        raise unproven(f"the claim {subject_claim} does not name who calls")
    return Caller(subject, roles.pop(), int(ends * 1_000))


def _time(claims: Mapping[str, Any], name: str) -> float:
    found = claims[name]
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e11:
        raise unproven(f"the claim {name} is no time")
    return float(found)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def unproven(detail: str) -> Problem:
    """Return the problem for a caller that proved nothing."""
    return Problem(401, "UNAUTHENTICATED", detail, TODO)
