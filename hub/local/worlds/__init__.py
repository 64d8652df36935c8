"""Made-up worlds, each fully determined by its seed, with every trouble that an operator's file can cause.

`roster` invents operators and platforms; `life` is one number's life and the rows it leaves; `ways`, `bounds`,
`refusals` and `moments` are what can happen to it; `unreadable` spoils rows; `accounts` binds accounts to numbers;
`making` deals all of that and writes the files.
"""

from hub.local.worlds.making import Crowd, WorldSummary, make_world

__all__ = ["Crowd", "WorldSummary", "make_world"]
