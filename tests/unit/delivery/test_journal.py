"""The journal of delivery remembers places and health, for the same log alone."""

from __future__ import annotations

from pathlib import Path

from hub.delivery.health import Answer, Health, Verdict, judged
from hub.delivery.journal import Journal, Place
from hub.delivery.settings import Patience

FAILED = Answer(Verdict.FAILED, "500")


def test_the_journal_remembers_places_and_health(tmp_path: Path) -> None:
    """What was kept is there after a restart, for the same channel; another channel begins with new health."""
    health = judged(Health(), 3, FAILED, 1_000, Patience(), 0.5)
    journal = Journal(tmp_path, b"l" * 16)
    journal.put("hooky", {0: Place(5, b"d" * 32, 9), 7: Place(1, b"e" * 32)})
    journal.put("other", {0: Place(2)})
    journal.put_health("hooky", "webhook a", health)
    journal.close()
    journal = Journal(tmp_path, b"l" * 16)
    assert journal.places("hooky") == {0: Place(5, b"d" * 32, 9), 7: Place(1, b"e" * 32)}
    assert journal.health("hooky", "webhook a") == health
    assert journal.health("hooky", "webhook b") == Health()
    journal.close()


def test_the_journal_of_another_log_is_worth_nothing(tmp_path: Path) -> None:
    """Positions of a hub made anew begin at 0, whatever lies in the folder."""
    journal = Journal(tmp_path, b"l" * 16)
    journal.put("hooky", {0: Place(5, b"d" * 32)})
    journal.close()
    journal = Journal(tmp_path, b"m" * 16)
    assert journal.places("hooky") == {}
    journal.close()
    journal = Journal(tmp_path, b"l" * 16)
    assert journal.places("hooky") == {}
    journal.close()
