"""This module adds the routes of the roster: its records, and a change of a platform's state.

For example, `POST /v1/roster/platforms/bank/state` with `{"state": "SUSPENDED"}` suspends the platform bank.

FastAPI reads the annotations, so they are evaluated here (there is no `from __future__`).
"""

from typing import Annotated

from fastapi import Path

from hub.core.model import Key, Operator, Platform
from hub.core.roster import Roster
from hub.core.roster_life import change_state
from hub.errors import HubError
from hub.problems import Problem
from hub.settings import HubAddress
from hub.staff.registrar import registrar
from hub.staff.roster import roster_editor
from hub.web import shapes
from hub.web.board.operator_pages import limits_of
from hub.web.board.platform_pages import guide, name
from hub.web.routes.routing import Asker, Routes

PlatformId = Annotated[str, Path(max_length=200)]


def add_roster(routes: Routes) -> None:
    """Add the routes of the roster."""
    parts = routes.parts
    board = parts.live.board

    @routes.get("/v1/roster/platforms")
    async def platforms() -> shapes.RosterPlatforms:
        """Return every platform's record."""
        found = sorted(board.roster.platforms.values(), key=lambda one: one.id)
        return shapes.RosterPlatforms(as_of=parts.live.as_of(), platforms=[platform_record(one) for one in found])

    @routes.get("/v1/roster/operators")
    async def operators() -> shapes.RosterOperators:
        """Return every operator's record."""
        found = sorted(board.roster.operators.values(), key=lambda one: one.id)
        authority = parts.hub_log.has_authority(parts.live.now_ms())
        records = [operator_record(one, authority=authority) for one in found]
        return shapes.RosterOperators(as_of=parts.live.as_of(), operators=records)

    @routes.post("/v1/roster/platforms/{platform_id}/state", 404, 409)
    async def state(platform_id: PlatformId, wish: shapes.StateQuestion, asker: Asker) -> shapes.RosterPlatform:
        """Move a platform to another state; its history says who did it."""
        note = f"{asker.subject}: {wish.note}" if wish.note else asker.subject
        now_ms = parts.live.now_ms()

        def change(found: Platform | None, _: Roster) -> Platform:
            if found is None:
                raise Problem(404, "NO_PLATFORM", "not on the roster", "See /v1/roster/platforms.")
            return change_state(found, wish.state, now_ms, note)

        hub_log = parts.hub_log
        settings = parts.settings
        address = HubAddress(settings.bootstrap_servers, hub_log.hub_id, hub_log.partitions, settings.security)
        try:
            async with roster_editor(address) as editor:
                changed = await editor.change(Platform, platform_id, change)
        except HubError as wrong:
            raise Problem(409, "DOES_NOT_FOLLOW", wrong.message, wrong.todo) from None
        async with registrar(address) as made:
            await made.make_inboxes([changed], hub_log)
        return platform_record(changed)


def platform_record(one: Platform) -> shapes.RosterPlatform:
    """Return a platform's record in the shape of the API."""
    return shapes.RosterPlatform(
        id=one.id,
        name=name(one),
        sector=one.sector,
        tier=one.tier,
        state=one.state,
        channel=one.channel,
        left_at=one.left_at,
        must_connect=one.must_connect,
        users_estimate=one.users_estimate,
        guide=guide(one),
        keys=[_key(key) for key in one.keys],
        history=[shapes.StateAt(at=each.at, state=each.state, note=each.note) for each in one.history],
    )


def operator_record(one: Operator, *, authority: bool) -> shapes.RosterOperator:
    """Return an operator's record in the shape of the API. `authority` says whether the hub's default limits hold."""
    plain = one._asdict()
    for changed in ("name", "ranges", "keys", "limits", "lifted"):
        plain.pop(changed)
    named = shapes.Name(zh=one.name.zh, en=one.name.en)
    return shapes.RosterOperator(
        name=named,
        ranges=list(one.ranges),
        keys=[_key(key) for key in one.keys],
        limits=limits_of(one, authority=authority),
        lifted=[shapes.RosterLifted(**each._asdict()) for each in one.lifted],
        **plain,
    )


def _key(key: Key) -> shapes.RosterKey:
    return shapes.RosterKey(**{**key._asdict(), "public": key.public.hex()})
