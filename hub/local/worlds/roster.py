"""This module invents operators and platforms. Any likeness to real ones is chance.

The first 20 platforms have every state, every behaviour and every tier. A bigger world gets more platforms, whose names
are made of syllables. For example, gullbank is a CONNECTED bank that declines accounts whose id ends with 7.
"""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from hub.core.model import DAY_MS
from hub.sdk.times import iso_time

Entry = dict[str, Any]

SECTORS = {
    1: ("payment", "bank", "cloud_drive", "mail", "lending"),
    2: ("social", "shopping", "travel"),
    3: ("video", "delivery", "parking", "fitness", "education", "games"),
}


class Sketch(NamedTuple):
    """A platform before its times are known; its times are fractions of the world's length."""

    id: str
    zh: str
    en: str
    sector: str
    tier: int
    state: str = "CONNECTED"
    left: float | None = None
    mute: float | None = None
    deaf: float | None = None
    fails: str | None = None
    declines: str | None = None


SKETCHES = (
    Sketch("oakpurse", "橡袋支付", "OakPurse", "payment", 1),
    Sketch("gullbank", "鸥岸银行", "Gullbank", "bank", 1, declines="7"),
    Sketch("atticdrive", "阁楼云盘", "AtticDrive", "cloud_drive", 1),
    Sketch("owlpost", "枭信", "OwlPost", "mail", 1, fails="3"),
    Sketch("penniloan", "铜板贷", "PenniLoan", "lending", 1, "KNOWN_UNCONNECTED"),
    Sketch("hearsay", "耳语圈", "Hearsay", "social", 2),
    Sketch("cartwheel", "车轮购", "Cartwheel", "shopping", 2, mute=0.6),
    Sketch("fernway", "蕨径旅行", "Fernway", "travel", 2, deaf=0.7),
    Sketch("flickerbox", "闪匣视频", "Flickerbox", "video", 3, fails="07", declines="8"),
    Sketch("soupdash", "汤风外送", "SoupDash", "delivery", 3, "LEFT", left=0.5),
    Sketch("kerbpal", "路沿停车", "KerbPal", "parking", 3, "KNOWN_UNCONNECTED"),
    Sketch("oldboard", "旧版论坛", "OldBoard", "social", 2, "KNOWN_UNCONNECTED"),
    Sketch("chalkly", "粉笔课", "Chalkly", "education", 3, "ONBOARDING"),
    Sketch("cliffbank", "崖边银行", "Cliffbank", "bank", 1, "SUSPENDED"),
    Sketch("townhealth", "镇民健康", "TownHealth", "government", 1, "EXEMPT"),
    Sketch("mosstrade", "苔藓商城", "MossTrade", "shopping", 2, mute=0.4, deaf=0.65),
    Sketch("larkmail", "云雀邮", "LarkMail", "mail", 1, "LEFT", left=0.7, mute=0.5, declines="1"),
    Sketch("pondgames", "池塘游戏", "PondGames", "games", 3, "LEFT", left=0.8, deaf=0.3, fails="5"),
    Sketch("ropewalk", "绳道健身", "Ropewalk", "fitness", 3, deaf=0.0),
    Sketch("saltstay", "盐宿", "SaltStay", "travel", 2, mute=0.0),
)
ZH = "青白玄朱云松竹石鹿鹤溪桥灯帆麦杏霜雁梨舟"
ZH_ENDS = ("圈", "铺", "盒", "行", "堂", "坊")
EN = ("bram", "cor", "dell", "fen", "gor", "hale", "ister", "jun", "kell", "lorn", "mar", "nim", "ost", "pell", "quar")
STATES = ("CONNECTED",) * 5 + ("KNOWN_UNCONNECTED",) * 13 + ("ONBOARDING", "SUSPENDED")


def make_platforms(rng: Random, count: int, starts_at: int, ends_at: int) -> list[Entry]:
    """Return this many platforms, in the form of `platforms.yaml`."""
    sketches = [*SKETCHES[:count], *(_invent(rng, number) for number in range(len(SKETCHES), count))]
    return [_entry(sketch, starts_at, ends_at - starts_at) for sketch in sketches]


def _invent(rng: Random, number: int) -> Sketch:
    english = (rng.choice(EN) + rng.choice(EN)).capitalize()
    chinese = "".join(rng.sample(ZH, 2)) + rng.choice(ZH_ENDS)
    tier = rng.choice((1, 2, 3, 3, 3))
    return Sketch(f"p{number:04d}", chinese, english, rng.choice(SECTORS[tier]), tier, rng.choice(STATES))


def _entry(sketch: Sketch, starts_at: int, length_ms: int) -> Entry:
    def at(part: float) -> str:
        return iso_time(starts_at + int(part * length_ms) // DAY_MS * DAY_MS)

    entry: Entry = {
        "id": sketch.id,
        "name": {"en": sketch.en, "zh": sketch.zh},
        "sector": sketch.sector,
        "tier": sketch.tier,
        "state": sketch.state,
        "guide_url": f"https://{sketch.id}.invalid/unbind",
    }
    if sketch.left is not None:
        entry["left_at"] = at(sketch.left)
    behaviour = {"fails_ending": sketch.fails, "declines_ending": sketch.declines}
    behaviour |= {
        "mute_from": None if sketch.mute is None else at(sketch.mute),
        "deaf_from": None if sketch.deaf is None else at(sketch.deaf),
    }
    said = {name: value for name, value in behaviour.items() if value is not None}
    return entry | ({"behaviour": said} if said else {})


def make_operators(rng: Random, starts_at: int, ends_at: int) -> list[Entry]:
    """Return four operators. One has its own cooling days; some are silent on some days, one of them up to the end."""
    days = range((ends_at - starts_at) // DAY_MS)
    silent = {"moor": 2, "reef": 0, "vale": 3, "tarn": 1}
    names = {"moor": "荒原移动", "reef": "礁石联通", "vale": "山谷电信", "tarn": "冰湖通信"}
    ranges = {
        "moor": ["+86134", "+86135", "+86150"],
        "reef": ["+86130", "+86155", "+86186"],
        "vale": ["+86133", "+86180", "+86189"],
        "tarn": ["+861991", "+86193"],
    }
    entries: list[Entry] = []
    for name, count in silent.items():
        chosen = sorted(rng.sample(days, min(count, len(days))))
        if name == "vale":
            chosen = sorted({*chosen, *days[-2:]})
        entries.append(
            {
                "id": name,
                "name": {"en": name.capitalize() + " Telecom", "zh": names[name]},
                "ranges": ranges[name],
                "silent_days": [iso_time(starts_at + day * DAY_MS)[:10] for day in chosen],
            }
        )
    entries[-1]["cooling_days"] = [70, 80]
    return entries
