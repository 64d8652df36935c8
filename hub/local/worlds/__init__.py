"""This package makes worlds from a seed, with every trouble that an operator's file can cause.

`roster` invents operators and platforms. `life` is the life of one number and the rows that it leaves. `ways`,
`bounds`, `refusals` and `moments` are what can happen to a number. `unreadable` spoils rows. `accounts` binds accounts
to numbers. `making` chooses from all of that and writes the files. For example, seed 7 with 600 cases always gives the
same bytes.
"""

from hub.local.worlds.making import Crowd, WorldSummary, make_world

__all__ = ["Crowd", "WorldSummary", "make_world"]
