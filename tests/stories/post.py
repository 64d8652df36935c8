"""How messages reach people in a story: by the number they hold now, and by their e-mail address."""

from __future__ import annotations

import re
from collections import deque
from threading import Lock

KEPT = 8
"""Messages an inbox keeps: the newest are read, the rest is nobody's business."""


class Post:
    """The operator's network and the mail.

    A message to a number lies with whoever holds the number at that moment, and with nobody while nobody does: the
    one fact that makes a code by SMS a proof, and a recycled number a break-in.
    """

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}
        self._inboxes: dict[str, deque[str]] = {}
        self._lock = Lock()

    def hand_over(self, number: str, person: str | None) -> None:
        """From now on this person holds the number; None: it is out of service."""
        with self._lock:
            if person is None:
                self._holders.pop(number, None)
            else:
                self._holders[number] = person

    def holder(self, number: str) -> str | None:
        """Who holds a number now."""
        return self._holders.get(number)

    def sms(self, number: str, text: str) -> None:
        """A message to a number."""
        person = self._holders.get(number)
        if person is not None:
            self._put(person, text)

    def mail(self, address: str, text: str) -> None:
        """A message to an e-mail address."""
        self._put(address, text)

    def _put(self, box: str, text: str) -> None:
        with self._lock:
            self._inboxes.setdefault(box, deque(maxlen=KEPT)).append(text)

    def newest(self, box: str) -> str | None:
        """The newest message of a person (by SMS) or an address (by mail)."""
        found = self._inboxes.get(box)
        return found[-1] if found else None

    def code(self, box: str) -> str | None:
        """The code in the newest message."""
        text = self.newest(box)
        found = None if text is None else re.search(r"\b\d{6}\b", text)
        return None if found is None else found.group()
