"""What standings keep on disk: written with its places, and replaced whole where keys count otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyroaring import BitMap
from rocksdict import Options, Rdict

from hub.clearance.pair_state import PairState, PairStore
from hub.core.model import Key, Names, Outcome, Platform, PlatformState
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe
from tests.unit.late_reader import Digests

LOG_ID = b"l" * 16
KEY = Key("bank-1", b"p" * 32, 5, None, 9)
BANK = Platform("bank", Names("银行", "Bank"), "bank", 1, PlatformState.CONNECTED, keys=(KEY,))


def state_of(platform: str, outcome: Outcome, *segments: int) -> PairState:
    """A state in which a platform said something of the first case of some segments."""
    state = PairState(Universe(), Digests(), Roster(), Disputes())
    for segment in segments:
        state.book(platform).tile((0, segment)).add(outcome, BitMap([1]))
        state.dirty_tiles.add((platform, (0, segment)))
        state.book(platform).receive(segment, 7)
        state.dirty_received.add((platform, segment))
        state.cohorts.hours[platform, segment] = np.ones(20, dtype=np.uint32)
        state.dirty_hours.add((platform, segment))
    return state


def kept(store: PairStore) -> dict[str, object]:
    """What a new state is loaded with, of every platform."""
    state = PairState(Universe(), Digests(), Roster(), Disputes())
    store.load(state)
    books = {
        name: ({key: tile.packed() for key, tile in book.tiles.items()}, book.received, book.judged_by)
        for name, book in state.books.items()
    }
    return {"books": books, "hours": set(state.cohorts.hours)}


def test_a_book_that_was_folded_anew_replaces_what_is_kept_of_it(tmp_path: Path) -> None:
    """Nothing is left of what no longer counts, another platform's is not touched, and the keys are kept with it."""
    store = PairStore(tmp_path, LOG_ID)
    state = state_of("bank", Outcome.UNBOUND, 0, 1)
    store.save(state, [])
    store.save(state_of("banker", Outcome.FROZEN, 1), [])
    store.save(state, [(0, 3)])
    state.dirty_received.add(("bank", 1))
    state.replace(BANK, state_of("bank", Outcome.FROZEN, 0))
    store.save(state, [])
    fresh, other = (
        state_of("bank", Outcome.FROZEN, 0).book("bank"),
        state_of("banker", Outcome.FROZEN, 1).book("banker"),
    )
    assert kept(store) == {
        "books": {
            "bank": ({(0, 0): fresh.tile((0, 0)).packed()}, {0: 7}, (KEY,)),
            "banker": ({(0, 1): other.tile((0, 1)).packed()}, {1: 7}, ()),
        },
        "hours": {("bank", 0), ("banker", 1)},
    }
    assert store.places(1) == {0: 3}
    store.close()


def test_what_is_kept_in_an_older_form_is_folded_again(tmp_path: Path) -> None:
    """A folder that does not say by which keys its books were judged is begun anew."""
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    older = Rdict(str(tmp_path), options)
    older[b"l"], older[b"o" + bytes(4)] = LOG_ID, (3).to_bytes(8, "big")
    older.close()
    store = PairStore(tmp_path, LOG_ID)
    assert store.places(1) == {0: 0}
    store.close()
