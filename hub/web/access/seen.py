"""This module decides what each role sees of an answer. It is pure.

1. Registrar and auditor see everything.
2. A platform sees its own row, cells and standing whole, and of the others what everybody sees.
3. Everybody else sees public figures. Where fewer than ten cases are in force, the row or the cell is left out, and
   `suppressed` says how many rows were left out. What platforms said is shown in tens, rounded down, so a count means
   "at least so many"; `in_tens` says so. An operator that publishes one case and looks before and after does not see
   whose count moved by one. How many cases are in force is exact: it follows from the roster, not from accounts.
4. Figures that follow from such counts are worked out from the tens, so that no digit shows more: the estimates of
   blind spots, and a standing, for which fewer than ten unanswered cases count as zero (`sight`). Hours to effect are
   the upper edge of their bucket (`hub.core.cohorts`), and left out for fewer than a hundred effects. What was found
   bound is left out.
5. Names that no roster knows, and what a report says of a platform, are a person's words: only registrar and auditor
   see them. Of a report in its case an operator sees when it came, its kind and its position, whichever operator
   passed it on.
6. An operator sees its own row of the operators. Of a case it sees neither effects nor counts by platform, but one word
   over all CONNECTED platforms, and which platforms are not connected: this follows from the roster alone
   (`routes.case_pages`).
7. A reason that receipts do not tell (`intake.RECEIPTED_AS`) is not told by any list or count either.
8. Only registrar and auditor see what no table of `hub.web.access.fields` knows.

For example, a viewer sees 120 where 127 cases are resolved, and no row of a platform with 7 cases in force.
"""

from __future__ import annotations

from hub.core.model import Role
from hub.web import shapes
from hub.web.access.auth import Caller
from hub.web.access.fields import SMALL, told
from hub.web.access.who import STAFF
from hub.web.board.snapshot import Sight


def sight(found: Sight, caller: Caller) -> Sight:
    """Return the sight from which the pages for this caller are made."""
    if caller.role in STAFF:
        return found
    return found._replace(in_tens=True, own=caller.subject if caller.role is Role.PLATFORM else None)


def overview(found: shapes.Overview, caller: Caller) -> shapes.Overview:
    """Return the overview. Sums over all platforms tell of no single one; outsiders see no small breakdowns of them."""
    return found if caller.role in STAFF else told(found)


def platforms(found: shapes.Platforms, caller: Caller) -> shapes.Platforms:
    """Return every platform; outsiders see only those where enough cases are in force."""
    if caller.role in STAFF:
        return found
    rows = [one for one in (_row(row, caller) for row in found.platforms) if one is not None]
    suppressed = len(found.platforms) - len(rows)
    bare = told(found.model_copy(update={"platforms": []}))
    return bare.model_copy(update={"platforms": rows, "suppressed": suppressed})


def platform(found: shapes.PlatformDetail, caller: Caller) -> shapes.PlatformDetail | None:
    """Return one platform; None if too few cases are in force there for this caller."""
    if caller.role in STAFF:
        return found
    if _row(found.platform, caller) is None:
        return None
    return told(found, own=_is_own(found.platform.id, caller))


def heatmap(found: shapes.Heatmap, caller: Caller) -> shapes.Heatmap:
    """Return the map; outsiders see it without its small cells."""
    if caller.role in STAFF:
        return found
    rows = [told(row, own=_is_own(row.id, caller)) for row in found.rows]
    return told(found.model_copy(update={"rows": []})).model_copy(update={"rows": rows})


def blind_spots(found: shapes.BlindSpots, caller: Caller) -> shapes.BlindSpots:
    """Return the blind spots; outsiders see only platforms of the roster, as names in people's words are for staff."""
    if caller.role in STAFF:
        return found
    return told(found.model_copy(update={"spots": [one for one in found.spots if one.id is not None]}))


def operators(found: shapes.Operators, caller: Caller) -> shapes.Operators:
    """Return every operator; an operator sees only itself, and the public sees no small counts."""
    if caller.role in STAFF:
        return found
    if caller.role is not Role.OPERATOR:
        return told(found)
    own = [one for one in found.operators if one.id == caller.subject]
    return told(found.model_copy(update={"operators": own}), own=True)


def refusals(found: shapes.RefusalPage, caller: Caller) -> shapes.RefusalPage:
    """Return refused messages; outsiders see each with the reason that its receipt gives."""
    return found if caller.role in STAFF else told(found, own=True)


def case(found: shapes.Case, caller: Caller) -> shapes.Case:
    """Return a case: the staff sees every platform's effect, the operator one word."""
    return found if caller.role in STAFF else told(found, own=True)


def _is_own(platform_id: str, caller: Caller) -> bool:
    return caller.role is Role.PLATFORM and caller.subject == platform_id


def _row(row: shapes.PlatformRow, caller: Caller) -> shapes.PlatformRow | None:
    own = _is_own(row.id, caller)
    if not own and 0 < row.pairs.in_force < SMALL:
        return None
    return told(row, own=own)
