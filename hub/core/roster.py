"""This module keeps the roster as a value: who is known, whose key a key id names, and the hub's own keys.

For example, the key `bank-1` of `bank` is revoked from a Monday on: `keys_changed` returns `bank-1` with that Monday.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hub.core.model import Key, Operator, Platform

NEVER = 2**63
"""A time later than any record time."""


@dataclass
class Roster:
    """Keeps operators and platforms by id, and their keys by key id. Later records replace earlier ones."""

    operators: dict[str, Operator] = field(default_factory=dict)
    platforms: dict[str, Platform] = field(default_factory=dict)
    hub_keys: dict[str, Key] = field(default_factory=dict)
    """The hub's own keys, by key id. The first key of an id counts."""
    _operator_keys: dict[str, tuple[str, Key]] = field(default_factory=dict)
    _platform_keys: dict[str, tuple[str, Key]] = field(default_factory=dict)

    def put_operator(self, operator: Operator) -> None:
        """Take in an operator's newest record."""
        self.operators[operator.id] = operator
        _put_keys(self._operator_keys, operator.id, operator.keys)

    def put_platform(self, platform: Platform) -> None:
        """Take in a platform's newest record."""
        self.platforms[platform.id] = platform
        _put_keys(self._platform_keys, platform.id, platform.keys)

    def put_hub_key(self, key: Key) -> None:
        """Take in a key of topic `hub`."""
        self.hub_keys.setdefault(key.key_id, key)

    def operator_key(self, key_id: str) -> tuple[Operator, Key] | None:
        """Return the operator and key that a key id names."""
        found = self._operator_keys.get(key_id)
        return None if found is None else (self.operators[found[0]], found[1])

    def platform_key(self, key_id: str) -> tuple[Platform, Key] | None:
        """Return the platform and key that a key id names."""
        found = self._platform_keys.get(key_id)
        return None if found is None else (self.platforms[found[0]], found[1])


def keys_changed(before: Iterable[Key], after: Iterable[Key]) -> dict[str, int]:
    """Return the ids of keys that count at other record times than before, each with the first of those times."""
    old, new = ({(key.key_id, key.public): key for key in keys} for keys in (before, after))
    found: dict[str, int] = {}
    for one in old.keys() | new.keys():
        times = zip(_counts(old.get(one)), _counts(new.get(one)), strict=True)
        changed = [min(was, now) for was, now in times if was != now]
        if changed:
            found[one[0]] = min(*changed, found.get(one[0], NEVER))
    return found


def _counts(key: Key | None) -> tuple[int, int]:
    """Return the times from which and until which a key counts."""
    if key is None:
        return NEVER, NEVER
    end = min(NEVER if one is None else one for one in (key.valid_until, key.revoked_at))
    return (key.valid_from, end) if key.valid_from < end else (NEVER, NEVER)


def _put_keys(known: dict[str, tuple[str, Key]], owner: str, keys: tuple[Key, ...]) -> None:
    # Other threads read at the same time: a key that is on both records must never be missing.
    for key in reversed(keys):
        # The first holder of a key id keeps it: a later record cannot take over another's key.
        if known.get(key.key_id, (owner,))[0] == owner:
            known[key.key_id] = (owner, key)
    held = {key.key_id for key in keys}
    for key_id in [key_id for key_id, (holder, _) in known.items() if holder == owner and key_id not in held]:
        del known[key_id]
