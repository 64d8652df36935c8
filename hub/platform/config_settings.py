"""This module reads the settings of the adapter and the login check from a `platform.yaml`. It is pure.

For example, `stages: {SCHEDULED: freeze}` gives `freeze_at` {SCHEDULED}.
"""

from __future__ import annotations

from hub.core.model import Action, Outcome, Stage
from hub.sdk.adapter.settings import AdapterSettings
from hub.sdk.login.words import EVERYBODY
from hub.sdk.times import time_ms
from hub.yaml_nodes import Node

ALL = "all"


def settings_in(root: Node) -> AdapterSettings:
    """Return the adapter's settings."""
    usual = AdapterSettings()
    return AdapterSettings(
        batch_max=root.get("batch_max", lambda one: one.whole(1, 100_000), usual.batch_max),
        fuse_unbinds_per_day=root.get("fuse_unbinds_per_day", _fuse, usual.fuse_unbinds_per_day),
        fuse_put_backs_per_day=root.get("fuse_put_backs_per_day", _fuse, usual.fuse_put_backs_per_day),
        unreadable_share_max=root.get("unreadable_share_max", Node.share, usual.unreadable_share_max),
        dry_run=root.get("dry_run", Node.truth, False),
        freeze_at=root.get("stages", _freeze_at, usual.freeze_at),
        actions=root.get("actions", _actions, {}),
    )


def _fuse(node: Node) -> int | None:
    return None if node.plain() is False else node.whole(0, 10**9)


HAS_ACTIONS: dict[Outcome, bool] = {
    Outcome.UNBOUND: True,
    Outcome.NOT_BOUND: False,
    Outcome.FROZEN: True,
    Outcome.DECLINED: True,
    Outcome.FAILED: False,
    Outcome.REINSTATED: True,
}
"""Whether an outcome amounts to something for the account, which a file may say what."""


def _actions(node: Node) -> dict[Outcome, tuple[Action, ...]]:
    known = [outcome for outcome, has in HAS_ACTIONS.items() if has]
    return {
        Outcome(name): tuple(item.one_of(Action) for item in one.items()) for name, one in node.mapping(known).items()
    }


FREEZE, UNBIND = "freeze", "unbind"
UNBINDING = (Stage.SCHEDULED, Stage.RELEASED, Stage.REASSIGNED)
"""These are the stages at which a platform may choose."""


def _freeze_at(node: Node) -> frozenset[Stage]:
    chosen = {Stage(name): one for name, one in node.mapping(UNBINDING).items()}
    for one in chosen.values():
        if one.text() not in (FREEZE, UNBIND):
            raise one.wrong("is no choice", f"Write {FREEZE}, or {UNBIND} as by default.")
    return frozenset(stage for stage, one in chosen.items() if one.text() == FREEZE)


def served_in(node: Node) -> dict[str, int] | None:
    """Return the prefixes whose operators tell the hub, each with since when; None if the file does not say."""
    served = node.get("served", _served, None)
    node.done()
    return served


def _served(node: Node) -> dict[str, int]:
    if node.is_text():
        if node.plain() != ALL:
            raise node.wrong("says not whose numbers", 'Write {"+86134": 2026-01-01T00:00:00Z}, or all.')
        return dict(EVERYBODY)
    return {prefix: _since(prefix, one) for prefix, one in node.mapping().items()}


def _since(prefix: str, node: Node) -> int:
    if not is_prefix(prefix):
        raise node.wrong("belongs to no prefix of numbers", 'Write prefixes as in "+86134", in quotes.')
    try:
        return time_ms(node.text())
    except ValueError:
        raise node.wrong("is no time with a zone", "Write one such as 2026-01-01T00:00:00Z.") from None


def is_prefix(text: str) -> bool:
    """Return whether a text is the beginning of E.164 numbers, such as +86134."""
    return text.startswith("+") and text[1:].isdecimal() and text.isascii()
