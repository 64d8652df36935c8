"""The registrar's commands on a real roster: a life of a platform, keys that change, and two registrars at once."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.core.model import Platform, PlatformState
from hub.core.roster import Roster
from hub.core.roster_life import change_state
from hub.delivery.keys import public_form
from hub.errors import HubError
from hub.staff.roster import roster_editor
from hub.wire import contracts
from hub.wire.contracts import decode, receipts_topic
from tests.broker.scene import Scene, mobile_numbers, now_ms

pytestmark = pytest.mark.broker


def run(scene: Scene, *words: str, fails: str | None = None) -> Any:
    """What a command prints as JSON; or that it fails, and says so."""
    servers = scene.hub.address.bootstrap_servers
    ended = CliRunner().invoke(app, [*words, "--bootstrap-servers", servers, "--json"])
    if fails is not None:
        assert isinstance(ended.exception, HubError)
        assert fails in str(ended.exception)
        return None
    if ended.exception is not None:
        raise ended.exception
    return json.loads(ended.stdout)


def record_file(folder: Path, scene: Scene, platform_id: str) -> Path:
    """A record as `platform init` prints it."""
    public = scene.signer(f"{platform_id}-1").public.hex()
    record = {
        "id": platform_id,
        "name": {"zh": "盘", "en": "Drive"},
        "sector": "drive",
        "tier": 1,
        "keys": [{"key_id": f"{platform_id}-1", "public": public, "valid_from": 0}],
    }
    path = folder / f"{platform_id}.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def test_a_platform_joins_is_suspended_comes_back_and_leaves(scene: Scene, tmp_path: Path) -> None:
    """Every step is in its history, its old cases stay its gaps after it left, and new ones are not charged to it."""
    made = run(scene, "platform", "add", "--file", str(record_file(tmp_path, scene, "cloud")), "--note", "Li")
    assert made["state"] == "ONBOARDING"
    run(scene, "platform", "state", "cloud", "SUSPENDED", fails="SUSPENDED does not follow")
    for state in ("CONNECTED", "SUSPENDED", "CONNECTED"):
        run(scene, "platform", "state", "cloud", state)
    first = scene.open_cases(mobile_numbers(3, "+8613501"))
    left = run(scene, "platform", "leave", "cloud", "--note", "closed down")
    assert [one["state"] for one in left["history"]] == ["ONBOARDING", "CONNECTED", "SUSPENDED", "CONNECTED", "LEFT"]
    assert left["left_at"] == left["history"][-1]["at"]
    scene.open_cases(mobile_numbers(2, "+8613502"))
    coverage = scene.final_coverage(["cloud"])["cloud"]
    assert (coverage.state, coverage.in_force) == (PlatformState.LEFT, len(first))
    assert coverage.resolved == 0
    assert {one["platform"] for one in run(scene, "platform", "list")} >= {"cloud"}
    assert run(scene, "platform", "show", "cloud") == left | {"standing": None}


def test_a_platform_nobody_reaches_is_on_the_roster_all_the_same(scene: Scene) -> None:
    """From options alone, with a guide for its users; it counts every case as a gap at once."""
    made = run(
        scene,
        *("platform", "add", "--id", "gymnow", "--en", "GymNow", "--zh", "健此", "--sector", "fitness", "--tier", "3"),
        *("--guide-url", "https://gymnow.example/unbind", "--guide-step", "Open settings", "--guide-step", "Unbind"),
    )
    assert (made["state"], made["guide_steps"]) == ("KNOWN_UNCONNECTED", ["Open settings", "Unbind"])
    for name, fails in (("gymnow", "already"), ("gym-2024-0001", "like a phone number")):
        run(scene, "platform", "add", "--id", name, "--en", "x", "--sector", "s", "--tier", "3", fails=fails)


def test_a_known_blind_spot_connects_without_kafka_by_commands_alone(scene: Scene) -> None:
    """What was written when nobody reached it is set right, its own key and delivery's are given, and it is in."""
    told = scene.signer("delivery/hub").public
    add = ("platform", "add", "--id", "pawnly", "--en", "Pawnly", "--sector", "lending", "--tier", "3")
    run(scene, *add, "--channel", "carrier pigeon", fails="no channel")
    made = run(scene, *add, "--users", "70000", "--must-connect", "--contact", "tel")
    assert (made["users_estimate"], made["must_connect"], made["name"]["zh"]) == (70_000, True, "Pawnly")
    channel = "webhook https://hooks.pawnly.example/hub"
    change = ("platform", "set", "pawnly", "--tier", "1", "--zh", "当易", "--no-must-connect", "--channel", channel)
    made = run(scene, *change, "--guide-step", "Ask", "--note", "Li")
    assert (made["channel"], made["tier"], made["guide_steps"]) == (channel, 1, ["Ask"])
    assert (made["name"], made["must_connect"]) == ({"zh": "当易", "en": "Pawnly"}, False)
    assert (made["contact"], made["users_estimate"]) == ("tel", 70_000), "what was not named is as it was"
    run(scene, "platform", "set", "pawnly", fails="nothing is to be changed")
    run(scene, "platform", "set", "nobody", "--tier", "1", fails="no platform nobody")
    run(scene, "platform", "state", "pawnly", "ONBOARDING")
    made = run(scene, "platform", "add-delivery-key", "pawnly", "--public", public_form(told))
    run(scene, "platform", "state", "pawnly", "CONNECTED", fails="no key of its own")
    own = scene.signer("pawnly-1").public.hex()
    run(scene, "platform", "rotate-key", "pawnly", "--key-id", "pawnly-1", "--public", own)
    made = run(scene, "platform", "state", "pawnly", "CONNECTED")
    assert [(key["key_id"], key["public"], key["valid_until"]) for key in made["keys"]] == [
        ("delivery/pawnly/1", told.hex(), None),
        ("pawnly-1", own, None),
    ]
    said = [(one["state"], one["note"]) for one in made["history"]]
    assert said == [
        ("KNOWN_UNCONNECTED", None),
        ("KNOWN_UNCONNECTED", "set channel, guide_steps, must_connect, name, tier: Li"),
        ("ONBOARDING", None),
        ("CONNECTED", None),
    ]


def test_what_options_say_counts_before_what_a_file_says(scene: Scene, tmp_path: Path) -> None:
    """The registrar puts a channel beside the record a platform handed over, without writing into its file."""
    file = record_file(tmp_path, scene, "filed")
    made = run(scene, "platform", "add", "--file", str(file), "--channel", "file", "--en", "Filed")
    assert (made["channel"], made["name"], made["tier"]) == ("file", {"zh": "盘", "en": "Filed"}, 1)


def test_an_operator_is_added_with_its_receipts_and_its_key_is_rotated(scene: Scene) -> None:
    """It can publish at once; after a rotation both keys count; after a compromise the new one alone."""
    first, second, third = (scene.signer(f"west-{one}") for one in (1, 2, 3))
    run(
        scene,
        *("operator", "add", "--id", "west", "--en", "West", "--range", "+86150"),
        *("--key-id", "west-1", "--public", first.public.hex(), "--limit-daily", "100"),
    )
    assert receipts_topic("west") in set(scene._group.list_topics(timeout=20).topics)
    changed = run(scene, "operator", "set", "west", "--zh", "西", "--range", "+86150", "--range", "+86151")
    assert (changed["name"], changed["ranges"]) == ({"zh": "西", "en": "West"}, ["+86150", "+86151"])
    run(scene, "operator", "set", "west", "--range", "150", fails="no prefix")
    limits = run(scene, "operator", "limits", "west", "--limit", "NOTICES", "--most", "7")
    assert [(one["limit"], one["most"], one["by"]) for one in limits["limits"]] == [("NOTICES", 7, "")]
    raising = ("operator", "limits", "west", "--limit", "NOTICES")
    run(scene, *raising, "--most", "8", fails="nobody answers")
    run(scene, *raising, "--none", "--by", "Li", fails="nobody answers")
    run(scene, *raising, fails="how many")
    raised = run(scene, *raising, "--most", "9000", "--by", "Li", "--reason", "it has grown")
    assert [(one["most"], one["by"], one["reason"]) for one in raised["limits"]] == [(9_000, "Li", "it has grown")]
    lifted = run(scene, "operator", "lift-quarantine", "west", "--by", "Li", "--reason", "a sweep")
    assert [(one["by"], one["reason"]) for one in lifted["lifted"]] == [("Li", "a sweep")]
    run(scene, "operator", "rotate-key", "west", "--key-id", "west-1", "--public", "00" * 32, fails="itself")
    run(scene, "operator", "rotate-key", "west", "--key-id", "north-1", "--public", "00" * 32, fails="north")
    run(scene, "operator", "rotate-key", "west", "--key-id", "west-2", "--public", second.public.hex())
    record = run(
        scene,
        *("operator", "rotate-key", "west", "--key-id", "west-3", "--public", third.public.hex(), "--compromised"),
    )
    assert [(key["key_id"], key["revoked_at"] is not None) for key in record["keys"]] == [
        ("west-1", True),
        ("west-2", True),
        ("west-3", False),
    ]
    shown = {one["operator"]: one for one in run(scene, "operator", "list")}
    assert (shown["west"]["keys"], shown["west"]["notices a day"]) == (1, 9_000)


def test_two_registrars_at_once_lose_no_change(scene: Scene) -> None:
    """A change that came in between is kept, and one that no longer fits is refused with the other one standing."""
    scene.put_platforms(scene.platform("shared", contact=None))
    address = scene.hub.address

    tries: list[Platform | None] = []

    async def ours() -> Platform:
        async with roster_editor(address) as editor:
            return await editor.change(Platform, "shared", change)

    async def theirs() -> None:
        async with roster_editor(address) as editor:
            await editor.change(Platform, "shared", lambda found, _: guided(found))

    def change(found: Platform | None, _: Roster) -> Platform:
        assert found is not None
        tries.append(found)
        if len(tries) == 1:  # the other registrar reads and writes between our reading and our writing
            other = threading.Thread(target=lambda: asyncio.run(theirs()))
            other.start()
            other.join()
        return found._replace(contact="ours")

    def guided(found: Platform | None) -> Platform:
        assert found is not None
        return found._replace(guide_url="https://theirs.example")

    made = asyncio.run(ours())
    assert (made.contact, made.guide_url, len(tries)) == ("ours", "https://theirs.example", 2)
    newest = [decode(record.value, Platform) for record in scene.read(contracts.PLATFORMS) if record.key == b"shared"]
    assert newest[-1] == made


def test_a_key_in_use_is_refused_by_every_way_onto_the_roster(scene: Scene) -> None:
    """Neither the registrar's own calls nor its commands give a key to a second holder."""
    with pytest.raises(HubError, match="north"):
        scene.put_platforms(scene.platform("thief", keys=(scene.key("north-1"),)))
    assert "thief" not in {one.key.decode() for one in scene.read(contracts.PLATFORMS) if one.key}


def test_a_change_that_no_longer_fits_is_refused_and_the_others_stands(scene: Scene) -> None:
    """Two registrars move a platform at once: one of them wins, the other is told, and the record is the winner's."""
    scene.put_platforms(scene.platform("torn"))
    address, first = scene.hub.address, iter([True])

    async def move(state: PlatformState, *, meddle: bool) -> Platform:
        def change(found: Platform | None, _: Roster) -> Platform:
            assert found is not None
            if meddle and next(first, False):
                other = threading.Thread(target=lambda: asyncio.run(move(PlatformState.LEFT, meddle=False)))
                other.start()
                other.join()
            return change_state(found, state, now_ms(), None)

        async with roster_editor(address) as editor:
            return await editor.change(Platform, "torn", change)

    with pytest.raises(HubError, match="its change stands and yours was not made"):
        asyncio.run(move(PlatformState.SUSPENDED, meddle=True))
    newest = [decode(record.value, Platform) for record in scene.read(contracts.PLATFORMS) if record.key == b"torn"]
    assert newest[-1].state is PlatformState.LEFT
