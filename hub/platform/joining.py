"""What a platform that joins writes down: its `platform.yaml`, and the roster record it hands over. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from hub.core.model import Action, PlatformState

HEAD = """\
# What `unbind-hub platform run` needs to know. `unbind-hub platform check` tries all of it and changes nothing.
# It begins as a dry run: it matches and counts. Take `dry_run` out once the figures are right.
"""
LOGIN = [Action.LOGIN_OFF.value, Action.RECOVERY_OFF.value]


@dataclass(frozen=True)
class Answers:
    """What a platform said of itself. `database`: its address, or None to take it from the environment."""

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

    @property
    def key_id(self) -> str:
        """The name of its first key."""
        return f"{self.platform}-1"


def config_text(answers: Answers) -> str:
    """The file."""
    columns = {"account_id": answers.account_id, "number": answers.number}
    columns |= {"bound_at": answers.bound_at} if answers.bound_at else {}
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
        "actions": {"FROZEN": list(LOGIN), "UNBOUND": list(LOGIN)},
        "fuse_unbinds_per_day": 1_000,
        "dry_run": True,
        "metrics_port": 9_464,
    }
    return HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def roster_record(answers: Answers, public: bytes, now_ms: int) -> dict[str, Any]:
    """What the registrar puts on the roster: the fields of `hub.core.model.Platform` that a platform knows.

    Args:
        public: the key's 32 bytes.
        now_ms: from when the key counts.
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
    }
