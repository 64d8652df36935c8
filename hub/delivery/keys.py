"""This module gives the hub's own key for webhooks, files and receipts. The first start makes it, with rights 0600."""

from __future__ import annotations

import base64

from hub.core.model import RECEIPTS_ONLY
from hub.delivery.settings import DeliverySettings
from hub.wire.signing import Signer

FILE_NAME = "delivery.pem"
PUBLIC_PREFIX = "whpk_"


def hub_key(settings: DeliverySettings, hub_id: str) -> Signer:
    """Return the key that is there, or a new one.

    Raises:
        UnbindError: the file holds no Ed25519 key, or `key_file` is missing.
    """
    path = settings.key_file or settings.data_dir / FILE_NAME
    if settings.key_file is None and not path.exists():
        Signer.generate(RECEIPTS_ONLY, hub_id).save(path)
    return Signer.load(path, RECEIPTS_ONLY, hub_id)


def public_form(public: bytes) -> str:
    """Return a public key in the form for receivers of Standard Webhooks, `whpk_…`."""
    return PUBLIC_PREFIX + base64.b64encode(public).decode()
