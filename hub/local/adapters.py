"""This module runs the adapters of a world's platforms; `replay` starts them beside the hub in processes of their own.

Each platform's accounts are in a SQLite file of its own, which is filled once from accounts.csv. A process that was
killed continues where its store committed. The adapters follow `releases` until `ends.json` in the data folder says
where it ends, handle what is left up to there, and end. For example, a platform whose `fails_ending` is 7 answers
FAILED for the account `bank-0000017`.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sqlalchemy import create_engine

from hub.core.model import Platform, PlatformState, ReleaseNotice
from hub.local.world import WorldAccount, read_world
from hub.sdk.accounts import Done
from hub.sdk.adapter.acting import Act
from hub.sdk.adapter.adapter import PlatformAdapter
from hub.sdk.adapter.settings import AdapterSettings, Listen, Listening
from hub.sdk.deeds import Deed
from hub.sdk.numbering import International
from hub.sdk.roster_files import Behaviour
from hub.sdk.stores.sql import SqlStore, SqlTable
from hub.settings import HubAddress
from hub.whole_files import written_whole
from hub.wire.signing import Signer

ENDS_FILE = "ends.json"
POLL_S = 0.1
TABLE = SqlTable("accounts", International(), bound_at_unit_ms=1)
SETTINGS = AdapterSettings(clock="world", fuse_unbinds_per_day=None, fuse_put_backs_per_day=None, linger_ms=50)
"""A world's adapters have no fuse, because the world must happen as it is written."""


async def run_adapters(world_dir: Path, data_dir: Path, address: HubAddress, wanted: Iterable[str]) -> None:
    """Run some platforms' adapters until the world ends."""
    world = read_world(world_dir, {}, {})
    accounts = world.accounts()
    platforms = {platform.id: (platform, behaviour) for platform, behaviour in world.platforms}
    settings = replace(SETTINGS, authority=world.authority)
    adapters = [_adapter(*platforms[one], accounts.get(one, []), data_dir, address, settings) for one in wanted]
    async with asyncio.TaskGroup() as group:
        for adapter in adapters:
            group.create_task(_until_the_end(adapter, data_dir / ENDS_FILE))


async def _until_the_end(adapter: PlatformAdapter, ends_file: Path) -> None:
    stop = asyncio.Event()
    following = asyncio.create_task(adapter.run(stop))
    while not ends_file.exists() and not following.done():
        await asyncio.sleep(POLL_S)
    stop.set()
    await following
    ends = json.loads(ends_file.read_text(encoding="utf-8"))
    await adapter.run_until({int(partition): end for partition, end in ends.items()})


def _adapter(
    platform: Platform,
    behaviour: Behaviour,
    accounts: list[WorldAccount],
    data_dir: Path,
    address: HubAddress,
    settings: AdapterSettings,
) -> PlatformAdapter:
    path = data_dir / "accounts" / f"{platform.id}.sqlite"
    fill(path, accounts)
    signer = Signer.load(data_dir / "keys" / "platforms" / f"{platform.id}.pem", f"{platform.id}-1", address.hub_id)
    store = SqlStore(create_engine(f"sqlite:///{path}"), TABLE)
    return PlatformAdapter(
        platform.id, store, signer, address, settings, act=acting(behaviour), listening=listening(platform, behaviour)
    )


def acting(behaviour: Behaviour) -> Act:
    """Return how a platform of a world treats an account, by the ending of the account's id."""

    def act(deed: Deed, account_id: str, notice: ReleaseNotice) -> Done:  # noqa: ARG001 - an `Act`
        if behaviour.fails_ending and account_id.endswith(behaviour.fails_ending):
            return Done.FAILED
        if behaviour.declines_ending and account_id.endswith(behaviour.declines_ending):
            return Done.DECLINED
        return Done.DONE

    return act


def listening(platform: Platform, behaviour: Behaviour) -> Listen:
    """Return which notices a platform of a world hears and acts on, by when they were published."""
    left_at = platform.left_at if platform.state is PlatformState.LEFT else None
    deaf_from = [at for at in (behaviour.deaf_from, left_at) if at is not None]

    def listen(notice: ReleaseNotice) -> Listening:
        if deaf_from and notice.published_at >= min(deaf_from):
            return Listening.DEAF
        if behaviour.mute_from is not None and notice.published_at >= behaviour.mute_from:
            return Listening.RECEIVE_ONLY
        return Listening.ACT

    return listen


def fill(path: Path, accounts: Iterable[WorldAccount]) -> None:
    """Make a platform's file of accounts if there is none; a kill leaves either the whole file or none."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as scratch:
        database = sqlite3.connect(scratch)
        with database:
            database.execute("CREATE TABLE accounts (account_id TEXT PRIMARY KEY, number TEXT, bound_at INTEGER)")
            database.execute("CREATE INDEX accounts_number ON accounts (number)")
            database.executemany("INSERT INTO accounts VALUES (?, ?, ?)", accounts)
        database.close()
