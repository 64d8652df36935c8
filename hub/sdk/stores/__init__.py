"""Account stores: in memory, in any SQL table, and a dry run over either. The seam is `hub.sdk.accounts`."""

from hub.sdk.stores.dry_run import DryRun
from hub.sdk.stores.memory import MemoryStore
from hub.sdk.stores.sql import SqlStore, SqlTable

__all__ = ["DryRun", "MemoryStore", "SqlStore", "SqlTable"]
