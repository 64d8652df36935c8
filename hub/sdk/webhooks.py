"""This module checks the hub's webhooks (Standard Webhooks, asymmetric form), for platforms that use Python.

For example, `check_webhook("whpk_…", request.headers, body)` returns the content if the hub signed it just now.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.errors import HubError, PlatformError

PUBLIC_PREFIX = "whpk_"
TOLERANCE_S = 300
"""A message may be at most so old or so far ahead; one that is replayed later is refused."""

DIGITS_MAX = 15
"""A time in seconds may have at most so many digits; Python refuses to read a number with thousands of digits."""


def check_webhook(
    public_key: str, headers: Mapping[str, str], body: bytes, *, now_s: float | None = None
) -> dict[str, Any]:
    """Return the content of a webhook that the hub signed.

    Answer 2xx only after you have stored what you need of it; do not refuse a message you have seen before
    (`webhook-id`).

    Args:
        public_key: `whpk_…`, as `unbind-hub delivery key` prints it.
        headers: the request's headers, with names in upper or lower case.

    Raises:
        PlatformError: this is no public key of a hub.
        HubError: the webhook is not signed by the hub, or not signed now.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, at = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    at_s = int(at) if at.isascii() and at.isdigit() and len(at) <= DIGITS_MAX else None
    if at_s is None or abs((time.time() if now_s is None else now_s) - at_s) > TOLERANCE_S:
        raise HubError("the webhook's time is not now", todo="Answer 400; check your clock.")
    public, signed = public_key_of(public_key), f"{message_id}.{at}.".encode() + body
    if not any(_holds(public, one, signed) for one in given.get("webhook-signature", "").split()):
        raise HubError("the webhook is not signed by the hub", todo="Answer 400; check the hub's public key.")
    content: dict[str, Any] = json.loads(body)
    return content


def public_key_of(public_key: str) -> Ed25519PublicKey:
    """Return the hub's public key from its form `whpk_…`.

    Raises:
        PlatformError: this is no public key of a hub.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(
            base64.b64decode(public_key.removeprefix(PUBLIC_PREFIX), validate=True)
        )
    except (ValueError, binascii.Error) as wrong:
        raise PlatformError("no public key of a hub", todo="Give whpk_… as the hub's staff gave it.") from wrong


def _holds(public: Ed25519PublicKey, one: str, signed: bytes) -> bool:
    version, _, encoded = one.partition(",")
    if version != "v1a":
        return False
    try:
        public.verify(base64.b64decode(encoded, validate=True), signed)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True
