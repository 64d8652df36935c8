"""This module makes the keys of a world's operators and platforms once, and keeps them in the data folder."""

from __future__ import annotations

from pathlib import Path

from hub.core.model import Key
from hub.wire.signing import Signer

HUB_ID = "world"


def keys_of(ids: list[str], folder: Path) -> dict[str, Signer]:
    """Return the keys of a world's operators or platforms; they are made once and kept in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for one in ids:
        path = folder / f"{one}.pem"
        if not path.exists():
            Signer.generate(f"{one}-1", HUB_ID).save(path)
        found[one] = Signer.load(path, f"{one}-1", HUB_ID)
    return found


def public_keys(signers: dict[str, Signer]) -> dict[str, Key]:
    """Return the public keys, which are valid at any time."""
    return {one: Key(signer.key_id, signer.public, 0) for one, signer in signers.items()}
