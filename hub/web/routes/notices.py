"""Notices to people, as data and as text in Chinese and English. Pure; no notice holds a number.

What may be in one:
1. Before cancelling: the checklist (解绑指引) of all platforms of the roster, the gravest tier first.
2. After cancelling, and for the new owner: by name only platforms nobody hears from, which follows from the roster and
   not from the old owner; that some connected ones are still at it is one word, `others_pending`. What the old owner
   had at which platform is in neither: the first goes through an operator's hands, the second to a stranger.
3. With `names`, for registrar and auditor, the first also names the connected platforms that are still at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.core.model import GapClass, Platform, PlatformState
from hub.core.pairs import PairNow
from hub.web import shapes
from hub.web.board.platform_pages import guide, name

NOT_LISTED = frozenset({PlatformState.EXEMPT, PlatformState.LEFT})
STEPS_MAX = 20


def before_cancelling(platforms: Sequence[Platform]) -> shapes.PersonalNotice:
    """What to unbind before a number is given up."""
    listed = _in_order(one for one in platforms if one.state not in NOT_LISTED)
    zh = [
        "注销号码之前，请先解绑您的账号。",
        "号码注销后会进入冷却期，之后可能分配给别人。新机主可能收到您的验证码和通知。",
        "请逐一检查下列平台；没有账号的可以跳过：",
        *_lines(listed, "zh"),
        "标有「会收到通知」的平台会自动处理，但提前解绑最稳妥。",
    ]
    en = [
        "Before you give up your number, please unbind your accounts from it.",
        "After a waiting period the number may be given to somebody else, who could then receive your messages.",
        "Please go through these services. Skip those where you have no account:",
        *_lines(listed, "en"),
        "Services marked “will be told” act by themselves, but unbinding beforehand is safest.",
    ]
    return _notice("before-cancelling", listed, zh, en)


def after_cancelling(
    platforms: Sequence[Platform], pairs: Sequence[PairNow], days_to_reissue: float | None, *, names: bool
) -> shapes.PersonalNotice:
    """What is left after a number was given up, and for how long."""
    blind, at_it = _unheard(platforms, pairs), _at_it(pairs)
    listed = _in_order([*blind, *(at_it if names else [])])
    days = None if days_to_reissue is None else max(0, int(days_to_reissue))
    zh, en = _left_texts(listed, days, others=bool(at_it))
    return _notice("after-cancelling", listed, zh, en, others_pending=bool(at_it))


def new_owner(platforms: Sequence[Platform], pairs: Sequence[PairNow]) -> shapes.PersonalNotice:
    """For the new owner before activation: that the number was used before, and by whom it may still be known."""
    if not pairs:
        nothing = "We have no record that somebody else used this number before."
        return _notice("new-owner", [], ["我们没有这个号码曾被他人使用的记录。"], [nothing])
    listed = _in_order(_unheard(platforms, pairs))
    others = bool(_at_it(pairs))
    zh = ["这个号码以前有人使用过。", "已接入的平台会解除原机主账号与号码的绑定。"]
    en = [
        "This number was used by somebody else before.",
        "Connected services unbind the former owner's accounts from it.",
    ]
    if others:
        zh.append("其中仍有平台正在处理，请过几天再注册；遇到「号码已注册」时，请选择找回或申诉，不要登录他人的账号。")
        en.append(
            "Some of them are still working on it. If a service says the number is registered already, "
            "appeal there and do not enter an account that is not yours."
        )
    if listed:
        zh += ["下列平台没有接入，我们无法确认号码是否已解绑。需要时请按指引处理：", *_lines(listed, "zh")]
        en += ["These services are not connected, so nobody can say whether they still know it:", *_lines(listed, "en")]
    return _notice("new-owner", listed, zh, en, others_pending=others)


def _left_texts(listed: Sequence[Platform], days: int | None, *, others: bool) -> tuple[list[str], list[str]]:
    zh, en = ["您的号码已经注销。"], ["Your number has been given up."]
    if days is not None:
        zh.append(f"距离号码可以重新分配还有 {days} 天。冷却期内，您可以带身份证件到营业厅恢复。")
        en.append(
            f"It may be given to somebody else in {days} day{'' if days == 1 else 's'}. "
            "During the waiting period you can have it back at a shop, with your ID."
        )
    if others:
        zh.append("部分已接入的平台仍在处理，无需您操作。")
        en.append("Some connected services are still working on it; you need do nothing.")
    if listed:
        zh += ["请您自行处理下列平台：", *_lines(listed, "zh")]
        en += ["Please see to these services yourself:", *_lines(listed, "en")]
    elif not others:
        zh.append("没有需要您处理的平台。")
        en.append("Nothing is left for you to do.")
    return zh, en


def _in_order(platforms: Iterable[Platform]) -> list[Platform]:
    return sorted(platforms, key=lambda one: (one.tier, one.sector, one.id))


def _unheard(platforms: Sequence[Platform], pairs: Sequence[PairNow]) -> list[Platform]:
    """Platforms nobody hears from, if there is a case at all: by the roster alone."""
    unheard = {PlatformState.KNOWN_UNCONNECTED, PlatformState.ONBOARDING, PlatformState.SUSPENDED}
    return [one for one in platforms if one.state in unheard] if any(one.in_force for one in pairs) else []


def _at_it(pairs: Sequence[PairNow]) -> list[Platform]:
    """Connected platforms with which the case is not done."""
    return [
        one.platform
        for one in pairs
        if one.gap not in (None, GapClass.NOT_CONNECTED) and one.platform.state is PlatformState.CONNECTED
    ]


def _lines(platforms: Sequence[Platform], lang: str) -> list[str]:
    told = "（会收到通知）" if lang == "zh" else " (will be told)"
    lines = []
    for place, one in enumerate(platforms, start=1):
        mark = told if one.state is PlatformState.CONNECTED else ""
        lines.append(f"{place}. {getattr(one.name, lang)}{mark}")
        lines += [f"   {place}.{step}  {text}" for step, text in enumerate(one.guide_steps[:STEPS_MAX], start=1)]
        lines += [f"   {part}" for part in (one.guide_url, one.contact) if part]
    return lines


def _notice(
    kind: str, listed: Sequence[Platform], zh: Sequence[str], en: Sequence[str], *, others_pending: bool = False
) -> shapes.PersonalNotice:
    items = [
        shapes.ChecklistItem(
            platform=one.id,
            name=name(one),
            sector=one.sector,
            tier=one.tier,
            connected=one.state is PlatformState.CONNECTED,
            guide=guide(one),
        )
        for one in listed
    ]
    text = shapes.Name(zh="\n".join(zh), en="\n".join(en))
    return shapes.PersonalNotice(kind=kind, lookup_id=None, items=items, others_pending=others_pending, text=text)
