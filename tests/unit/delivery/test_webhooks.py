"""Webhooks: their signature, their id, where they may go, and what answers mean."""

from __future__ import annotations

import base64
import json

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.model import ReleaseNotice
from hub.delivery import addresses
from hub.delivery.addresses import BadAddress, is_public, parse, resolve
from hub.delivery.health import Verdict
from hub.delivery.keys import public_form
from hub.delivery.releases import tell
from hub.delivery.webhooks import body_of, fitting, judge, retry_after_s, signed_headers, webhook_id
from hub.errors import HubError, PlatformError
from hub.sdk.webhooks import check_webhook
from hub.wire.contracts import encode
from hub.wire.signing import Signer
from tests.unit.schema_files import examples, value_of

KEY = Signer.from_seed("delivery/hub", b"k" * 32, "h")
NOW_S = 1_790_000_000
BODY = b'{"data":{}}'
GOOD = signed_headers(KEY, "abc_hooky_7_0-9", NOW_S, BODY)
PUBLIC = public_form(KEY.public)


def test_the_signature_is_that_of_the_convention() -> None:
    """`v1a,` and the base64 of Ed25519 over id, timestamp and body with full stops between, checked by a library."""
    version, _, encoded = GOOD["webhook-signature"].partition(",")
    assert version == "v1a"
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC.removeprefix("whpk_")))
    public.verify(base64.b64decode(encoded), b"abc_hooky_7_0-9." + str(NOW_S).encode() + b"." + BODY)
    assert set(GOOD) == {"webhook-id", "webhook-timestamp", "webhook-signature"}


def test_a_receiver_checks_it_in_one_call() -> None:
    """The SDK gives the content of what the hub signed; header names in any case, other signatures beside."""
    headers = {name.title(): value for name, value in GOOD.items()}
    headers["Webhook-Signature"] = "v1,xxxx v1a,!!! " + headers["Webhook-Signature"]
    assert check_webhook(PUBLIC, headers, BODY, now_s=NOW_S + 299) == {"data": {}}


FORGED: dict[str, tuple[dict[str, str], bytes, float]] = {
    "another body": (GOOD, BODY + b" ", NOW_S),
    "another id": (GOOD | {"webhook-id": "abc_hooky_7_0-8"}, BODY, NOW_S),
    "another time": (GOOD | {"webhook-timestamp": str(NOW_S + 1)}, BODY, NOW_S),
    "replayed later": (GOOD, BODY, NOW_S + 301),
    "of the future": (GOOD, BODY, NOW_S - 301),
    "no time": (GOOD | {"webhook-timestamp": ""}, BODY, NOW_S),
    "a time of thousands of digits": (GOOD | {"webhook-timestamp": "1" * 5_000}, BODY, NOW_S),
    "a time that is none": (GOOD | {"webhook-timestamp": "²"}, BODY, NOW_S),
    "no signature": ({name: value for name, value in GOOD.items() if name != "webhook-signature"}, BODY, NOW_S),
    "of another kind": (GOOD | {"webhook-signature": GOOD["webhook-signature"].replace("v1a", "v1")}, BODY, NOW_S),
    "another's key": (signed_headers(Signer.generate("x", "h"), "abc", NOW_S, BODY), BODY, NOW_S),
}


@pytest.mark.parametrize(("headers", "body", "now_s"), FORGED.values(), ids=list(FORGED))
def test_what_the_hub_did_not_sign_now_is_refused(headers: dict[str, str], body: bytes, now_s: float) -> None:
    """A webhook forged, changed or replayed is refused, with what to do."""
    with pytest.raises(HubError, match="What to do"):
        check_webhook(PUBLIC, headers, body, now_s=now_s)


@pytest.mark.parametrize(
    "key", ["", "whpk_", "whpk_!!", "whsec_" + base64.b64encode(b"k" * 32).decode()[:-2], "whpk_AAAA"]
)
def test_a_key_that_is_none_is_the_platforms_mistake(key: str) -> None:
    """Whoever puts in a wrong key learns that it is the key."""
    with pytest.raises(PlatformError, match="no public key"):
        check_webhook(key, GOOD, BODY, now_s=NOW_S)


def test_a_body_holds_notices_as_the_examples_show_them() -> None:
    """A notice in a webhook is the JSON of `schemas/release_notice/examples`; its position, case and digest beside."""
    found = [one.content for one in examples("good") if one.kind == "release_notice"]
    told = [
        tell(7, 120_033 + index, NOW_S * 1_000, encode(value_of(ReleaseNotice, content)))
        for index, content in enumerate(found)
    ]
    content = json.loads(body_of(told))
    assert (content["type"], content["timestamp"]) == ("release.notices", "2026-09-21T14:13:20.000Z")
    data = content["data"]
    assert (data["partition"], data["first"], data["last"]) == (7, 120_033, 120_032 + len(found))
    assert [one["notice"] for one in data["notices"]] == found
    assert [one["position"] for one in data["notices"]] == [f"7-{120_033 + index}" for index in range(len(found))]
    opened = [one.get("opened_at") for one in found]
    assert [one["case"] for one in data["notices"]] == [
        f"7-{120_033 + index if at is None else at}" for index, at in enumerate(opened)
    ]


def test_an_id_names_log_platform_and_positions_and_has_no_full_stop() -> None:
    """No two messages share an id, and what is signed cannot be divided in two ways."""
    names = ["hooky", "hooky.cn", "hooky%2Ecn", "hooky_7", "健此"]
    ids = [webhook_id(log, name, 7, 0, last) for log in (b"a" * 16, b"b" * 16) for name in names for last in (8, 9)]
    assert len(set(ids)) == len(ids)
    assert not any("." in one for one in ids)
    assert all(one.isascii() for one in ids)


def test_a_message_is_bounded_in_bytes_and_holds_one_notice_at_least() -> None:
    """Bodies stay small; a notice that alone is larger goes alone."""
    (content, *_) = [one.content for one in examples("good") if one.kind == "release_notice"]
    told = [tell(0, index, 0, encode(value_of(ReleaseNotice, content))) for index in range(10)]
    size = len(told[0].as_json) + 1
    assert [len(fitting(told, limit)) for limit in (1, size, 3 * size, 100 * size)] == [1, 1, 3, 10]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, Verdict.RECEIVED) for status in (200, 202, 204, 299)),
        *((status, Verdict.FAILED) for status in (301, 302, 307, 308, 400, 401, 404, 408, 429, 500, 503, 199)),
        (410, Verdict.GONE),
    ],
)
def test_a_2xx_is_a_receipt_and_nothing_else_is(status: int, verdict: Verdict) -> None:
    """Only 2xx says received; 410 suspends at once; everything else is tried again."""
    assert judge(status, None).verdict is verdict


@pytest.mark.parametrize(
    ("text", "pause_s"),
    [
        (None, None),
        ("120", 120.0),
        ("Mon, 21 Sep 2026 14:15:20 GMT", 120.0),
        ("Mon, 21 Sep 2020 14:15:20 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("1" * 400, 111_111_111.0),
        ("", None),
    ],
)
def test_a_retry_after_in_either_form(text: str | None, pause_s: float | None) -> None:
    """Seconds or a date (RFC 9110 section 10.2.3); anything else asks for nothing."""
    assert retry_after_s(text, NOW_S) == pause_s


@pytest.mark.parametrize(
    ("text", "private", "why"),
    [
        ("http://hooky.example/", False, "not_https"),
        ("http://hooky.example/", True, "not_https"),
        ("http://127.0.0.1/", False, "not_https"),
        ("ftp://hooky.example/", True, "not_https"),
        ("https://", True, "not_a_plain_url"),
        ("hooky.example/hook", True, "not_a_plain_url"),
        ("", True, "not_a_plain_url"),
        ("https://user:secret@hooky.example/", True, "not_a_plain_url"),
        ("https://hooky.example/#part", True, "not_a_plain_url"),
        ("https://[::1", True, "not_a_url"),
        ("https://hooky.example:99999/", True, "not_a_url"),
    ],
)
def test_an_address_that_no_webhook_goes_to(text: str, private: bool, why: str) -> None:
    """https alone, without user or fragment; http to 127.0.0.1 where that is allowed."""
    with pytest.raises(BadAddress, match=why):
        parse(text, private=private)


PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1"),
    *("::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
    *("255.255.255.255", "198.18.0.1", "192.0.2.1", "2001:db8::1"),
    *("64:ff9b:1::a00:1", "::ffff:0:7f00:1", "::7f00:1", "fec0::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_is_refused(address: str) -> None:
    """No webhook reaches into the hub's own network, a cloud's metadata, or an address hidden in another."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_is_allowed(address: str) -> None:
    """The rest of the world can be reached."""
    assert is_public(address)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]"])
async def test_a_name_that_leads_inside_is_refused_however_it_is_written(name: str) -> None:
    """What a name resolves to counts, not how it looks."""
    with pytest.raises(BadAddress, match=r"private_address|name_not_found"):
        await resolve(httpx.URL(f"https://{name}/hook"), private=False)


def test_a_name_with_one_address_inside_is_refused() -> None:
    """A name that resolves to a public and to a private address is not tried at all."""
    assert addresses.chosen(["8.8.8.8", "1.1.1.1"], private=False) == "8.8.8.8"
    for mixed in (["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], []):
        with pytest.raises(BadAddress):
            addresses.chosen(mixed, private=False)


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The number that was checked is dialled; the name stays for the Host header and for TLS."""
    target = await resolve(httpx.URL("https://localhost:8443/hook?a=b"), private=True)
    assert addresses.LOOPBACK in str(target.url) or "::1" in str(target.url)
    assert (target.host_header, target.name) == ("localhost:8443", "localhost")
    assert target.url.path == "/hook"
