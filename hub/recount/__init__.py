"""The truth check: every platform's coverage worked out once more from the logs, with other code.

It reads `releases`, `acks` and the roster from their start, takes the newest `coverage` records, and at each record's
own `as_of` compares every figure. Of the hub it
uses the values of `hub.core.model`, the schema files and nothing else. Plain dictionaries and sets, a pair at a time;
slow on purpose, so that it can be seen to be right.

`wire` reads messages, `bitmaps` Roaring sets, `cases` folds releases, `acks` judges acknowledgements, `figures` counts,
`check` compares, `clearance` decides on the numbers of a clearance, `reading` gets it all from Kafka.
"""

from hub.recount.check import Difference, Logs, compare, compute
from hub.recount.clearance import OtherAnswer, Recounted, recount_lookup
from hub.recount.reading import recount, recount_clearance

__all__ = [
    "Difference",
    "Logs",
    "OtherAnswer",
    "Recounted",
    "compare",
    "compute",
    "recount",
    "recount_clearance",
    "recount_lookup",
]
