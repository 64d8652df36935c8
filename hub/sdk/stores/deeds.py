"""This module logs deeds: by case and account, never by number.

For example, it logs "FREEZE of account u1 for case 7-120033: DONE".
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from hub.sdk.accounts import Done
from hub.sdk.deeds import Ask

TELLING_DIGITS = 7
"""An account id that has so many of a number's last digits reveals the number, so no log names it."""


def log_answer(log: logging.Logger, ask: Ask, done: Done) -> None:
    """Log what was asked of one account, and the answer."""
    named = ask.number[-TELLING_DIGITS:] in ask.key.account_id
    shown = "(named by its number)" if named else ask.key.account_id
    log.info("%s of account %s for case %s: %s", ask.key.deed, shown, ask.key.case, done)


def log_done(log: logging.Logger, asks: Iterable[Ask]) -> None:
    """Log what was done, once it is committed."""
    if log.isEnabledFor(logging.INFO):
        for ask in asks:
            log_answer(log, ask, Done.DONE)
