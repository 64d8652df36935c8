"""This package holds the account stores: in memory, in any SQL table, behind a service, and a dry run over any of them.

Their interface is `hub.sdk.accounts.AccountStore`.
"""

from hub.sdk.stores.dry_run import DryRun
from hub.sdk.stores.memory import MemoryStore
from hub.sdk.stores.sql import SqlStore, SqlTable

__all__ = ["DryRun", "MemoryStore", "SqlStore", "SqlTable"]
