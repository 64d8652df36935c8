"""This module writes what a joining platform needs: its `platform.yaml`, and its roster record for the registrar.

It is pure. For example, a platform of the sector "bank" gets tier 1, and its first key is named "<platform>-1".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from hub.core.model import Action, Outcome, PlatformState
from hub.errors import PlatformError

HEAD = """\
# What `unbind-hub platform run` needs to know. `unbind-hub platform check` tries all of it and changes nothing.
# It begins as a dry run: it matches and counts. Take `dry_run` out once the figures are right.
"""
TIERS = {
    **dict.fromkeys(("payment", "bank", "drive", "mail", "lending"), 1),
    **dict.fromkeys(("social", "shopping", "travel"), 2),
}
"""This is the usual tier of a sector; every other sector has tier 3."""


def usual_tier(sector: str) -> str:
    """Return the tier of a sector."""
    return str(TIERS.get(sector.strip().lower(), 3))


def whole(text: str, most: int) -> int | None:
    """Return the number that somebody wrote, or None if the text is empty.

    Raises:
        PlatformError: this is no number from 1 to `most`.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= most:
        raise PlatformError(f"{text} is no number from 1 to {most}", todo="Write a whole number.")
    return int(text)


def stops_in(text: str) -> tuple[Action, ...]:
    """Return the actions that a list names.

    Raises:
        PlatformError: one of them is no action.
    """
    known = {one.value: one for one in Action if one.value != "UNKNOWN"}
    named = text.replace(",", " ").split()
    wrong = [one for one in named if one not in known]
    if wrong:
        raise PlatformError(f"{wrong[0]} is no action", todo=f"Name some of {', '.join(known)}.")
    return tuple(known[one] for one in named)


@dataclass(frozen=True)
class Answers:
    """This is what a platform said of itself. `database` is an address, or None to take it from the environment.

    `stops` is what the platform itself stops for an account that is unbound, or frozen if it has a column for that.
    It is signed with every acknowledgement, so it holds only what the platform said.
    """

    platform: str
    name_zh: str
    name_en: str
    sector: str
    tier: int
    bootstrap_servers: str
    hub_id: str
    partitions: int
    database: str | None
    database_env: str
    table: str
    account_id: str
    number: str
    bound_at: str | None
    frozen: str | None
    region: str
    contact: str | None = None
    users_estimate: int | None = None
    stops: tuple[Action, ...] = ()
    proven_at: str | None = None

    @property
    def key_id(self) -> str:
        """Return the name of the platform's first key."""
        return f"{self.platform}-1"


def config_text(answers: Answers) -> str:
    """Return the text of the `platform.yaml`."""
    columns = {"account_id": answers.account_id, "number": answers.number}
    columns |= {"bound_at": answers.bound_at} if answers.bound_at else {}
    columns |= {"proven_at": answers.proven_at} if answers.proven_at else {}
    columns |= {"frozen": answers.frozen} if answers.frozen else {}
    content = {
        "platform": answers.platform,
        "key": {"id": answers.key_id, "file": f"{answers.platform}.pem"},
        "hub": {
            "bootstrap_servers": answers.bootstrap_servers,
            "hub_id": answers.hub_id,
            "partitions": answers.partitions,
        },
        "store": {
            "sql": {
                "url": answers.database if answers.database else {"env": answers.database_env},
                "table": answers.table,
                "columns": columns,
                "numbers": {"region": answers.region},
            }
        },
        **_actions(answers),
        "fuse_unbinds_per_day": 1_000,
        "fuse_put_backs_per_day": 1_000,
        "dry_run": True,
        "metrics_port": 9_464,
    }
    return HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _actions(answers: Answers) -> dict[str, Any]:
    if not answers.stops:
        return {}
    outcomes = [Outcome.FROZEN, Outcome.UNBOUND] if answers.frozen else [Outcome.UNBOUND]
    return {"actions": {outcome.value: [one.value for one in answers.stops] for outcome in outcomes}}


def roster_record(answers: Answers, public: bytes, now_ms: int) -> dict[str, Any]:
    """Return what the registrar puts on the roster: the fields of `hub.core.model.Platform` that a platform knows.

    Args:
        public: the key's 32 bytes.
        now_ms: the time from which the key counts, UTC milliseconds.
    """
    return {
        "id": answers.platform,
        "name": {"zh": answers.name_zh, "en": answers.name_en},
        "sector": answers.sector,
        "tier": answers.tier,
        "state": PlatformState.ONBOARDING.value,
        "channel": "kafka",
        "keys": [{"key_id": answers.key_id, "public": public.hex(), "valid_from": now_ms}],
        "contact": answers.contact,
        "users_estimate": answers.users_estimate,
    }
