"""The roster's life: every transition there is and no other, keys that are never taken away, nothing erased."""

from __future__ import annotations

import itertools

import pytest

from hub.core.model import DAY_MS, Key, Names, Operator, Platform, PlatformState, StateChange
from hub.core.roster import Roster, keys_changed
from hub.core.roster_life import (
    EDITABLE,
    MAY_FOLLOW,
    add_delivery_key,
    change_state,
    check_keys,
    edit,
    enter,
    range_holder,
    rotate,
    state_since,
)
from hub.errors import HubError

S = PlatformState
NOW = 1_780_000_000_000
KEY = Key("drive-1", bytes(31) + b"\1", 0)
NEW = Key("drive-2", bytes(31) + b"\2", NOW)
DRIVE = Platform("drive", Names("盘", "Drive"), "drive", 1, S.CONNECTED, keys=(KEY,))
LEGAL = {
    (S.KNOWN_UNCONNECTED, S.ONBOARDING),
    (S.KNOWN_UNCONNECTED, S.EXEMPT),
    (S.KNOWN_UNCONNECTED, S.LEFT),
    (S.ONBOARDING, S.CONNECTED),
    (S.ONBOARDING, S.KNOWN_UNCONNECTED),
    (S.ONBOARDING, S.EXEMPT),
    (S.ONBOARDING, S.LEFT),
    (S.CONNECTED, S.SUSPENDED),
    (S.CONNECTED, S.EXEMPT),
    (S.CONNECTED, S.LEFT),
    (S.SUSPENDED, S.CONNECTED),
    (S.SUSPENDED, S.EXEMPT),
    (S.SUSPENDED, S.LEFT),
    (S.EXEMPT, S.KNOWN_UNCONNECTED),
    (S.EXEMPT, S.ONBOARDING),
    (S.EXEMPT, S.LEFT),
    (S.LEFT, S.ONBOARDING),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(S, S)))
def test_a_state_follows_only_where_the_table_says(before: S, after: S) -> None:
    """Every pair of states is tried: the legal ones go to the end of the history, the others change nothing."""
    history = (StateChange(1, S.KNOWN_UNCONNECTED, None), StateChange(2, before, "as it was"))
    platform = DRIVE._replace(state=before, history=history, left_at=2 if before is S.LEFT else None)
    if (before, after) not in LEGAL:
        with pytest.raises(HubError, match="does not follow"):
            change_state(platform, after, NOW, "because")
        return
    moved = change_state(platform, after, NOW, "because")
    assert moved.state is after
    assert moved.history == (*history, StateChange(NOW, after, "because"))
    assert moved.left_at == (NOW if after is S.LEFT else None)
    assert moved._replace(state=before, history=history, left_at=platform.left_at) == platform


def test_every_state_has_its_line_in_the_table() -> None:
    """No state is a dead end by omission."""
    assert set(MAY_FOLLOW) == set(S)


def test_connected_needs_a_key_and_exempt_a_basis() -> None:
    """Nobody is called connected who could not say anything, nor exempt without a basis on record."""
    onboarding = DRIVE._replace(state=S.ONBOARDING, keys=())
    with pytest.raises(HubError, match="no key of its own"):
        change_state(onboarding, S.CONNECTED, NOW, None)
    with pytest.raises(HubError, match="no key of its own"):
        enter(DRIVE._replace(keys=(KEY._replace(revoked_at=NOW),)), NOW, None)
    told = Key("delivery/drive/1", b"d" * 32, 0)
    with pytest.raises(HubError, match="no key of its own"):
        change_state(onboarding._replace(keys=(told,)), S.CONNECTED, NOW, None)
    assert change_state(onboarding._replace(keys=(told, KEY)), S.CONNECTED, NOW, None).state is S.CONNECTED
    with pytest.raises(HubError, match="basis"):
        change_state(onboarding, S.EXEMPT, NOW, None)
    assert change_state(onboarding, S.EXEMPT, NOW, "keeps no numbers").history[-1].note == "keeps no numbers"


def test_nobody_comes_onto_the_roster_as_one_that_left() -> None:
    """A new record begins its own history; what the file says of one is not taken over."""
    with pytest.raises(HubError, match="LEFT"):
        enter(DRIVE._replace(state=S.LEFT), NOW, None)
    made = enter(DRIVE._replace(history=(StateChange(1, S.LEFT, None),), left_at=5), NOW, "Li")
    assert (made.history, made.left_at) == ((StateChange(NOW, S.CONNECTED, "Li"),), None)


def test_a_record_without_a_history_keeps_the_state_it_had() -> None:
    """What was written before histories is not lost at the first change."""
    moved = change_state(DRIVE, S.SUSPENDED, NOW, None)
    assert [one.state for one in moved.history] == [S.CONNECTED, S.SUSPENDED]


def test_a_rotated_key_counts_on_through_the_overlap() -> None:
    """Both keys count while machines are changed over, then the new one alone; and neither is removed."""
    rotated = rotate(DRIVE, NEW, NOW, overlap_ms=DAY_MS)
    assert [key.key_id for key in rotated.keys] == ["drive-1", "drive-2"]
    old, new = rotated.keys
    assert (old.counts_at(NOW + DAY_MS - 1), old.counts_at(NOW + DAY_MS)) == (True, False)
    assert (new.counts_at(NOW - 1), new.counts_at(NOW), new.counts_at(NOW + DAY_MS)) == (False, True, True)


def test_a_compromised_key_ends_where_it_was_no_longer_safe() -> None:
    """What it signed before stays good, nothing after does, and an earlier revocation is not moved."""
    rotated = rotate(DRIVE, NEW, NOW, unsafe_since=NOW - DAY_MS)
    assert rotated.keys[0].counts_at(NOW - DAY_MS - 1)
    assert not rotated.keys[0].counts_at(NOW - DAY_MS)
    again = rotate(rotated, NEW._replace(key_id="drive-3"), NOW, unsafe_since=NOW)
    assert [key.revoked_at for key in again.keys] == [NOW - DAY_MS, NOW, None]


def test_an_ended_key_is_not_brought_back_by_a_rotation() -> None:
    """A key whose time is over stays as it is."""
    over = DRIVE._replace(keys=(KEY._replace(valid_until=NOW - 1),))
    assert rotate(over, NEW, NOW).keys[0].valid_until == NOW - 1


def test_a_key_that_anybody_has_is_refused() -> None:
    """No key id and no public key names two: not another platform, not an operator, not the same one again."""
    roster = Roster()
    roster.put_platform(DRIVE)
    roster.put_operator(Operator("north", Names("北", "North"), (), keys=(Key("north-1", bytes(31) + b"\3", 0),)))
    pay = DRIVE._replace(id="pay")
    check_keys(pay._replace(keys=(NEW,)), roster)
    check_keys(DRIVE, roster)
    for key, whose in (
        (NEW._replace(key_id="drive-1"), "platform drive's"),
        (NEW._replace(public=KEY.public), "platform drive's"),
        (NEW._replace(key_id="north-1"), "operator north's"),
    ):
        with pytest.raises(HubError, match=whose):
            check_keys(pay._replace(keys=(key,)), roster)
    with pytest.raises(HubError, match="drive itself"):
        check_keys(DRIVE._replace(keys=(KEY, NEW._replace(public=KEY.public))), roster)


def test_the_longest_prefix_has_a_number() -> None:
    """A range within a range belongs to whom the narrower one was given."""
    wide = Operator("wide", Names("宽", "Wide"), ("+861",))
    narrow = Operator("narrow", Names("窄", "Narrow"), ("+86135",))
    assert range_holder("+8613500000000", [wide, narrow]) == "narrow"
    assert range_holder("+8613600000000", [wide, narrow]) == "wide"
    assert range_holder("+4412345678", [wide, narrow]) is None


def test_deliverys_key_is_on_many_records_and_outlives_their_rotations() -> None:
    """The hub's own key that says "told" is every such platform's, and ends with none of their keys."""
    told = Key("delivery/one/1", b"d" * 32, NOW)
    one = DRIVE._replace(id="one", keys=(Key("one-1", b"1" * 32, NOW), told))
    roster = Roster()
    roster.put_platform(one)
    other = DRIVE._replace(id="other", keys=(told._replace(key_id="delivery/other/1"),))
    check_keys(other, roster)
    with pytest.raises(HubError, match="this public key"):
        check_keys(other._replace(keys=(Key("other-1", told.public, NOW),)), roster)
    for unsafe_since in (None, NOW):
        assert told in rotate(one, Key("one-2", b"2" * 32, NOW), NOW + 1, unsafe_since=unsafe_since).keys


def test_deliverys_key_ends_none_of_the_platforms_and_the_next_of_deliverys_ends_the_last() -> None:
    """Whoever may say "told" for a platform takes no word from it; a new delivery key ends the old one as any does."""
    told = add_delivery_key(DRIVE, b"d" * 32, NOW)
    assert told.keys == (KEY, Key("delivery/drive/1", b"d" * 32, NOW))
    with pytest.raises(HubError, match="has this key"):
        add_delivery_key(told, b"d" * 32, NOW + 1)
    again = add_delivery_key(told, b"e" * 32, NOW + 1)
    assert [(key.key_id, key.valid_until) for key in again.keys] == [
        ("drive-1", None),
        ("delivery/drive/1", NOW + 1 + 7 * DAY_MS),
        ("delivery/drive/2", None),
    ]
    stolen = rotate(told, Key("delivery/drive/2", b"e" * 32, NOW), NOW, unsafe_since=NOW - 1)
    assert [key.revoked_at for key in stolen.keys] == [None, NOW - 1, None]


def test_an_edit_changes_what_is_named_and_is_in_the_history() -> None:
    """What a record says can be set right at any time; its state, its keys and how long it is in its state stay."""
    since = change_state(DRIVE._replace(state=S.ONBOARDING), S.CONNECTED, NOW, None)
    changes = {"channel": "webhook  https://drive.example/hook", "tier": 2, "must_connect": True}
    edited = edit(since, changes, NOW + 5, "Li")
    assert (edited.channel, edited.tier, edited.must_connect) == ("webhook https://drive.example/hook", 2, True)
    assert edited.history == (*since.history, StateChange(NOW + 5, S.CONNECTED, "set channel, must_connect, tier: Li"))
    assert edited._replace(channel=None, tier=1, must_connect=False, history=since.history) == since
    assert (state_since(edited), state_since(since), state_since(DRIVE)) == (NOW, NOW, None)
    assert set(Platform._fields) - {"id", "state", "left_at", "keys", "history"} == EDITABLE
    with pytest.raises(HubError, match="nothing is to be changed"):
        edit(since, {}, NOW, None)


@pytest.mark.parametrize(
    "channel", ["", "mail", "webhook", "webhook http://drive.example", "webhook https://a b", "file x", "kafka 1"]
)
def test_a_channel_that_tells_nobody_is_refused(channel: str) -> None:
    """A misspelt channel would be a platform nobody tells anything: it does not come onto a record."""
    with pytest.raises(HubError, match="no channel"):
        edit(DRIVE, {"channel": channel}, NOW, None)
    with pytest.raises(HubError, match="no channel"):
        enter(DRIVE._replace(channel=channel), NOW, None)
    assert edit(DRIVE, {"channel": " file "}, NOW, None).channel == "file"


A_KEY = Key("a-1", b"a" * 32, 10)
KEYS_BEFORE_AND_AFTER: dict[str, tuple[list[Key], list[Key], dict[str, int]]] = {
    "nothing": ([A_KEY], [A_KEY], {}),
    "a new one": ([A_KEY], [A_KEY, Key("a-2", b"b" * 32, 40)], {"a-2": 40}),
    "revoked from earlier on": ([A_KEY], [A_KEY._replace(revoked_at=20)], {"a-1": 20}),
    "ends": ([A_KEY], [A_KEY._replace(valid_until=30)], {"a-1": 30}),
    "revoked after its end": ([A_KEY._replace(valid_until=30)], [A_KEY._replace(valid_until=30, revoked_at=35)], {}),
    "revoked before it began": ([A_KEY], [A_KEY._replace(revoked_at=5)], {"a-1": 10}),
    "never counted": ([], [A_KEY._replace(revoked_at=10)], {}),
    "begins earlier": ([A_KEY], [A_KEY._replace(valid_from=0)], {"a-1": 0}),
    "another key of that name": ([A_KEY], [A_KEY._replace(public=b"c" * 32, valid_from=15)], {"a-1": 10}),
}


@pytest.mark.parametrize(("before", "after", "changed"), KEYS_BEFORE_AND_AFTER.values(), ids=[*KEYS_BEFORE_AND_AFTER])
def test_since_when_keys_count_otherwise(before: list[Key], after: list[Key], changed: dict[str, int]) -> None:
    """Of each key that counts otherwise it is known from which record time on, and so what must be judged again."""
    assert keys_changed(before, after) == changed
    assert keys_changed(after, before) == changed
