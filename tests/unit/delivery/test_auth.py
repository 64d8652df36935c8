"""Who is let in over HTTP: the platform that signed a fresh token for this very request, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest

from hub.core.model import Key, Names, Platform, PlatformState
from hub.core.roster import Roster
from hub.delivery import auth
from hub.delivery.auth import Door
from hub.problems import Problem
from hub.sdk.http_client import token
from hub.wire.signing import Signer

NOW_S = 1_800_000_000
TARGET = "/v1/platforms/hooky/notices?partition=3"
HOOKY = Signer.from_seed("hooky-1", b"h" * 32, "hub")
OTHER = Signer.from_seed("other-1", b"o" * 32, "hub")
DELIVERY = Signer.from_seed("delivery/hooky/1", b"d" * 32, "hub")
OLD = Signer.from_seed("hooky-0", b"0" * 32, "hub")


def roster() -> Roster:
    found = Roster()
    for name, keys in (("hooky", (HOOKY, DELIVERY, OLD)), ("other", (OTHER,))):
        made = [Key(one.key_id, one.public, 0, 1 if one is OLD else None) for one in keys]
        found.put_platform(Platform(name, Names(name, name), "drive", 1, PlatformState.CONNECTED, keys=tuple(made)))
    return found


def made(signer: Signer = HOOKY, **changes: Any) -> str:
    """A good token, but for the changes; a claim that is None is left out, `kid` and `alg` go into the header."""
    claims = {
        "iss": "hooky",
        "aud": "hub",
        "iat": NOW_S,
        "exp": NOW_S + 60,
        "jti": "0123456789abcdef",
        "htm": "GET",
        "htu": TARGET,
    }
    key_id = changes.pop("kid", signer.key_id)
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(claims, signer.private, algorithm="EdDSA", headers={"kid": key_id})


def admit(authorization: str | None, door: Door | None = None) -> Platform:
    return (door or Door("hub")).admit(authorization, "GET", TARGET, "hooky", roster(), NOW_S * 1_000)


def test_the_sdks_token_opens_the_door() -> None:
    """What the client sends is let in; so is the next request with a token of its own."""
    door = Door("hub")
    for _ in range(3):
        assert admit("Bearer " + token(HOOKY, "hooky", "GET", TARGET, NOW_S), door).id == "hooky"


def unsigned() -> str:
    head, body, _ = made().split(".")
    return f"{head}.{body}."


def symmetric() -> str:
    claims = jwt.decode(made(), options={"verify_signature": False})
    return jwt.encode(claims, HOOKY.public, algorithm="HS256", headers={"kid": "hooky-1"})


def none_algorithm() -> str:
    claims = jwt.decode(made(), options={"verify_signature": False})
    return jwt.encode(claims, "", algorithm="none", headers={"kid": "hooky-1"})


def without(claim: str) -> str:
    changes: dict[str, Any] = {claim: None}
    return "Bearer " + made(**changes)


REFUSED: dict[str, Callable[[], str | None]] = {
    "nothing": lambda: None,
    "another scheme": lambda: "Basic aG9va3k6eA==",
    "no token": lambda: "Bearer ",
    "garbage": lambda: "Bearer abc.def.ghi",
    "no signature": lambda: "Bearer " + unsigned(),
    "algorithm none": lambda: "Bearer " + none_algorithm(),
    "the public key as a secret": lambda: "Bearer " + symmetric(),
    "another platform's key": lambda: "Bearer " + made(OTHER),
    "another's key under this one's name": lambda: "Bearer " + made(OTHER, kid="hooky-1"),
    "a key nobody has": lambda: "Bearer " + made(kid="nobody-1"),
    "no key": lambda: "Bearer " + made(kid=""),
    "delivery's own key": lambda: "Bearer " + made(DELIVERY),
    "a key that is over": lambda: "Bearer " + made(OLD),
    "another issuer": lambda: "Bearer " + made(iss="other"),
    "another hub": lambda: "Bearer " + made(aud="another-hub"),
    "several hubs": lambda: "Bearer " + made(aud=["hub", "another-hub"]),
    "another method": lambda: "Bearer " + made(htm="POST"),
    "another path": lambda: "Bearer " + made(htu="/v1/platforms/hooky/notices?partition=4"),
    "expired": lambda: "Bearer " + made(iat=NOW_S - 200, exp=NOW_S - 100),
    "of the future": lambda: "Bearer " + made(iat=NOW_S + 100, exp=NOW_S + 160),
    "a long life": lambda: "Bearer " + made(exp=NOW_S + 301),
    "an end before its beginning": lambda: "Bearer " + made(iat=NOW_S + 20, exp=NOW_S + 10),
    "a time in words": lambda: "Bearer " + made(exp="tomorrow"),
    "a time that is a truth": lambda: "Bearer " + made(iat=True, exp=True),
    "a short nonce": lambda: "Bearer " + made(jti="0123456789abcde"),
    "a long nonce": lambda: "Bearer " + made(jti="0" * 129),
    **{f"no {name}": partial(without, name) for name in ("iss", "aud", "iat", "exp", "jti", "htm", "htu")},
}


@pytest.mark.parametrize("authorization", REFUSED.values(), ids=list(REFUSED))
def test_others_are_not_let_in(authorization: Callable[[], str | None]) -> None:
    """A token forged, borrowed, old, for another request or without an end opens nothing."""
    with pytest.raises(Problem) as refused:
        admit(authorization())
    assert (refused.value.status, refused.value.reason) == (401, "UNAUTHENTICATED")
    assert admit("Bearer " + made()).id == "hooky"


def test_a_token_opens_once() -> None:
    """A token taken on its way opens nothing a second time; another platform's of the same nonce is another."""
    door = Door("hub")
    admit("Bearer " + made(), door)
    with pytest.raises(Problem, match="UNAUTHENTICATED"):
        admit("Bearer " + made(), door)
    with pytest.raises(Problem, match="UNAUTHENTICATED"):
        admit("Bearer " + made(exp=NOW_S + 61), door)


def test_nonces_are_forgotten_when_their_tokens_are_over_and_never_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is bounded: beyond it requests wait, none is let in unremembered."""
    monkeypatch.setattr(auth, "NONCES_EACH_MAX", 3)
    door = Door("hub")
    door._once("other", "0" * 16, float(NOW_S))
    for index in range(3):
        admit("Bearer " + made(jti=f"{index:016}"), door)
    with pytest.raises(Problem, match="BUSY"):
        admit("Bearer " + made(jti="f" * 16), door)
    later = (NOW_S + auth.LIFE_S_MAX + 2 * auth.SKEW_S + 1) * 1_000
    door._once("hooky", "f" * 16, later / 1_000)
    assert {name: len(seen) for name, seen in door._seen.items()} == {"other": 1, "hooky": 1}
    door._once("other", "1" * 16, float(NOW_S))  # which one platform fills, another does not feel
