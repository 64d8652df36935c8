"""What one platform of a world did, account by account, and the figures the hub must show for it.

An account is ACTIVE, FROZEN or GONE, and remembers which cases touched it. Accounts whose id ends with
`fails_ending` or `declines_ending` never change; each case that concerns them is answered FAILED or DECLINED.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.oracle.world_files import World, milliseconds

if TYPE_CHECKING:
    from tests.oracle.world_oracle import OracleCase

HOUR = 3_600_000
DAY = 24 * HOUR
LIMITS = {1: 24 * HOUR, 2: 3 * DAY, 3: 7 * DAY}
SAID_FIRST = ("FAILED", "DECLINED", "FROZEN", "UNBOUND")
SHOWN_FIRST = ("UNBOUND", "FROZEN", "DECLINED", "NOT_BOUND", "FAILED")


@dataclass
class Account:
    """One binding. `bound_at` is None if its age is unknown."""

    id: str
    bound_at: int | None
    state: str = "ACTIVE"


class Actor:
    """One platform living through a world, notice by notice."""

    def __init__(self, platform: dict[str, Any], world: World) -> None:
        behaviour = platform.get("behaviour") or {}
        self.fails = behaviour.get("fails_ending")
        self.declines = behaviour.get("declines_ending")
        self.mute_from = _time(behaviour.get("mute_from"))
        self.deaf_from = _time(behaviour.get("deaf_from"))
        self.left_at = _time(platform.get("left_at"))
        self.acts = platform["state"] in ("CONNECTED", "LEFT")
        self.accounts: dict[str, list[Account]] = {}
        for one in world.accounts:
            if one["platform"] == platform["id"]:
                account = Account(one["account_id"], _time(one["bound_at"]))
                self.accounts.setdefault(one["number"], []).append(account)
        self.said: dict[int, set[str]] = {}
        self.did: dict[int, dict[str, str]] = {}

    def hears(self, published_at: int) -> bool:
        """Whether a notice of that record time reaches it."""
        before = [time for time in (self.deaf_from, self.left_at) if time is not None]
        return self.acts and all(published_at < time for time in before)

    def take(self, number: int, case: OracleCase, published_at: int, stage: str) -> None:
        """Act on one notice of one case."""
        if not self.hears(published_at) or (self.mute_from is not None and published_at >= self.mute_from):
            return
        did = self.did.setdefault(number, {})
        accounts = self.accounts.get(case.opener.number, [])
        if stage in ("restored", "withdrawn"):
            self._reinstate(number, did, accounts)
            return
        for account in accounts:
            if account.state != "GONE" and (account.bound_at is None or account.bound_at < case.bound_before):
                did[account.id] = self._touch(account, stage)
        answers = [outcome for outcome in SAID_FIRST if outcome in did.values()]
        self.said.setdefault(number, set()).add(answers[0] if answers else "NOT_BOUND")

    def _touch(self, account: Account, stage: str) -> str:
        if self.fails and account.id.endswith(self.fails):
            return "FAILED"
        if self.declines and account.id.endswith(self.declines):
            return "DECLINED"
        if stage == "cooling" or account.bound_at is None:
            account.state = "FROZEN"
            return "FROZEN"
        account.state = "GONE"
        return "UNBOUND"

    def _reinstate(self, number: int, did: dict[str, str], accounts: Iterable[Account]) -> None:
        back = [one for one in accounts if did.get(one.id) in ("FROZEN", "UNBOUND")]
        for account in back:
            account.state = "ACTIVE"
        if back:
            self.said.setdefault(number, set()).add("REINSTATED")


def _time(value: str | None) -> int | None:
    return milliseconds(value) if value else None


def _shown(said: set[str], case: OracleCase) -> str | None:
    if case.stage in ("restored", "withdrawn") and "REINSTATED" in said:
        return "REINSTATED"
    return next((outcome for outcome in SHOWN_FIRST if outcome in said), None)


def _deadline(shown: str | None, tier: int, case: OracleCase) -> int:
    reissue = case.opener.reissue_not_before
    answer_by = case.published_at + LIMITS[tier]
    if reissue is None:
        return answer_by
    return reissue - 7 * DAY if shown == "FROZEN" else min(answer_by, reissue - 7 * DAY)


def platform_figures(platform: dict[str, Any], cases: list[OracleCase], world: World) -> dict[str, Any]:
    """One platform's part of the report."""
    actor = Actor(platform, world)
    notices = [(at, row.event_id, number, stage) for number, case in enumerate(cases) for at, row, stage in case.events]
    for at, _, number, stage in sorted(notices):
        actor.take(number, cases[number], at, stage)
    outcomes: Counter[str] = Counter()
    gaps: Counter[str] = Counter()
    figures: Counter[str] = Counter()
    for number, case in enumerate(cases):
        said = actor.said.get(number, set())
        shown = _shown(said, case)
        outcomes.update([shown] if shown else [])
        if case.stage in ("restored", "withdrawn"):
            figures["restore_pending"] += bool(said & {"FROZEN", "UNBOUND"}) and "REINSTATED" not in said
        elif _counts(platform, actor, case):
            figures["in_force"] += 1
            gap = _gap(platform, actor, case, said, shown)
            figures["resolved"] += gap is None
            if gap is not None:
                gaps[gap] += 1
                figures["overdue"] += world.ends_at >= _deadline(shown, platform["tier"], case)
                figures["exposed"] += case.stage == "released"
                figures["incident"] += case.stage == "reassigned"
    names = ("in_force", "resolved", "overdue", "exposed", "incident", "restore_pending")
    counts = {name: figures[name] for name in names}
    return {"state": platform["state"], "outcomes": dict(outcomes), "gaps": dict(gaps), **counts}


def _counts(platform: dict[str, Any], actor: Actor, case: OracleCase) -> bool:
    if platform["state"] == "EXEMPT":
        return False
    return platform["state"] != "LEFT" or actor.left_at is None or case.published_at < actor.left_at


def _gap(platform: dict[str, Any], actor: Actor, case: OracleCase, said: set[str], shown: str | None) -> str | None:
    if shown == "UNBOUND" or said == {"NOT_BOUND"}:
        return None
    if "NOT_BOUND" in said and said & {"FROZEN", "DECLINED"}:
        return "disputed"
    if shown == "NOT_BOUND":
        return None
    if shown is not None:
        return shown.lower()
    if platform["state"] != "CONNECTED":
        return "not_connected"
    return "no_outcome" if actor.hears(case.published_at) else "not_received"
