"""This package is what operators and platforms import. It never needs the hub's own parts: the base install is enough.

A platform needs `PlatformAdapter`, a store for its accounts (`hub.sdk.stores`), and the form its numbers are written
in (`hub.sdk.numbering`).
"""

from hub.sdk.accounts import AccountStore, Done
from hub.sdk.adapter.adapter import PlatformAdapter
from hub.sdk.adapter.settings import AdapterSettings, Listening
from hub.sdk.deeds import Deed
from hub.sdk.numbering import AnyOf, International, Keyed, National, NumberForm, usual_forms
from hub.sdk.stores import MemoryStore, SqlStore, SqlTable

__all__ = [
    "AccountStore",
    "AdapterSettings",
    "AnyOf",
    "Deed",
    "Done",
    "International",
    "Keyed",
    "Listening",
    "MemoryStore",
    "National",
    "NumberForm",
    "PlatformAdapter",
    "SqlStore",
    "SqlTable",
    "usual_forms",
]
