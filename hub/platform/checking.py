"""This module is `unbind-hub platform check`: it connects to everything, counts what would match, changes nothing.

For example, it finds CARE "column phone has no index: every batch reads the whole table", with the statement to run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import Engine, inspect

from hub.errors import UnbindError
from hub.platform.assembly import address_of, engine_of, signer_of, store_of
from hub.platform.config import PlatformConfig, SqlConfig
from hub.platform.progress import summary
from hub.sdk.accounts import AccountStore, Readability
from hub.sdk.adapter.adapter import PlatformAdapter
from hub.sdk.adapter.wire import connected
from hub.sdk.stores import SqlStore
from hub.sdk.stores.faults import told
from hub.settings import HubAddress
from hub.wire.contracts import ACKS, RELEASES

OTHERS_MAY_READ = 0o077


class Verdict(StrEnum):
    """This says in what condition something is."""

    FINE = "fine"
    CARE = "care"
    """It works, and a person should look."""

    WRONG = "WRONG"


class Finding(NamedTuple):
    """This is one thing that was looked at. `todo` says what to do; it is empty if all is fine."""

    verdict: Verdict
    what: str
    todo: str = ""


async def check(config: PlatformConfig, notices_max: int) -> AsyncIterator[Finding]:
    """Look at everything a config names.

    Args:
        notices_max: count the matches of at most so many notices, from where the store is on.
    """
    for finding in (*_key(config), *_served(config)):
        yield finding
    store = None
    for finding, opened in _store(config):
        store = opened or store
        yield finding
    async for finding in _hub(config, store, notices_max):
        yield finding


def _wrong(error: UnbindError) -> Finding:
    return Finding(Verdict.WRONG, error.message, error.todo)


def _key(config: PlatformConfig) -> Iterator[Finding]:
    try:
        signer = signer_of(config)
    except UnbindError as wrong:
        yield _wrong(wrong)
        return
    yield Finding(Verdict.FINE, f"key {signer.key_id}, public half {signer.public.hex()}")
    if config.key_file.stat().st_mode & OTHERS_MAY_READ:
        yield Finding(Verdict.CARE, "others on this machine may read the key", f"chmod 600 {config.key_file}")


def _served(config: PlatformConfig) -> Iterator[Finding]:
    if config.served is None:
        what = "login_check.served is not said: check-server calls every number that was not given up unknown"
        todo = "Name the prefixes whose operators tell the hub, each with since when; `all` if all do."
        yield Finding(Verdict.CARE, what, todo)


def _store(config: PlatformConfig) -> Iterator[tuple[Finding, AccountStore | None]]:
    try:
        store = store_of(config, make_tables=False)
        found = store.readability()
    except UnbindError as wrong:
        yield _wrong(wrong), None
        return
    yield Finding(Verdict.FINE, f"accounts: {found.rows} with a number"), store
    yield from ((one, None) for one in numbers(found, config))
    if isinstance(store, SqlStore) and (ages := store.ages()).unreadable:
        what = f"{ages.unreadable} of {ages.rows} ages lie outside 1990 to 2100, or cannot be read"
        todo = "Say bound_at.unit, s or ms, as they are written. An account of unknown age is frozen, never unbound."
        yield Finding(Verdict.CARE, what, todo), None
    if isinstance(config.store, SqlConfig):
        with told():
            yield _index(engine_of(config.store), config.store), None
        if config.store.columns.get("frozen") is None:
            what = f"no frozen column: the login must consult the table {config.store.prefix}frozen"
            yield Finding(Verdict.CARE, what, "See docs/platform-sql.md."), None
        if config.store.columns.get("proven_at") is None:
            what = "no column of the last proof by a code: accounts in use cannot be told from given-up ones"
            yield Finding(Verdict.CARE, what, "Name it as columns.proven_at; see docs/platform-sql.md."), None


def numbers(found: Readability, config: PlatformConfig) -> Iterator[Finding]:
    """Say how many numbers of a store cannot be read, how many of these may be one of several, and what to do."""
    if found.share > config.settings.unreadable_share_max:
        todo = "Declare every form the store writes numbers in, under `numbers`, or mend the rows."
        yield Finding(Verdict.WRONG, f"{found.unreadable} of {found.rows} numbers cannot be read", todo)
    elif found.unreadable:
        todo = "Nothing will be found by these; mend the rows."
        yield Finding(Verdict.CARE, f"{found.unreadable} of {found.rows} numbers cannot be read", todo)
    yield from _ambiguous(found)
    yield from _bare_codes(config)


def _ambiguous(found: Readability) -> Iterator[Finding]:
    """Say how many numbers may be one of several, without a digit of them, and what to do."""
    if found.ambiguous:
        such = f", such as {'; '.join(found.shapes)}" if found.shapes else ""
        what = f"{found.ambiguous} of these may be one of several numbers{such}"
        todo = (
            "Nobody is unbound by these, and their cases are FAILED. Write the rows with + and the country code; where "
            "the country has a column of its own, name a column (or a view's) that puts both together. If all rows "
            'begin with their country code, write numbers: {international: [""]} and no region.'
        )
        yield Finding(Verdict.CARE, what, todo)


def _bare_codes(config: PlatformConfig) -> Iterator[Finding]:
    """Say that bare digits with a country code are taken at their word where no region is said."""
    store = config.store
    if isinstance(store, SqlConfig) and "" in (store.numbers.international or ()) and store.numbers.region is None:
        what = "numbers are bare digits, and no region is said: each is read with its country code"
        todo = "If national numbers may stand among them, say whose: region: CN. Then what may be both is told."
        yield Finding(Verdict.CARE, what, todo)


def _index(engine: Engine, config: SqlConfig) -> Finding:
    number, look = config.columns["number"], inspect(engine)
    starts: list[list[str | None]] = [
        one["column_names"][:1] for one in look.get_indexes(config.table, schema=config.schema)
    ]
    uniques = look.get_unique_constraints(config.table, schema=config.schema)
    starts += [list(one["column_names"][:1]) for one in uniques]
    starts.append(list(look.get_pk_constraint(config.table, schema=config.schema)["constrained_columns"][:1]))
    if [number] in starts:
        return Finding(Verdict.FINE, f"column {number} has an index")
    todo = f"CREATE INDEX {config.table}_{number} ON {config.table} ({number})"
    return Finding(Verdict.CARE, f"column {number} has no index: every batch reads the whole table", todo)


async def _hub(config: PlatformConfig, store: AccountStore | None, notices_max: int) -> AsyncIterator[Finding]:
    try:
        address = address_of(config)
        yield await _topics(config, address)
        if store is not None:
            yield await _matches(config, store, address, notices_max)
    except UnbindError as wrong:
        yield _wrong(wrong)


async def _topics(config: PlatformConfig, address: HubAddress) -> Finding:
    settings = replace(config.settings, retries_max=2)
    async with connected(address, config.platform, settings) as wire:
        ends = await wire.ends(range(address.partitions))
    producer = AIOKafkaProducer(bootstrap_servers=address.bootstrap_servers, **address.security)
    try:
        await producer.start()
        found = len(await producer.partitions_for(ACKS))
    except KafkaError as wrong:
        what = f"topic {ACKS} cannot be reached: {type(wrong).__name__}"
        return Finding(Verdict.WRONG, what, "Ask the hub for the right to write acknowledgements.")
    finally:
        await producer.stop()
    what = f"{RELEASES}: {sum(ends.values())} notices in {address.partitions} partitions; {ACKS}: {found} partitions"
    return Finding(Verdict.FINE, what + " (whether it may be written shows at the first acknowledgement)")


async def _matches(config: PlatformConfig, store: AccountStore, address: HubAddress, notices_max: int) -> Finding:
    settings = replace(config.settings, dry_run=True, retries_max=2)
    adapter = PlatformAdapter(config.platform, store, signer_of(config), address, settings)
    async with connected(address, config.platform, settings) as wire:
        ends = await wire.ends(range(address.partitions))
    places = {one: place.next_offset for one, place in store.progress().places.items()}
    most = max(1, notices_max // address.partitions)
    until = {one: min(end, places.get(one, 0) + most) for one, end in ends.items()}
    await adapter.run_until(until)
    left = sum(ends[one] - until[one] for one in ends)
    more = f"; {left} further ones were not looked at" if left else ""
    return Finding(Verdict.FINE, f"it would do: {summary(adapter)}{more}")
