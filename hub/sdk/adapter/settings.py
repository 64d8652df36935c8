"""How one adapter works: its settings, and the two hooks through which a platform has its say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from hub.clock import system_clock
from hub.core.model import Action, Outcome, ReleaseNotice, Stage
from hub.sdk.accounts import Done
from hub.sdk.adapter.plans import Act, Rules
from hub.sdk.deeds import Deed, RetryPlan


class Listening(StrEnum):
    """What a platform does about a notice."""

    ACT = "ACT"
    RECEIVE_ONLY = "RECEIVE_ONLY"
    """It is received and nothing is done or said about it."""

    DEAF = "DEAF"
    """It is not even received, nor is anything behind it in its partition."""


Listen = Callable[[ReleaseNotice], Listening]


def always_done(deed: Deed, account_id: str, notice: ReleaseNotice) -> Done:  # noqa: ARG001 - an `Act`
    """The platform has nothing to add: what the store writes is all there is to do."""
    return Done.DONE


def always_act(notice: ReleaseNotice) -> Listening:  # noqa: ARG001 - a `Listen`
    """The platform acts on every notice."""
    return Listening.ACT


@dataclass(frozen=True)
class AdapterSettings:
    """How one adapter works."""

    batch_max: int = 5_000
    """Notices handled in one transaction; bounds its memory and its locks."""

    linger_ms: int = 200
    """How long a batch waits to fill."""

    fuse_unbinds_per_day: int | None = 1_000
    """Unbinds in any 24 hours of record time; beyond it the adapter stops and a person looks. None: off."""

    unreadable_share_max: float = 0.01
    """Share of bound rows that may be unreadable. A false "not bound" is the worst answer there is."""

    dry_run: bool = False
    """Match and count, change nothing, acknowledge nothing, ask the platform nothing; no fuse."""

    clock: Callable[[], int] | Literal["world"] = system_clock
    """Gives `sent_at`; "world": each acknowledgement carries the time of the last notice it covers."""

    freeze_at: frozenset[Stage] = frozenset()
    """Stages at which accounts are frozen where by default they are unbound: milder, and a gap for longer."""

    actions: Mapping[Outcome, tuple[Action, ...]] = field(default_factory=dict)
    """What each outcome amounts to on this platform, such as FROZEN: (LOGIN_OFF, RECOVERY_OFF)."""

    retries: RetryPlan | None = RetryPlan()  # noqa: RUF009 - an immutable value
    """When an account that failed is tried again. None, and always in a world's time: at the next stage alone."""

    retry_batch_max: int = 500
    """Cases tried again at once."""

    retry_poll_ms: int = 1_000
    """How often the store is asked whether something is to be tried again."""

    retries_max: int = 10
    """Attempts in a row at what the broker, or the store's database, may yet do; then the adapter stops."""

    backoff_ms: int = 100
    """Wait before the second of them; each next one waits twice as long."""

    backoff_max_ms: int = 10_000
    """But never longer."""

    silence_s_max: float = 60.0
    """`run_until` ends if nothing comes for so long before it is there: then the brokers are at fault."""

    heartbeat_s: float = 5.0
    """How often it looks whether it has heard everything there is and says so to the login check; its no rests on
    that. Not in a replayed world (`clock="world"`), whose time is not the login's."""

    def rules(self, act: Act) -> Rules:
        """How the platform acts. A dry run asks it nothing and has no fuse; a replayed world tries nothing again."""
        if self.dry_run:
            return Rules(always_done, freeze_at=self.freeze_at)
        retries = None if self.clock == "world" else self.retries
        return Rules(act, self.fuse_unbinds_per_day, retries, self.freeze_at)
