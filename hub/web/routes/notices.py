"""This module makes notices to people, as data and as text in Chinese and English. It is pure; no notice has a number.

A notice may hold the following:
1. Before cancelling: the checklist (解绑指引) of all platforms of the roster, tier 1 first.
2. After cancelling, and for the new owner: the names only of platforms that nobody hears from (any more). This follows
   from the roster and not from the old owner. Neither notice says where the old owner had an account: the first passes
   through an operator's hands, and the second goes to a stranger. `others_pending` says that some connected platforms
   are not done yet. `others_declined` says that the last of them keep the number on a legal basis; the operator also
   sees that in the case. A stranger is not told which of the two it is.
3. With `names`, for registrar and auditor, the notice after cancelling also names the connected platforms that are not
   done.
4. Nothing is said of a case that the caller may not see: the text is true of such a number and of one that nobody ever
   gave up.

For example, if only bank is not done and it is connected, the new owner reads that some platforms have not unbound yet,
but not that it is bank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hub.core.lifecycle import UNDONE
from hub.core.model import GapClass, Platform, PlatformState, Stage
from hub.core.pairs import PairNow
from hub.web import shapes
from hub.web.board.platform_pages import guide, name

NOT_LISTED = frozenset({PlatformState.EXEMPT, PlatformState.LEFT})
STEPS_MAX = 20


class Ended(NamedTuple):
    """A case as a notice describes it: its stage, its pairs at every platform, and the days left to reissue."""

    stage: Stage
    pairs: Sequence[PairNow]
    days: float | None


def before_cancelling(platforms: Sequence[Platform]) -> shapes.PersonalNotice:
    """Return the notice of what to unbind before a number is given up."""
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


def after_cancelling(case: Ended | None, *, names: bool) -> shapes.PersonalNotice:
    """Return the notice of what is still bound after a number was given up, and how much time is left."""
    if case is None:
        zh, en = (
            ["我们没有可以出示的、该号码已经注销的记录。"],
            ["We have no record we could show that this number was given up."],
        )
        return _notice("after-cancelling", [], zh, en)
    if case.stage in UNDONE:
        zh, en = _undone_texts(case.stage)
        listed = [one.platform for one in case.pairs if one.restore_pending] if names else []
        return _notice("after-cancelling", _in_order(listed), zh, en)
    at_it, declined = _at_it(case.pairs), _declined(case.pairs)
    listed = _in_order([*_unheard(case.pairs), *([*at_it, *declined] if names else [])])
    words = {"others_pending": bool(at_it), "others_declined": bool(declined) and not at_it}
    zh, en = _left_texts(case, listed, **words)
    return _notice("after-cancelling", listed, zh, en, **words)


def new_owner(case: Ended | None) -> shapes.PersonalNotice:
    """Return the notice for the new owner before activation: the number was used before, and who may still know it."""
    if case is None:
        zh, en = (
            ["我们没有可以出示的、该号码曾被他人使用的记录。"],
            ["We have no record we could show that somebody else used this number before."],
        )
        return _notice("new-owner", [], zh, en)
    if case.stage in UNDONE:
        zh = ["这个号码的注销已被撤销，仍属于原机主。", "请先向运营商确认，再使用这个号码。"]
        en = [
            "Giving up this number was undone: it still belongs to who had it before.",
            "Ask your operator before you use it.",
        ]
        return _notice("new-owner", [], zh, en)
    listed = _in_order(_unheard(case.pairs))
    others = bool(_at_it(case.pairs) or _declined(case.pairs))
    zh = ["这个号码以前有人使用过。", "已接入的平台会解除原机主账号与号码的绑定。"]
    en = [
        "This number was used by somebody else before.",
        "Connected services unbind the former owner's accounts from it.",
    ]
    if others:
        zh.append(
            "其中仍有平台尚未解绑：正在处理，或依法保留绑定。"
            "遇到「号码已注册」时，请选择找回或申诉，不要登录他人的账号。"
        )
        en.append(
            "Some of them have not done so: they are still working on it, or keep the number on a legal basis. "
            "If a service says the number is registered already, appeal there and do not enter an account that is "
            "not yours."
        )
    if listed:
        zh += ["下列平台没有接入，我们无法确认号码是否已解绑。需要时请按指引处理：", *_lines(listed, "zh")]
        en += ["These services are not connected, so nobody can say whether they still know it:", *_lines(listed, "en")]
    return _notice("new-owner", listed, zh, en, others_pending=others)


def _undone_texts(stage: Stage) -> tuple[list[str], list[str]]:
    if stage is Stage.RESTORED:
        zh, en = ["您的号码已经恢复，仍归您使用。"], ["You have your number back."]
    else:
        zh, en = ["这个号码的注销通知已被撤回。"], ["The word that this number was given up was taken back."]
    zh.append("已接入的平台会撤销冻结和解绑。几天后如仍无法使用，请联系该平台。")
    en.append(
        "Connected services undo what they froze or unbound. If one still does not know you in a few days, ask it."
    )
    return zh, en


def _left_texts(
    case: Ended, listed: Sequence[Platform], *, others_pending: bool, others_declined: bool
) -> tuple[list[str], list[str]]:
    zh, en = ["您的号码已经注销。"], ["Your number has been given up."]
    for texts, text in zip((zh, en), _reissue_texts(case), strict=True):
        texts.extend(text)
    if others_pending:
        zh.append("部分已接入的平台仍在处理，请过几天再查询。")
        en.append("Some connected services are still working on it; ask again in a few days.")
    if others_declined:
        zh.append("部分已接入的平台依法保留绑定（例如合同尚未结清），不会自动解绑。请与您有账号的平台联系办理。")
        en.append(
            "Some connected services keep the number on a legal basis, such as an open contract, and will not unbind "
            "it by themselves. Please settle it with those where you have an account."
        )
    if listed:
        zh += ["请您自行处理下列平台：", *_lines(listed, "zh")]
        en += ["Please see to these services yourself:", *_lines(listed, "en")]
    elif not (others_pending or others_declined):
        zh.append("没有需要您处理的平台。")
        en.append("Nothing is left for you to do.")
    return zh, en


def _reissue_texts(case: Ended) -> tuple[list[str], list[str]]:
    """Return when somebody else may get the number, and whether its owner can get it back."""
    if case.stage is Stage.REASSIGNED:
        return ["号码已经分配给新机主。"], ["It belongs to somebody else now."]
    zh, en = [], []
    if case.days is not None and case.days > 0:
        days = max(1, int(case.days))
        zh.append(f"距离号码可以重新分配还有 {days} 天。")
        en.append(f"It may be given to somebody else in {days} day{'' if days == 1 else 's'}.")
    elif case.days is not None:
        zh.append("号码现在起可以分配给别人。")
        en.append("It may be given to somebody else from now on.")
    if case.stage is not Stage.RELEASED:
        zh.append("冷却期内，您可以带身份证件到营业厅恢复。")
        en.append("During the waiting period you can have it back at a shop, with your ID.")
    return zh, en


def _in_order(platforms: Iterable[Platform]) -> list[Platform]:
    return sorted(platforms, key=lambda one: (one.tier, one.sector, one.id))


def _unheard(pairs: Sequence[PairNow]) -> list[Platform]:
    """Return the platforms that nobody hears from, with those that left after the case opened: by the roster alone."""
    return [one.platform for one in pairs if one.in_force and one.platform.state is not PlatformState.CONNECTED]


def _at_it(pairs: Sequence[PairNow]) -> list[Platform]:
    """Return the connected platforms that may still act."""
    return [one.platform for one in _connected(pairs) if one.gap not in (None, GapClass.DECLINED)]


def _declined(pairs: Sequence[PairNow]) -> list[Platform]:
    """Return the connected platforms that keep the number on a legal basis."""
    return [one.platform for one in _connected(pairs) if one.gap is GapClass.DECLINED]


def _connected(pairs: Sequence[PairNow]) -> list[PairNow]:
    return [one for one in pairs if one.platform.state is PlatformState.CONNECTED]


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
    kind: str,
    listed: Sequence[Platform],
    zh: Sequence[str],
    en: Sequence[str],
    *,
    others_pending: bool = False,
    others_declined: bool = False,
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
    return shapes.PersonalNotice(
        kind=kind,
        lookup_id=None,
        items=items,
        others_pending=others_pending,
        others_declined=others_declined,
        text=text,
    )
