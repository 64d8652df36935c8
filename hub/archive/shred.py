"""From a message to its rows: values in, values out, the same for following, rebuilding and checking.

Rules:
1. Every message becomes one row of `messages`, its bytes whole, whatever it is.
2. One that decodes becomes rows of the tables its kind belongs to as well; one that does not is marked, and is all
   the same.
3. Rows of a message depend on that message alone. Only notices need more, the fold of `releases`: see
   `hub.archive.case_rows`.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from hub.archive.makers import MAKERS, RECEIPTS
from hub.archive.packing import pack
from hub.archive.rows import MessageRow, Row, plain_text
from hub.core.model import Record, Refusal, ReleaseNotice
from hub.errors import ContractError
from hub.wire import contracts
from hub.wire.contracts import KINDS, decode

log = logging.getLogger(__name__)

MARK_MAX = 200
_KIND_NAMES = {kind: name for name, kind in KINDS.items()}


class Shredded(NamedTuple):
    """Rows of one message, and its content if that is a notice, which the fold needs."""

    message: MessageRow
    rows: tuple[Row, ...]
    notice: ReleaseNotice | None = None


def shred(record: Record) -> Shredded:
    """The rows of a message."""
    try:
        content = decode(record.value, *_kinds(record.topic))
        made = tuple(MAKERS[type(content)](record, content))
    except ContractError as wrong:
        return unreadable(record, plain_text(wrong.message))
    except Exception as error:  # noqa: BLE001  (one message must not stop the rest; it is kept, marked)
        log.error("%s %d-%d: %s; kept as bytes", record.topic, record.partition, record.offset, type(error).__name__)
        return unreadable(record, f"{Refusal.HUB_FAULT}: {type(error).__name__}")
    message = _message(record, _KIND_NAMES[type(content)], None)
    return Shredded(message, made, content if isinstance(content, ReleaseNotice) else None)


def unreadable(record: Record, mark: str) -> Shredded:
    """A message that is kept as bytes alone. `mark`: why."""
    return Shredded(_message(record, None, mark[:MARK_MAX]), ())


def _message(record: Record, kind: str | None, mark: str | None) -> MessageRow:
    return MessageRow(record.topic, record.partition, record.offset, record.record_time, kind, mark, pack(record))


def _kinds(topic: str) -> tuple[type, ...]:
    name = f"{RECEIPTS}<operator>" if topic.startswith(RECEIPTS) else topic
    return tuple(KINDS[one] for one in contracts.topics()[name].kinds)
