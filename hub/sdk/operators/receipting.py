"""Reading an operator's own topic: the receipts of its messages, and word of what others do with its numbers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hub.core.model import Decision, PortedNotice, Receipt, ReportReceipt
from hub.errors import ContractError
from hub.wire.contracts import decode

OnPorted = Callable[[PortedNotice], None]

_log = logging.getLogger(__name__)


class ReceiptReader:
    """Sorts what is in an operator's topic.

    Args:
        on_ported: called for each word that another operator opens a case of a number in this one's ranges; after
            a restart once more for the last ones.
    """

    def __init__(self, on_ported: OnPorted | None) -> None:
        self.ported: Counter[tuple[str, Decision]] = Counter()
        self._on_ported = on_ported

    def read(self, batch: Sequence[Any]) -> list[Receipt]:
        """Return the receipts of a batch of records; what else is there is counted and passed on."""
        receipts = []
        for record in batch:
            try:
                found = decode(record.value, Receipt, PortedNotice, ReportReceipt)
            except ContractError as wrong:
                # It may be of a later schema; this version cannot count it, and says so.
                _log.warning("the receipt at %d cannot be read: %s", record.offset, wrong.message)
                continue
            if isinstance(found, Receipt):
                receipts.append(found)
            elif isinstance(found, PortedNotice):  # receipts of people's reports are read by whoever passed them on
                self.ported[found.operator, found.decision] += 1
                if self._on_ported is not None:
                    self._on_ported(found)
        return receipts
