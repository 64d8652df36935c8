"""The roster as a value: who is known, whose key a key id names, and the keys the hub itself signs with."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.core.model import Key, Operator, Platform


@dataclass
class Roster:
    """Operators and platforms by id, and their keys by key id. Later records replace earlier ones."""

    operators: dict[str, Operator] = field(default_factory=dict)
    platforms: dict[str, Platform] = field(default_factory=dict)
    hub_keys: dict[str, Key] = field(default_factory=dict)
    """The hub's own, by key id; the first of an id counts."""
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
        """The operator and key that a key id names."""
        found = self._operator_keys.get(key_id)
        return None if found is None else (self.operators[found[0]], found[1])

    def platform_key(self, key_id: str) -> tuple[Platform, Key] | None:
        """The platform and key that a key id names."""
        found = self._platform_keys.get(key_id)
        return None if found is None else (self.platforms[found[0]], found[1])


def _put_keys(known: dict[str, tuple[str, Key]], owner: str, keys: tuple[Key, ...]) -> None:
    for key_id in [key_id for key_id, (holder, _) in known.items() if holder == owner]:
        del known[key_id]
    for key in keys:
        # The first holder of a key id keeps it: a later record cannot take over another's key.
        known.setdefault(key.key_id, (owner, key))
