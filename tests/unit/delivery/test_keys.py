"""The hub's key for delivery is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.delivery.keys import hub_key, public_form
from hub.delivery.settings import DeliverySettings
from hub.errors import UnbindError
from hub.sdk.webhooks import public_key_of


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The first start makes it, later ones use it; a file given by name must be there."""
    first = hub_key(DeliverySettings("", tmp_path), "h")
    assert hub_key(DeliverySettings("", tmp_path), "h").public == first.public
    assert (tmp_path / "delivery.pem").stat().st_mode & 0o777 == 0o600
    assert public_key_of(public_form(first.public)).public_bytes_raw() == first.public
    with pytest.raises(UnbindError, match="no usable private key"):
        hub_key(DeliverySettings("", tmp_path, key_file=tmp_path / "none.pem"), "h")
