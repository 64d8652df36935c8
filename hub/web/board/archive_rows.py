"""This module says how far the archive is, for the pipeline page: it compares its places with the ends of the logs.

The ends that the archive last saw itself do not count: an archive that died at the end saw itself up to date. Ages are
measured with the hub's clock, which may be that of a replayed world; when the archive was last seen is by the machine's
clock. The module is pure. For example, if the archive keeps `acks` 3 up to 40 and the log ends at 50, it is 10 behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka import TopicPartition

from hub.archive.answers import Place
from hub.web.shapes import FollowerRow

READER = "archive"
SILENT_MS = 30_000
"""After this time the archive counts as silent: it looks at the ends every 2 s, but a slow batch may take longer."""


def archive_rows(
    places: Iterable[Place], ends: Mapping[TopicPartition, int], now_ms: int, seen_now_ms: int
) -> list[FollowerRow]:
    """Return a row for each log.

    Args:
        now_ms: the hub's time, which stamps messages.
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
