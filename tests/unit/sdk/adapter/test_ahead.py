"""Looking ahead in a backlog: what is undone further on is never done, and what the fold ignores undoes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from hub.clock import Silence
from hub.core.model import SEGMENT, Outcome, Record, Source, Stage
from hub.errors import HubError
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.ahead import Ahead
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.looking_ahead import look_ahead
from hub.sdk.adapter.settings import always_done
from hub.sdk.stores import MemoryStore
from hub.wire.contracts import RELEASES, encode
from tests.unit.adapter_driver import NOW, NUMBER, OLD, OTHER, Log, answers


def looked(log: Log, last_source: int = -1) -> Ahead:
    ahead = Ahead({0: last_source})
    for one in log.notices:
        ahead.look(one.position, one.notice)
    return ahead


def heard(store: MemoryStore, log: Log, ahead: Ahead) -> None:
    batch = [one._replace(undone_later=ahead.is_undone(one.position, one.notice)) for one in log.notices]
    carry_out(store, batch, Rules(always_done))


def test_what_is_withdrawn_by_then_is_never_done() -> None:
    """A case whose withdrawal lies in the backlog touches no account, and nothing is said of it; others are handled."""
    store, log = MemoryStore([("a", NUMBER, OLD), ("b", OTHER, OLD)]), Log()
    log.add(Stage.COOLING)
    log.add(Stage.COOLING, number=OTHER)
    log.add(Stage.RELEASED, 0)
    log.add(Stage.WITHDRAWN, 0)
    heard(store, log, looked(log))
    accounts = [store.get(name) for name in "ab"]
    assert [(one.number, one.frozen) for one in accounts if one] == [(NUMBER, False), (OTHER, True)]
    assert answers(store, log) == {Source(0, 1): {Outcome.FROZEN}}


def test_what_was_frozen_before_the_backlog_is_only_thawed() -> None:
    """Frozen long ago, released and restored in the backlog: it is not unbound in between, and it is put back."""
    store, log = MemoryStore([("a", NUMBER, OLD)]), Log()
    log.add(Stage.COOLING)
    carry_out(store, log.notices, Rules(always_done))
    log.add(Stage.SCHEDULED, 0)
    log.add(Stage.RESTORED, 0)
    ahead = looked(log)
    heard(store, log, ahead)
    one = store.get("a")
    assert one is not None
    assert (one.number, one.frozen) == (NUMBER, False)
    assert answers(store, log) == {Source(0, 0): {Outcome.FROZEN, Outcome.REINSTATED}}
    ahead.forget()
    assert not ahead.is_undone(log.notices[1].position, log.notices[1].notice)


def test_a_repeated_source_undoes_nothing() -> None:
    """What a zombie wrote once more is ignored by the fold, so nothing is spared because of it."""
    log = Log()
    log.add(Stage.COOLING)
    log.add(Stage.WITHDRAWN, 0, source=Source(0, 0))
    assert not looked(log).is_undone(log.notices[0].position, log.notices[0].notice)
    later = Log()
    later.add(Stage.WITHDRAWN, 0, source=Source(0, 7))
    assert not looked(later, last_source=7).is_undone(log.notices[0].position, log.notices[0].notice)


class Topic:
    """The adapter's connection to one partition of `releases` that lies in memory; `holes` at its end are empty."""

    def __init__(self, log: Log, holes: int = 0) -> None:
        self._log = log
        self._end = len(log.notices) + holes
        self.places: dict[int, int] = {}

    async def seek(self, places: Mapping[int, int]) -> None:
        self.places = dict(places)

    async def fetch(self, wait_ms: int, records_max: int) -> list[Record]:  # noqa: ARG002 - as of the wire
        start = self.places[0]
        some = [one for one in self._log.notices if one.position.offset >= start][:records_max]
        self.places[0] = some[-1].position.offset + 1 if some else self._end
        return [Record(RELEASES, *one.position, NOW, None, encode(one.notice), ()) for one in some]

    async def positions(self, partitions: Iterable[int]) -> dict[int, int]:
        return {one: self.places[one] for one in partitions}


async def test_the_backlog_is_read_to_its_end_and_begun_at_its_place() -> None:
    """Part by part, also past places without a record, and only once; then the connection is where it was."""
    log = Log()
    for number in range(5):
        log.add(Stage.COOLING, number=f"+8613800138{number:03d}")
    log.add(Stage.WITHDRAWN, 3)
    topic, ahead = Topic(log, holes=2), Ahead({})
    await look_ahead(topic, ahead, {0: 1}, {0: 8}, Silence(60), 2, lambda: False)
    assert (topic.places, ahead.until) == ({0: 1}, {0: 8})
    undone = [one.position.offset for one in log.notices if ahead.is_undone(one.position, one.notice)]
    assert undone == [3]
    topic.places.clear()
    await look_ahead(topic, ahead, {0: 1}, {0: 8}, Silence(60), 2, lambda: False)
    assert topic.places == {}, "nothing is read twice"


async def test_brokers_that_bring_nothing_end_the_look_ahead() -> None:
    """The end that was promised and never comes is an error, and no loop without one."""
    with pytest.raises(HubError, match="nothing more"):
        await look_ahead(Topic(Log()), Ahead({}), {0: 0}, {0: 8}, Silence(0), 2, lambda: False)


def test_ten_million_notices_take_little_memory() -> None:
    """One bit for each position at most: a tenth of a backlog of 10 M that is undone takes less than 1.4 MB."""
    ahead, log = Ahead({}), Log()
    log.add(Stage.WITHDRAWN, 0)
    notice = log.notices[0].notice
    for offset in range(0, 10_000_000, 997):  # scattered: each segment has its bitmap
        ahead.look(Source(0, offset), notice._replace(opened_at=offset, source=Source(0, offset)))
    sizes = [len(bits.serialize()) for bits in ahead._undone.values()]
    assert len(sizes) == 10_000_000 // SEGMENT + 1
    assert sum(sizes) < 1_400_000
