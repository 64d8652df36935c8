"""This module decides what may be done to a roster record, as values. `hub.staff.roster` writes it.

Rules:
1. A platform's state may follow another only as `MAY_FOLLOW` says. Each change of its state, or of anything else on its
   record, is added to the end of `history`, with its time and a note; nothing is ever removed from it.
2. CONNECTED needs a key of the platform's own that counts. EXEMPT needs a note that gives the basis. Degraded and
   recovering are not states: they are seen from behaviour (`hub.core.standing`).
3. Leaving sets `left_at` and changes nothing else: every case published before stays a gap until it is resolved.
4. A key is never removed, so that what it signed stays provable. Rotation adds the new key. It ends the keys that count
   after an overlap, or revokes them from the moment at which they were no longer safe. A platform's own keys and
   delivery's (`RECEIPTS_ONLY`) are of two kinds: a new key ends those of its own kind alone.
5. A key id names one key of one holder for ever, and a public key has one name: both are refused if any operator or
   platform has ever had them.

For example, `bank` is CONNECTED and gets the key `bank-2`: its key `bank-1` counts for 7 more days (`OVERLAP_MS`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from hub.core.channel import check_channel
from hub.core.model import DAY_MS, RECEIPTS_ONLY, Key, Operator, Platform, PlatformState, StateChange
from hub.core.roster import Roster
from hub.errors import HubError

R = TypeVar("R", Operator, Platform)

ENTRY = frozenset(
    {
        PlatformState.KNOWN_UNCONNECTED,
        PlatformState.ONBOARDING,
        PlatformState.CONNECTED,
        PlatformState.EXEMPT,
    }
)
"""The states in which a platform can be added to the roster."""

MAY_FOLLOW: dict[PlatformState, frozenset[PlatformState]] = {
    PlatformState.KNOWN_UNCONNECTED: frozenset(
        {PlatformState.ONBOARDING, PlatformState.EXEMPT, PlatformState.LEFT},
    ),
    PlatformState.ONBOARDING: frozenset(
        {PlatformState.CONNECTED, PlatformState.KNOWN_UNCONNECTED, PlatformState.EXEMPT, PlatformState.LEFT},
    ),
    PlatformState.CONNECTED: frozenset({PlatformState.SUSPENDED, PlatformState.EXEMPT, PlatformState.LEFT}),
    PlatformState.SUSPENDED: frozenset({PlatformState.CONNECTED, PlatformState.EXEMPT, PlatformState.LEFT}),
    PlatformState.EXEMPT: frozenset({PlatformState.KNOWN_UNCONNECTED, PlatformState.ONBOARDING, PlatformState.LEFT}),
    PlatformState.LEFT: frozenset({PlatformState.ONBOARDING}),
}
"""Maps a state to those that may follow it. A suspended platform may be connected again; one that left joins again."""

EDITABLE = frozenset(
    {"name", "sector", "tier", "channel", "contact", "guide_url", "guide_steps", "must_connect", "users_estimate"}
)
"""The fields that `edit` may change: all that a record says of a platform, except its id, its state and its keys."""

OVERLAP_MS = 7 * DAY_MS
"""How long an old key counts beside a new one by default: time to bring the new key to every machine."""


def enter(platform: Platform, now_ms: int, note: str | None) -> Platform:
    """Return a platform as it is added to the roster.

    Raises:
        HubError: a platform cannot begin in its state, or the platform lacks what the state needs.
    """
    if platform.state not in ENTRY:
        raise HubError(
            f"no platform comes onto the roster as {platform.state}", todo=f"Use one of {', '.join(sorted(ENTRY))}."
        )
    _check_needs(platform, platform.state, now_ms, note)
    channel = None if platform.channel is None else check_channel(platform.channel)
    return platform._replace(channel=channel, left_at=None, history=(StateChange(now_ms, platform.state, note),))


def change_state(platform: Platform, state: PlatformState, now_ms: int, note: str | None) -> Platform:
    """Return the platform in another state.

    Raises:
        HubError: that state may not follow, or the platform lacks what the state needs.
    """
    allowed = MAY_FOLLOW[platform.state]
    if state not in allowed:
        raise HubError(
            f"{platform.id} is {platform.state}, and {state} does not follow",
            todo=f"After {platform.state} comes one of {', '.join(sorted(allowed))}.",
        )
    _check_needs(platform, state, now_ms, note)
    return platform._replace(
        state=state,
        left_at=now_ms if state is PlatformState.LEFT else None,
        history=(*_whole_history(platform), StateChange(now_ms, state, note)),
    )


def _whole_history(platform: Platform) -> tuple[StateChange, ...]:
    """Return a platform's history. If its record has none, the history begins with its state, at an unknown time."""
    return platform.history or (StateChange(0, platform.state, "as the record stood; since when is not known"),)


def edit(platform: Platform, changes: Mapping[str, Any], now_ms: int, note: str | None) -> Platform:
    """Return the platform with changed fields. Which ones were changed is added to the end of its history.

    Args:
        changes: new values of fields, by name; only fields in `EDITABLE`.

    Raises:
        HubError: there are no changes, or the channel is not one.
    """
    if not changes:
        raise HubError("nothing is to be changed", todo=f"Say what: {', '.join(sorted(EDITABLE))}.")
    assert changes.keys() <= EDITABLE, changes.keys()
    if (channel := changes.get("channel")) is not None:
        changes = {**changes, "channel": check_channel(channel)}
    what = f"set {', '.join(sorted(changes))}" + (f": {note}" if note else "")
    history = (*_whole_history(platform), StateChange(now_ms, platform.state, what))
    return platform._replace(**changes, history=history)


def state_since(platform: Platform) -> int | None:
    """Return the time since which a platform is in its state; None if its record has no history."""
    since = None
    for one in reversed(platform.history):
        if one.state is not platform.state:
            break
        since = one.at
    return since


def _check_needs(platform: Platform, state: PlatformState, now_ms: int, note: str | None) -> None:
    if state is PlatformState.EXEMPT and not note:
        raise HubError("an exemption needs a basis", todo="Say with --note on what basis the platform is exempt.")
    own = [key for key in platform.keys if not key.key_id.startswith(RECEIPTS_ONLY)]
    if state is PlatformState.CONNECTED and not any(key.counts_at(now_ms) for key in own):
        raise HubError(
            f"{platform.id} has no key of its own that counts now, so nothing it says could",
            todo="Give it one first: unbind-hub platform rotate-key.",
        )


def rotate(record: R, key: Key, now_ms: int, *, overlap_ms: int = OVERLAP_MS, unsafe_since: int | None = None) -> R:
    """Return the record with a new key, and with its old keys of the same kind ended.

    Args:
        overlap_ms: how long old keys still count.
        unsafe_since: the time since which the old keys are no longer safe; they are revoked from then on.
    """
    told = key.key_id.startswith(RECEIPTS_ONLY)
    ended: list[Key] = [
        _ended(old, now_ms, overlap_ms, unsafe_since) if old.key_id.startswith(RECEIPTS_ONLY) is told else old
        for old in record.keys
    ]
    return record._replace(keys=(*ended, key))


def receipt_key_id(platform: str, number: int = 1) -> str:
    """Return the id of a delivery key among a platform's keys."""
    return f"{RECEIPTS_ONLY}{platform}/{number}"


def add_delivery_key(platform: Platform, public: bytes, now_ms: int) -> Platform:
    """Return the platform with delivery's key, under the next free id. An earlier one still counts for a while.

    Raises:
        HubError: the platform has that key already.
    """
    told = [key for key in platform.keys if key.key_id.startswith(RECEIPTS_ONLY)]
    if any(key.public == public and key.counts_at(now_ms) for key in told):
        raise HubError(f"{platform.id} has this key of delivery's", todo="Nothing: it counts.")
    return rotate(platform, Key(receipt_key_id(platform.id, len(told) + 1), public, now_ms), now_ms)


def _ended(key: Key, now_ms: int, overlap_ms: int, unsafe_since: int | None) -> Key:
    if unsafe_since is not None:
        # What was signed before stays good, and an earlier revocation stays as it is.
        return key._replace(revoked_at=unsafe_since if key.revoked_at is None else min(key.revoked_at, unsafe_since))
    if not key.counts_at(now_ms):
        return key
    until = now_ms + overlap_ms
    return key._replace(valid_until=until if key.valid_until is None else min(key.valid_until, until))


def holders(roster: Roster, *, besides: Operator | Platform | None = None) -> Iterator[tuple[str, Key]]:
    """Yield every key on the roster with its holder, except the keys of one record."""
    everyone: list[Operator | Platform] = [*roster.operators.values(), *roster.platforms.values()]
    for one in everyone:
        if besides is None or type(one) is not type(besides) or one.id != besides.id:
            kind = "operator" if isinstance(one, Operator) else "platform"
            for key in one.keys:
                yield f"{kind} {one.id}", key


def check_keys(record: Operator | Platform, roster: Roster) -> None:
    """Refuse a record with a key that another record has, or that it has twice.

    Raises:
        HubError: the key is in use; the message says whose it is.
    """
    known = list(holders(roster, besides=record))
    own: list[tuple[str, Key]] = []
    for key in record.keys:
        for holder, other in (*known, *own):
            if other.key_id == key.key_id:
                raise HubError(f"the key id {key.key_id} is {holder}'s", todo="Give the key a name of its own.")
            both_told = all(one.key_id.startswith(RECEIPTS_ONLY) for one in (other, key))
            if other.public == key.public and not both_told:
                raise HubError(
                    f"this public key is {holder}'s, as {other.key_id}",
                    todo="Make a new key pair; one key must never speak for two, nor come back under another name.",
                )
        own.append((f"{record.id} itself", key))


def range_holder(number: str, operators: Iterable[Operator]) -> str | None:
    """Return the operator whose ranges have a number; None if none has. The longest prefix wins, then the first id."""
    found = [
        (-len(prefix), operator.id) for operator in operators for prefix in operator.ranges if number.startswith(prefix)
    ]
    return min(found)[1] if found else None
