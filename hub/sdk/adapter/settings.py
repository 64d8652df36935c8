"""This module holds the settings of one adapter, and the defaults of the two functions that a platform may give it.

For example, `AdapterSettings(dry_run=True)` matches and counts, and changes nothing.
"""

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
    """This says what a platform does about a notice."""

    ACT = "ACT"
    RECEIVE_ONLY = "RECEIVE_ONLY"
    """The notice is received and nothing is done or said about it."""

    DEAF = "DEAF"
    """The notice is not even received, nor is anything after it in its partition."""


Listen = Callable[[ReleaseNotice], Listening]


def always_done(deed: Deed, account_id: str, notice: ReleaseNotice) -> Done:  # noqa: ARG001 - an `Act`
    """Return DONE: the platform has nothing to add, and what the store writes is all there is to do."""
    return Done.DONE


def always_act(notice: ReleaseNotice) -> Listening:  # noqa: ARG001 - a `Listen`
    """Return ACT, so that the platform acts on every notice."""
    return Listening.ACT


@dataclass(frozen=True)
class AdapterSettings:
    """These are the settings of one adapter."""

    batch_max: int = 5_000
    """So many notices are handled in one transaction; this bounds its memory and its locks."""

    linger_ms: int = 200
    """A batch waits so long to fill."""

    fuse_unbinds_per_day: int | None = 1_000
    """So many unbinds one operator's notices may have in any 24 hours of record time. Beyond it its accounts are frozen
    in place of unbound until a person looks; other operators' notices go on. None turns it off."""

    fuse_put_backs_per_day: int | None = 1_000
    """So many numbers may be put back on accounts because of one operator's notices in any 24 hours of record time.
    Beyond it none is until a person looks. None turns it off."""

    unreadable_share_max: float = 0.01
    """This share of bound rows may be unreadable. A false "not bound" is the worst answer there is."""

    dry_run: bool = False
    """The adapter matches and counts, changes and acknowledges nothing, does not ask the platform, and has no fuse."""

    clock: Callable[[], int] | Literal["world"] = system_clock
    """This gives `sent_at`; with "world" each acknowledgement carries the time of the last notice it covers."""

    authority: bool = False
    """In a replayed world: whether the world has the rules of authority, by which a number is put back only where
    nobody else holds it, and nothing is done to an account that gives signs of life. Elsewhere they always hold."""

    freeze_at: frozenset[Stage] = frozenset()
    """At these stages accounts are frozen where by default they are unbound: this is milder, and a gap for longer."""

    actions: Mapping[Outcome, tuple[Action, ...]] = field(default_factory=dict)
    """This says what each outcome means on this platform, such as FROZEN: (LOGIN_OFF, RECOVERY_OFF)."""

    retries: RetryPlan | None = RetryPlan()  # noqa: RUF009 - an immutable value
    """This says when an account that failed is tried again; with None, or in a world's time, only at the next stage."""

    retry_batch_max: int = 500
    """So many cases are tried again at once."""

    retry_poll_ms: int = 1_000
    """The store is asked this often whether something is to be tried again."""

    retries_max: int = 10
    """What the broker or the database may do later is attempted so many times in a row; then the adapter stops."""

    backoff_ms: int = 100
    """The wait before the second attempt; each further one waits twice as long."""

    backoff_max_ms: int = 10_000
    """No wait is longer than this."""

    silence_s_max: float = 60.0
    """`run_until` raises if nothing comes for so long before it is at its ends: then the brokers are at fault."""

    heartbeat_s: float = 5.0
    """The adapter checks this often whether it has heard all notices, and tells the login check, which otherwise cannot
    answer "no". It does not do so in a replayed world (`clock="world"`), whose time is not the login's."""

    def rules(self, act: Act) -> Rules:
        """Return how the platform acts: a dry run asks nothing and has no fuse, and a world tries nothing again."""
        world = self.clock == "world"
        usual = Rules(always_done, freeze_at=self.freeze_at, authority=self.authority or not world, by_record=world)
        if self.dry_run:
            return usual
        return usual._replace(
            act=act,
            fuse_unbinds_per_day=self.fuse_unbinds_per_day,
            retries=None if world else self.retries,
            fuse_put_backs_per_day=self.fuse_put_backs_per_day,
        )
