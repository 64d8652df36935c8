"""What each role sees of an answer. Pure.

1. Registrar and auditor see everything.
2. A platform sees its own row, cells and standing whole, and of the others what everybody sees.
3. Everybody else sees public figures. Where fewer than ten cases are in force, the row or the cell is left out, and
   `suppressed` says how many rows that were. What platforms said is told in tens, rounded down, so a count is "at
   least so many"; `in_tens` says so. An operator that publishes one case and looks before and after does not see
   whose count moved by one. How many cases are in force is exact: it follows from the roster, not from accounts.
4. What is worked out from such counts is worked out from the tens, in every digit: the estimates of blind spots, and
   a standing, for which fewer than ten unanswered cases are none (`sight`). Hours to effect are the upper edge of
   their bucket (`hub.core.cohorts`), and none of fewer than a hundred effects. What was found bound is left out.
5. Names that no roster knows, and what a report says of a platform, are a person's words: for registrar and auditor.
   An operator sees of a report in its case when it came, its kind and where it lies, whoever passed it on.
6. An operator sees its own row of the operators, and of a case neither effects nor counts by platform: one word over
   the platforms that are CONNECTED, and which are not, which follows from the roster alone (`routes.case_pages`).
7. A reason that receipts keep to themselves (`intake.RECEIPTED_AS`) is told by no list and no count either.
8. What no table of `hub.web.access.fields` knows is seen by registrar and auditor alone.
"""

from __future__ import annotations

from hub.core.model import Role
from hub.web import shapes
from hub.web.access.auth import Caller
from hub.web.access.fields import SMALL, told
from hub.web.access.who import STAFF
from hub.web.board.snapshot import Sight


def sight(found: Sight, caller: Caller) -> Sight:
    """The board as pages for somebody are to be made from it."""
    if caller.role in STAFF:
        return found
    return found._replace(in_tens=True, own=caller.subject if caller.role is Role.PLATFORM else None)


def overview(found: shapes.Overview, caller: Caller) -> shapes.Overview:
    """Sums over all platforms tell of nobody; their small breakdowns are left out."""
    return found if caller.role in STAFF else told(found)


def platforms(found: shapes.Platforms, caller: Caller) -> shapes.Platforms:
    """Every platform, or those of which enough cases are in force."""
    if caller.role in STAFF:
        return found
    rows = [one for one in (_row(row, caller) for row in found.platforms) if one is not None]
    suppressed = len(found.platforms) - len(rows)
    bare = told(found.model_copy(update={"platforms": []}))
    return bare.model_copy(update={"platforms": rows, "suppressed": suppressed})


def platform(found: shapes.PlatformDetail, caller: Caller) -> shapes.PlatformDetail | None:
    """One platform; None if too few cases are in force there."""
    if caller.role in STAFF:
        return found
    if _row(found.platform, caller) is None:
        return None
    return told(found, own=_is_own(found.platform.id, caller))


def heatmap(found: shapes.Heatmap, caller: Caller) -> shapes.Heatmap:
    """The map without its small cells."""
    if caller.role in STAFF:
        return found
    rows = [told(row, own=_is_own(row.id, caller)) for row in found.rows]
    return told(found.model_copy(update={"rows": []})).model_copy(update={"rows": rows})


def blind_spots(found: shapes.BlindSpots, caller: Caller) -> shapes.BlindSpots:
    """Platforms of the roster; names as people said them are for the staff."""
    if caller.role in STAFF:
        return found
    return told(found.model_copy(update={"spots": [one for one in found.spots if one.id is not None]}))


def operators(found: shapes.Operators, caller: Caller) -> shapes.Operators:
    """Every operator; an operator sees itself alone, the public no small counts."""
    if caller.role in STAFF:
        return found
    if caller.role is not Role.OPERATOR:
        return told(found)
    own = [one for one in found.operators if one.id == caller.subject]
    return told(found.model_copy(update={"operators": own}), own=True)


def refusals(found: shapes.RefusalPage, caller: Caller) -> shapes.RefusalPage:
    """Refused messages, each with the reason its receipt gives."""
    return found if caller.role in STAFF else told(found, own=True)


def case(found: shapes.Case, caller: Caller) -> shapes.Case:
    """A case: with every platform's effect for the staff, with one word for its operator."""
    return found if caller.role in STAFF else told(found, own=True)


def _is_own(platform_id: str, caller: Caller) -> bool:
    return caller.role is Role.PLATFORM and caller.subject == platform_id


def _row(row: shapes.PlatformRow, caller: Caller) -> shapes.PlatformRow | None:
    own = _is_own(row.id, caller)
    if not own and 0 < row.pairs.in_force < SMALL:
        return None
    return told(row, own=own)
