"""This module names the records of `tiles`, and tells by which keys what they hold was judged.

The key of a record ends in the epoch of its writer, so each key has one writer. The part before says what the record is
about (`thing_of`): a platform's tile of a segment, how far it received a partition, or by which keys its book was
judged. For example, `bank/7/1/<epoch>` is a tile, and `bank/judged/<epoch>` holds the keys of `bank` by which that
epoch's tiles were made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from hub.core.figures import SegmentKey
from hub.core.model import Judged, Key, Received, Tile


def tile_key(platform: str, key: SegmentKey, epoch: bytes) -> bytes:
    """Return the key of a record of `tiles` that holds a tile."""
    return f"{platform}/{key[0]}/{key[1]}/{epoch.hex()}".encode()


def received_key(platform: str, partition: int, epoch: bytes) -> bytes:
    """Return the key of a record of `tiles` that holds how far a platform received a partition."""
    return f"{platform}/{partition}/received/{epoch.hex()}".encode()


def judged_key(platform: str, epoch: bytes) -> bytes:
    """Return the key of a record of `tiles` that holds by which keys a platform's book was judged."""
    return f"{platform}/judged/{epoch.hex()}".encode()


def says_received(key: bytes | None) -> bool:
    """Return whether a key of `tiles` was made by `received_key`."""
    return key is not None and b"/received/" in key


def thing_of(key: bytes) -> bytes:
    """Return a key of `tiles` without its epoch: what the record is about."""
    return key.rpartition(b"/")[0]


def judged_before(epochs: Sequence[Sequence[Key]], now: Sequence[Key], *, unknown: bool) -> tuple[Key, ...]:
    """Return keys by which everything that was loaded may be taken to be judged.

    `hub.core.roster.keys_changed` of these and of the keys now names every key that may have counted otherwise for
    somebody: one that an epoch did not know is left out, and one of which epochs held different is taken for one that
    never ended.

    Args:
        epochs: the keys by which each epoch judged.
        now: the platform's keys on the roster.
        unknown: whether tiles were loaded of an epoch that left no word about its keys. It may have counted a key that
            was revoked since; tiles of earlier versions are all of this kind.
    """
    by_name = [{(key.key_id, key.public): key for key in keys} for keys in epochs]
    here = {(key.key_id, key.public): key for key in now}
    found = []
    for name in dict.fromkeys([*here, *(one for keys in by_name for one in keys)]):
        held = [keys.get(name) for keys in by_name]
        if unknown and name in here:
            held.append(here[name]._replace(revoked_at=None))
        if not held or None in held:
            continue
        first = held[0]
        assert first is not None, "None was looked for"
        found.append(first if held.count(first) == len(held) else first._replace(valid_until=None, revoked_at=None))
    return tuple(found)


class OtherEpochs:
    """What a new owner of a partition found in `tiles`: which records there are, and by which keys they were made."""

    def __init__(self) -> None:
        self._records: dict[bytes, set[bytes]] = defaultdict(set)
        self._said: dict[str, set[bytes]] = defaultdict(set)
        self._judged: dict[str, dict[bytes, tuple[Key, ...]]] = defaultdict(dict)

    def note(self, key: bytes, stored: Tile | Received | Judged) -> None:
        """Take in a record."""
        self._records[thing_of(key)].add(key)
        if isinstance(stored, Judged):
            self._judged[stored.platform][stored.epoch] = stored.keys
        else:
            self._said[stored.platform].add(stored.epoch)

    def judged_by(self, platform: str, now: Sequence[Key]) -> tuple[Key, ...]:
        """Return the keys by which all of a platform may be taken to be judged. `now` are those on the roster."""
        epochs = self._judged[platform]
        return judged_before([*epochs.values()], now, unknown=not self._said[platform] <= epochs.keys())

    def replaced_by(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return the keys of other epochs' records of the same things. Our records then hold their bits durably."""
        return set().union(*(self._records.pop(thing_of(key), ()) for key in keys))
