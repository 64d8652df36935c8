"""This module reads an operator's own topic: the receipts of its messages, and notices about its ported numbers.

For example, when lake opens a case of a number in the ranges of hill, hill's topic has a `PortedNotice` that says so.
"""

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
    """This sorts what is in an operator's topic.

    Args:
        on_ported: called for each notice that another operator opens a case of a number in this one's ranges; after
            a restart it is called again for the last ones.
    """

    def __init__(self, on_ported: OnPorted | None) -> None:
        self.ported: Counter[tuple[str, Decision]] = Counter()
        self._on_ported = on_ported

    def read(self, batch: Sequence[Any]) -> list[Receipt]:
        """Return the receipts of a batch of records; ported notices are counted and passed on."""
        receipts = []
        for record in batch:
            try:
                found = decode(record.value, Receipt, PortedNotice, ReportReceipt)
            except ContractError as wrong:
                # It may be of a later schema; this version cannot count it, and logs that.
                _log.warning("the receipt at %d cannot be read: %s", record.offset, wrong.message)
                continue
            if isinstance(found, Receipt):
                receipts.append(found)
            elif isinstance(found, PortedNotice):  # `send_report` reads the receipts of people's reports
                self.ported[found.operator, found.decision] += 1
                if self._on_ported is not None:
                    self._on_ported(found)
        return receipts
