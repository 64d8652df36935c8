"""How far the archive is, for the pipeline page: its own places against the ends of the logs as they are. Pure.

What the archive last saw of the ends is no measure: one that died saw itself abreast. Ages are by the hub's clock,
which may be a replayed world's; when the archive was last heard of it writes by the machine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka import TopicPartition

from hub.archive.answers import Place
from hub.web.shapes import FollowerRow

READER = "archive"
SILENT_MS = 30_000
"""An archive that runs looks at the ends every 2 s; a batch that is slow to write may take some more."""


def archive_rows(
    places: Iterable[Place], ends: Mapping[TopicPartition, int], now_ms: int, seen_now_ms: int
) -> list[FollowerRow]:
    """A row for each log.

    Args:
        now_ms: the hub's time, which messages are stamped with.
        seen_now_ms: the machine's time.
    """
    rows: dict[str, FollowerRow] = {}
    known = list(places)
    silent = seen_now_ms - max((one.seen_at for one in known), default=0) > SILENT_MS
    for one in known:
        end = ends.get(TopicPartition(one.topic, one.part), one.log_end)
        behind = max(0, end - one.next_offset)
        age = max(0, now_ms - one.record_time) if behind and one.record_time is not None else None
        row = rows.get(one.topic) or FollowerRow(reader=READER, topic=one.topic, behind=0)
        rows[one.topic] = FollowerRow(
            reader=READER,
            topic=one.topic,
            behind=row.behind + behind,
            behind_ms=max((found for found in (row.behind_ms, age) if found is not None), default=None),
            silent=silent,
        )
    return list(rows.values())
