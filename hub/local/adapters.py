"""The adapters of a world's platforms: what `replay` runs beside the hub, in processes of their own.

Each platform's accounts live in a SQLite file of its own, filled once from accounts.csv; a killed process goes
on where its store committed.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

from hub.core.model import Platform, PlatformState, ReleaseNotice
from hub.local.world import World, WorldAccount
from hub.sdk.roster_files import Behaviour
from hub.settings import HubAddress
from hub.signing import Signer

POLL_S = 0.1
