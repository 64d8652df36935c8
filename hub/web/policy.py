"""This module reads the policy of clearances from a file `clearance.yaml`; the defaults are those of `ClearancePolicy`.

blocking_tiers: [1]
frozen_blocks: false
declined_blocks: true
unconnected: NAMED          # or MUST_CONNECT, or BLOCKS
valid_hours: 24
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from hub.core.model import HOUR_MS, ClearancePolicy, UnconnectedRule
from hub.errors import HubError
from hub.web.settings_files import read_settings

TIERS = {1, 2, 3}
DEFAULT = ClearancePolicy()


class _PolicyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    blocking_tiers: list[StrictInt] = Field(default=list(DEFAULT.blocking_tiers), max_length=3)
    frozen_blocks: StrictBool = DEFAULT.frozen_blocks
    declined_blocks: StrictBool = DEFAULT.declined_blocks
    unconnected: UnconnectedRule = DEFAULT.unconnected
    valid_hours: StrictInt = Field(default=DEFAULT.valid_ms // HOUR_MS, ge=1, le=24 * 30)


def read_policy(path: Path) -> ClearancePolicy:
    """Read the policy of a file.

    Raises:
        HubError: the file cannot be read, or does not fit the policy; the message names the field.
    """
    found = read_settings(path, _PolicyFile, "hub/web/policy.py")
    if not TIERS.issuperset(found.blocking_tiers):
        raise HubError(f"{path.name}: blocking_tiers: there are tiers 1, 2 and 3", todo="List some of these.")
    return ClearancePolicy(
        tuple(sorted(set(found.blocking_tiers))),
        found.frozen_blocks,
        found.declined_blocks,
        found.unconnected,
        found.valid_hours * HOUR_MS,
    )
