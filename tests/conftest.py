"""What all tests share: a property takes as long as the machine takes, and is no worse for it."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("hub", deadline=None)
settings.load_profile("hub")
