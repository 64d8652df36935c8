"""The coverage stage without a broker: shelves over a world's logs, killed and taken over as a seed says.

Topics are dictionaries and lists; the stage's promises are kept here as `hub.stream.coverage` keeps them: a flush
writes its tiles, then acks its chunks, then removes what is replaced and says by which keys it judged. A kill may come
between any two of these.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from hub.core.acks import OpenedAck
from hub.core.flush import Flush
from hub.core.model import Coverage, Gaps, Judged, Received, Record, Refusal, Source, Tile
from hub.core.roster import keys_changed
from hub.core.shelf import Read, Shelf
from hub.recount.check import Difference, compare
from hub.wire.checking import Opener
from hub.wire.contracts import ACKS, COVERAGE, PLATFORMS, RELEASES, REPORTED, encode, partition_of
from tests.unit.adversary_logs import LOG_ID, PARTITIONS, World
from tests.unit.late_reader import LateReader


class CoverageDriver:
    """One worker that serves every partition of a world's `acks`; `known` has folded the other logs."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.known = LateReader(world)
        self.tiles: list[dict[bytes, Tile | Received | Judged]] = [{} for _ in range(PARTITIONS)]
        self.committed = [0] * PARTITIONS
        self.coverage: dict[str, Coverage] = {}
        self.gaps: dict[tuple[str, int, int], Gaps] = {}
        self.refused: dict[Source, Refusal] = {}
        self.differences: list[Difference] = []
        self.kills = self.checked = 0
        self._opener = Opener("h", LOG_ID, PARTITIONS)
        self._epochs = 0
        self.shelves = [self.acquire(one) for one in range(PARTITIONS)]

    def acquire(self, partition: int) -> Shelf:
        """Take a partition over: what the tiles of every epoch say, from the committed offset on."""
        self._epochs += 1
        shelf = Shelf(
            self.known.universe,
            self.known.digests,
            self.known.roster,
            self.known.state.disputes,
            partition=partition,
            epoch=self._epochs.to_bytes(16, "big"),
            is_home=lambda platform: partition_of(platform.encode(), PARTITIONS) == partition,
        )
        for topic in (PLATFORMS, RELEASES, REPORTED):
            self.known.read_all(topic)
        for key, stored in self.tiles[partition].items():
            shelf.load(key, stored)
        end = len(self.world.logs[ACKS][partition])
        shelf.begin(self._roster_place(), next_ack=self.committed[partition], exact_from=end)
        return shelf

    def kill(self, partition: int) -> Shelf:
        """The worker dies, or loses the partition: what it holds in memory is gone from here. The old shelf."""
        self.kills += 1
        old, self.shelves[partition] = self.shelves[partition], self.acquire(partition)
        return old

    def take(self, partition: int, count: int) -> None:
        """Merge the next few acknowledgements of a partition, if they can be judged yet."""
        shelf = self.shelves[partition]
        records = self.world.logs[ACKS][partition][shelf.next_ack : shelf.next_ack + count]
        opened = self._judged(shelf, records) if records else None
        if opened:
            end = records[-1].offset + 1
            shelf.take(opened, end, lambda: self.commit(partition, end))

    def commit(self, partition: int, end: int) -> None:
        """A chunk is durable: it is not read again."""
        self.committed[partition] = max(end, self.committed[partition])

    def _judged(self, shelf: Shelf, records: Sequence[Record]) -> list[OpenedAck] | None:
        """Open acknowledgements by a roster that the books are settled by; None while that has to wait."""
        while True:
            place = self._roster_place()
            opened = self._open(records)
            if opened is None or not self.settle(shelf):
                return None
            if self._roster_place() == place:
                return opened

    def _open(self, records: Sequence[Record]) -> list[OpenedAck] | None:
        opened = self._opener.acks(records, self.known.roster)
        if any(one.refusal is Refusal.BAD_SIGNATURE for one in opened):
            self.known.read_all(PLATFORMS)
            opened = self._opener.acks(records, self.known.roster)
        return None if any(self.known.is_early(one) for one in opened) else opened

    def settle(self, shelf: Shelf) -> bool:
        """Fold again what has to be, as `hub.folds.acks` does; whether every book is settled."""
        shelf.sync_roster(self._roster_place())
        for platform in shelf.unsettled():
            home = partition_of(platform.id.encode(), PARTITIONS)
            read = [one for one in self.world.logs[ACKS][home][: shelf.held_to] if one.key == platform.id.encode()]
            changed = keys_changed(shelf.book(platform.id).judged_by, platform.keys)
            if not any(one.record_time >= since for one in read for since in changed.values()):
                shelf.settle(platform)
                continue
            opened = self._open(read)
            if opened is None:
                return False
            fresh = shelf.fresh()
            lost = [one for one in opened if fresh.merge(one) is Refusal.BAD_SIGNATURE]
            if self.known.roster.platforms[platform.id].keys != platform.keys:
                return False  # once more, by its newest keys
            shelf.replace(platform, fresh)
            shelf.refuse(lost)
        return not shelf.unsettled()

    def flush(self, partition: int, *, steps: int | None = None) -> None:
        """Carry a flush out, or only its first `steps`: writes, acks and changes, in their order."""
        plan = self.shelves[partition].flush()
        if plan is not None:
            self.carry_out(partition, plan, steps)

    def wake(self, zombie: Shelf, partition: int) -> None:
        """A worker that lost its partition unseen writes its tiles; its acks do not count, and it removes nothing."""
        plan = zombie.flush()
        if plan is not None:
            self.tiles[partition].update(plan.writes)

    def carry_out(self, partition: int, plan: Flush, steps: int | None) -> None:
        """Carry a plan out, or its first steps."""
        done = 0
        for key, value in plan.writes:
            if done == steps:
                return
            self.tiles[partition][key] = value
            done += 1
        for record, _, reason in plan.refused:
            self.refused[Source(record.partition, record.offset)] = reason
        for ack in plan.acks:
            if done == steps:
                return
            ack()
            done += 1
        for key, change in plan.changes:
            if done == steps:
                return
            if change is None:
                self.tiles[partition].pop(key, None)
            else:
                self.tiles[partition][key] = change
            done += 1

    def refresh(self, partition: int) -> None:
        """Publish every platform's coverage and the gaps that moved; check each against the recount."""
        shelf = self.shelves[partition]
        if not shelf.exact:
            return
        shelf.sync_roster(self._roster_place())
        positions = self.known.positions()
        read = Read(positions.releases, positions.reported, self.world.now_ms)
        for name in list(shelf.books):
            coverage = shelf.publish(name, read, complete=True)
            if coverage is not None:
                self.coverage[name] = coverage
                self._check(coverage)
        for name, key in shelf.stale_gaps():
            self.gaps[name, *key] = shelf.gaps(name, key, read)

    def _check(self, coverage: Coverage) -> None:
        logs = self.world.recount_logs()
        known = logs.platforms[: coverage.as_of.platforms]
        self.checked += 1
        found = compare(logs._replace(platforms=known, coverage=[_record(coverage)]))
        self.differences += [one for one in found if one.platform == coverage.platform]

    def _roster_place(self) -> int:
        return self.known.places[PLATFORMS, 0]


def _record(coverage: Coverage) -> Record:
    key = coverage.platform.encode()
    return Record(COVERAGE, coverage.as_of.acks_partition, 0, coverage.as_of.now_ms, key, encode(coverage), ())
