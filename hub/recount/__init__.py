"""This package is the truth check: it works out every platform's coverage again from the logs, with other code.

It reads `releases`, `acks` and the roster from their start, takes the newest `coverage` records, and at each record's
own `as_of` compares every figure. Of the hub it uses only the values of `hub.core.model` and the schema files. It has
plain dictionaries and sets and takes one pair of case and platform at a time; it is slow on purpose, so that one can
see that it is right.

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
