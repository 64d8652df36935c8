"""This module turns a message into its rows: it takes values and returns values.

Following, rebuilding and checking all use it, so they give the same rows.

Rules:
1. Every message becomes one row of `messages` with its whole bytes, whatever it is.
2. A message that decodes also becomes rows of the tables of its kind. One that does not decode has only its row of
   `messages`, with a mark that says why.
3. The rows of a message depend on that message alone. Only a notice needs more, the fold of `releases`: see
   `hub.archive.case_rows`.

For example, an operator's event becomes a row of `messages` and a row of `events`.
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
    """The rows of one message, and the notice if it is one, because the fold needs it."""

    message: MessageRow
    rows: tuple[Row, ...]
    notice: ReleaseNotice | None = None


def shred(record: Record) -> Shredded:
    """Return the rows of a message."""
    try:
        content = decode(record.value, *_kinds(record.topic))
        made = tuple(MAKERS[type(content)](record, content))
    except ContractError as wrong:
        return unreadable(record, plain_text(wrong.message))
    except Exception as error:  # noqa: BLE001  (one message must not stop the rest; it is kept with a mark)
        log.error("%s %d-%d: %s; kept as bytes", record.topic, record.partition, record.offset, type(error).__name__)
        return unreadable(record, f"{Refusal.HUB_FAULT}: {type(error).__name__}")
    message = _message(record, _KIND_NAMES[type(content)], None)
    return Shredded(message, made, content if isinstance(content, ReleaseNotice) else None)


def unreadable(record: Record, mark: str) -> Shredded:
    """Return the row of a message that is kept only as bytes. `mark` says why."""
    return Shredded(_message(record, None, mark[:MARK_MAX]), ())


def _message(record: Record, kind: str | None, mark: str | None) -> MessageRow:
    return MessageRow(record.topic, record.partition, record.offset, record.record_time, kind, mark, pack(record))


def _kinds(topic: str) -> tuple[type, ...]:
    name = f"{RECEIPTS}<operator>" if topic.startswith(RECEIPTS) else topic
    return tuple(KINDS[one] for one in contracts.topics()[name].kinds)
