"""Who is let in at the API: tokens of the hub's own issuer and of a provider; and what only looks like one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from hub.core.model import HOUR_MS, Role
from hub.errors import HubError
from hub.problems import Problem
from hub.web.access import auth
from hub.web.access.auth import AuthSettings, Caller, Doorman, Issuer, read_auth
from hub.web.access.tokens import LocalIssuer

NOW_MS = 1_790_000_000_000
NOW_S = NOW_MS // 1_000
PROVIDER = "https://login.example"
AUDIENCE = "unbind"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {"RS256": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}
JWKS = {
    "RS256": RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True),
    "ES256": ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True),
    "EdDSA": OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True),
}


class Login:
    """A provider's keys, served. `named`: the algorithms whose keys it names now; `asked`: how often it was asked."""

    def __init__(self) -> None:
        self.named = ["RS256", "ES256", "EdDSA"]
        self.asked = 0
        login = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                login.asked += 1
                keys = [{**JWKS[one], "kid": one, "alg": one, "use": "sig"} for one in login.named]
                body = json.dumps({"keys": [{"kty": "odd"}, *keys]}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        """Be away."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/keys"


@pytest.fixture
def login() -> Iterator[Login]:
    one = Login()
    yield one
    if one.thread.is_alive():
        one.close()


@pytest.fixture
def local(tmp_path: Path) -> LocalIssuer:
    return LocalIssuer.open(tmp_path / "issuer.pem", "hub-1")


@pytest.fixture
async def door(login: Login, local: LocalIssuer) -> AsyncIterator[Doorman]:
    provider = Issuer(issuer=PROVIDER, audience=AUDIENCE, jwks=login.url, role_claim="realm_access.roles")
    one = Doorman(AuthSettings(issuers=[provider]), local)
    yield one
    await one.close()


def theirs(algorithm: str = "RS256", key: Any = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """A provider's token, with some claims changed; None takes one away."""
    whole = {
        "iss": PROVIDER,
        "aud": AUDIENCE,
        "sub": "north",
        "iat": NOW_S,
        "exp": NOW_S + 300,
        "realm_access": {"roles": ["offline_access", "operator"]},
        **claims,
    }
    kept = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(kept, key or KEYS[algorithm], algorithm, headers={"kid": algorithm, **(headers or {})})


async def admitted(door: Doorman, token: str, now_ms: int = NOW_MS) -> Caller:
    return await door.admit(f"Bearer {token}", now_ms)


async def refused(door: Doorman, authorization: str | None, now_ms: int = NOW_MS) -> str:
    """The detail of a refusal, which has what to do and nothing of the token."""
    with pytest.raises(Problem) as raised:
        await door.admit(authorization, now_ms)
    problem = raised.value
    assert (problem.status, problem.reason) == (401, "UNAUTHENTICATED")
    assert problem.todo
    if authorization and len(authorization) > 20:
        assert authorization[7:] not in problem.detail
    return problem.detail


async def test_the_hubs_own_token(door: Doorman, local: LocalIssuer) -> None:
    """A token of `unbind-hub token` counts until it expires, for that role and subject."""
    token = local.token(Role.AUDITOR, "ana", HOUR_MS, NOW_MS)
    assert await admitted(door, token) == Caller("ana", Role.AUDITOR, NOW_MS + HOUR_MS)
    assert "not of this time" in await refused(door, f"Bearer {token}", NOW_MS + HOUR_MS + 31_000)
    assert "not of this time" in await refused(door, f"Bearer {token}", NOW_MS - 31_000)
    await admitted(door, token, NOW_MS + HOUR_MS + 29_000)


async def test_a_key_file_is_made_once_and_is_its_owners_alone(
    tmp_path: Path, local: LocalIssuer, login: Login
) -> None:
    """A restart believes the tokens of before; another hub's do not count."""
    del login
    path = tmp_path / "issuer.pem"
    assert path.stat().st_mode & 0o077 == 0
    again = Doorman(AuthSettings(), LocalIssuer.open(path, "hub-1"))
    await admitted(again, local.token(Role.VIEWER, "v", HOUR_MS, NOW_MS))
    elsewhere = Doorman(AuthSettings(), LocalIssuer.open(tmp_path / "other.pem", "hub-1"))
    assert "does not hold" in await refused(elsewhere, f"Bearer {local.token(Role.VIEWER, 'v', HOUR_MS, NOW_MS)}")
    for one in (again, elsewhere):
        await one.close()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_providers_token(door: Doorman, algorithm: str) -> None:
    """A provider's keys of each kind count, with a list of roles among which one is the hub's."""
    assert await admitted(door, theirs(algorithm)) == Caller("north", Role.OPERATOR, (NOW_S + 300) * 1_000)


PUBLIC_PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def with_public_key_as_secret() -> str:
    """HS256 with the public key as the secret: the library refuses to make it, so it is put together by hand."""

    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    claims = {"iss": PROVIDER, "aud": AUDIENCE, "sub": "north", "iat": NOW_S, "exp": NOW_S + 300}
    signed = part({"alg": "HS256", "typ": "JWT", "kid": "RS256"}) + b"." + part(claims)
    mac = base64.urlsafe_b64encode(hmac.new(PUBLIC_PEM, signed, hashlib.sha256).digest()).rstrip(b"=")
    return (signed + b"." + mac).decode()


UNSIGNED = jwt.encode({"iss": PROVIDER, "aud": AUDIENCE, "iat": NOW_S, "exp": NOW_S + 9}, "", "none")


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        (theirs(aud="another"), "does not hold"),
        (theirs(iss="https://elsewhere.example"), "issuer is none"),
        (theirs(iss="unbind-hub/hub-1"), "does not hold"),
        (theirs(exp=NOW_S - 40), "not of this time"),
        (theirs(nbf=NOW_S + 40), "not of this time"),
        (theirs(exp=None), "does not hold"),
        (theirs(exp=True), "no time"),
        (theirs(realm_access=None), "does not name one role"),
        (theirs(realm_access={"roles": ["operator", "auditor"]}), "does not name one role"),
        (theirs(realm_access={"roles": ["emperor"]}), "does not name one role"),
        (theirs(sub=None), "does not name who"),
        (theirs(sub="x" * 201), "does not name who"),
        (theirs(sub="a\nb"), "does not name who"),
        (theirs(key=rsa.generate_private_key(public_exponent=65_537, key_size=2_048)), "does not hold"),
        (theirs(headers={"kid": "nobody"}), "key is none"),
        (theirs("ES256", headers={"kid": "RS256"}), "does not hold"),
        (theirs(headers={"crit": ["exp"]}), "cannot be read"),
        (theirs(headers={"typ": "clearance+jwt"}), "another kind"),
        (with_public_key_as_secret(), "does not hold"),
        (UNSIGNED, "key is none"),
        ("x" * 9_000, "too long"),
        ("a.b.c", "cannot be read"),
    ],
    ids=[
        *("audience", "issuer", "as-ours", "expired", "early", "endless", "no-time", "no-role", "two-roles"),
        *("odd-role", "no-subject", "long-subject", "odd-subject", "other-key", "kid", "algorithm", "crit", "typ"),
        *("public-as-secret", "none", "long", "garbage"),
    ],
)
async def test_what_only_looks_like_a_token_is_refused(door: Doorman, token: str, detail: str) -> None:
    """Each flaw alone is enough for 401, with what to do and nothing of the token said back."""
    assert detail in await refused(door, f"Bearer {token}")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic bm8=", "bearer\t"])
async def test_no_token_is_refused(door: Doorman, authorization: str | None) -> None:
    """Without a bearer token nobody is let in."""
    assert await refused(door, authorization) == "no token"


async def test_unknown_key_ids_do_not_make_the_hub_ask_again_and_again(door: Doorman, login: Login) -> None:
    """A flood of made-up key ids asks the provider once; keys it names later are found a minute after."""
    login.named = ["RS256"]
    await admitted(door, theirs())
    for place in range(20):
        await refused(door, f"Bearer {theirs(headers={'kid': f'made-up-{place}'})}")
    assert login.asked == 1
    login.named = ["RS256", "ES256"]
    await refused(door, f"Bearer {theirs('ES256')}")


async def test_a_rotated_key_is_found(door: Doorman, login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a minute has passed a new key of the provider counts, and one it names no longer does not."""
    monkeypatch.setattr(auth, "AGAIN_S", 0.0)
    login.named = ["RS256"]
    await admitted(door, theirs())
    login.named = ["ES256"]
    await admitted(door, theirs("ES256"))
    assert "key is none" in await refused(door, f"Bearer {theirs()}")


async def test_a_provider_that_is_away(door: Doorman, login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the provider does not answer the keys known go on counting."""
    monkeypatch.setattr(auth, "AGAIN_S", 0.0)
    await admitted(door, theirs())
    login.close()
    await refused(door, f"Bearer {theirs(headers={'kid': 'new'})}")
    await admitted(door, theirs())


def test_the_settings_name_what_is_wrong_in_them(tmp_path: Path) -> None:
    """A file that says something else is refused with the field's name."""
    path = tmp_path / "auth.yaml"
    path.write_text("issuers: [{issuer: x, audience: y, jwks: z, rolle: a}]", encoding="utf-8")
    with pytest.raises(HubError, match="rolle"):
        read_auth(path)
    path.write_text("local: false", encoding="utf-8")
    assert read_auth(path) == AuthSettings(local=False)
    with pytest.raises(HubError, match="cannot be opened"):
        read_auth(tmp_path / "none.yaml")
