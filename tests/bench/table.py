"""The results as tables on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

Row = tuple[str, float, float | None, str]
"""What, measured, target, and whether more is better (`>=`) or less (`<=`)."""


def show(results: dict[str, Any]) -> None:
    """Print every part that was measured."""
    console = Console(width=110)
    machine = results["machine"]
    console.print(f"{machine['cpu']}, {machine['cores']} cores; broker and worker on one of them. {machine['at']}")
    if "acks" in results:
        console.print(_sizes(results["acks"]))
    rows = [row for name, made in ROWS.items() if name in results for row in made(results[name])]
    table = Table("", "measured", "target", "", title="Beside the targets")
    for what, measured, target, sign in rows:
        met = "" if target is None else _met(measured, target, sign)
        table.add_row(what, _number(measured), "" if target is None else f"{sign} {_number(target)}", met)
    console.print(table)


def _met(measured: float, target: float, sign: str) -> str:
    return "met" if (measured >= target if sign == ">=" else measured <= target) else "short"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _sizes(part: dict[str, Any]) -> Table:
    table = Table(title=f"Acknowledgements, {part['platforms']} platforms, {part['cases']:,} cases")
    for head in ("positions a message", "signed msg/s", "positions/s", "in signatures"):
        table.add_column(head, justify="right")
    for head in ("unchecked msg/s", "positions/s", "plain faust msg/s", "positions/s"):
        table.add_column(head, justify="right")
    for row in part["rows"]:
        share = row["share_of_time_in_signatures"]
        cells = [f"{row['positions_a_message']:,}"]
        for name in ("signed", "unchecked", "plain_faust"):
            cells += [_number(row[name]["messages_per_s"]), _number(row[name]["positions_per_s"])]
            if name == "signed":
                cells.append("" if share is None else f"{share:.0%}")
        table.add_row(*cells)
    return table


def _acks(part: dict[str, Any]) -> list[Row]:
    first, last, targets = part["rows"][0], part["rows"][-1], part["targets"]
    rows: list[Row] = []
    for name in ("signed", "unchecked"):
        rows.append((f"{name}: msg/s at 1", first[name]["messages_per_s"], targets[f"{name}_1_messages_per_s"], ">="))
        target = targets[f"{name}_1000_positions_per_s"]
        rows.append((f"{name}: positions/s at 1,000", last[name]["positions_per_s"], target, ">="))
    return rows


def _intake(part: dict[str, Any]) -> list[Row]:
    return [("intake: events/s", part["per_second"], part["target_per_second"], ">=")]


def _latency(part: dict[str, Any], where: str = "") -> list[Row]:
    return [
        (f"event to coverage{where}, ms, p50 of {part['samples']}", part["p50_ms"], None, "<="),
        (f"event to coverage{where}, ms, p99", part["p99_ms"], part["target_p99_ms"], "<="),
    ]


def _state(part: dict[str, Any]) -> list[Row]:
    targets = part["targets"]
    rows: list[Row] = []
    for mix in ("random", "skewed"):
        found = part[mix]
        pairs = f"{found['pairs'] / 1e6:,.0f} M pairs, {mix}"
        rows += [
            (f"{pairs}: bytes a pair in tiles", found["tiles_bytes_a_pair"], targets["bytes_a_pair"], "<="),
            (f"{pairs}: bytes a pair resident", found["resident_bytes_a_pair"], None, "<="),
            (f"{pairs}: back after kill -9, s", found["recovery_kept"]["ready_s"], targets["recovery_s"], "<="),
            ("  all coverage published, s", found["recovery_kept"]["all_coverage_s"], None, "<="),
            ("  back without its RocksDB, s", found["recovery_lost"]["ready_s"], targets["recovery_s"], "<="),
            ("  all coverage published, s", found["recovery_lost"]["all_coverage_s"], None, "<="),
            *_latency(found["latency_on_it"], " on it"),
        ]
    return rows


def _login(part: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for name in (one for one in part if one != "targets"):
        found, targets = part[name], part["targets"]
        where = f"login check, {name}, {found['accounts'] / 1e6:g} M accounts, {found['cases'] / 1e6:g} M cases"
        rows += [
            (f"{where}: p50, ms", found["check"]["p50_ms"], targets["p50_ms"], "<="),
            ("  p99, ms", found["check"]["p99_ms"], targets["p99_ms"], "<="),
            ("  an empty query beside it, p99, ms", found["empty_query"]["p99_ms"], None, "<="),
            ("  with the account's own look-up, p99, ms", found["account_and_check"]["p99_ms"], None, "<="),
            (f"  checks/s in {found['threads']} threads", found["checks_per_s_in_threads"], None, ">="),
            ("  bytes a case in the database", found["record_bytes_a_case"], None, "<="),
            ("  cases written/s", found["record_rows_per_s"], None, ">="),
        ]
    return rows


def _archive(part: dict[str, Any]) -> list[Row]:
    targets = part["targets"]
    rows: list[Row] = [
        (f"archive, {part['cases'] / 1e6:g} M cases: rows/s", part["in"]["rows_per_s"], None, ">="),
        ("  messages/s", part["in"]["messages_per_s"], None, ">="),
    ]
    for way in ("by_number", "by_id", "by_position", "small_acks"):
        what = f"  a case {way.replace('_', ' ')}, with what {part['platforms']:,} platforms said: "
        rows += [(f"{what}{name}, ms", part[way][f"{name}_ms"], targets[f"{name}_ms"], "<=") for name in ("p50", "p99")]
    return rows


def _backlog(part: dict[str, Any]) -> list[Row]:
    what = f"{part['notices']:,} notices against {part['accounts']:,} accounts"
    return [
        (f"{what}: s", part["seconds"], part["target_s"], "<="),
        ("  notices/s", part["per_second"], None, ">="),
        ("  frozen", part["frozen"], None, ">="),
        ("  unbound", part["unbound"], None, ">="),
        ("  the adapter's memory at most, MB", part["rss_mb"], None, "<="),
    ]


def _delivery(part: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for one in part["rows"]:
        who = f"webhooks to {one['receivers']}, {one['batch']} a message"
        rows.append((f"{who}: messages/s", one["messages_per_s"], None, ">="))
        rows.append(("  messages per second of its own processor time", one["messages_per_core_s"], None, ">="))
        rows.append(("  notices/s", one["notices_per_s"], None, ">="))
    return rows


def _clearance(part: dict[str, Any]) -> list[Row]:
    where = f"{part['platforms']:,} platforms, {part['cases'] / 1e6:g} M cases"
    rows: list[Row] = []
    for name, count in (("operator", part["numbers"]), ("one_number", 1)):
        rows.append((f"clearance of {count:,}, {where}: p50, ms", part[name]["p50_ms"], None, "<="))
        rows.append(("  p99, ms", part[name]["p99_ms"], None, "<="))
    for name, page in part["pages"].items():
        rows.append((f"  {name}: p50, ms", page["p50_ms"], None, "<="))
        rows.append(("    p99, ms", page["p99_ms"], None, "<="))
    rows.append(("  back over what is on disk, s", part["open_s"], None, "<="))
    rows.append(("  memory, MB", part["resident_bytes"] / 1e6, None, "<="))
    return rows


def _dashboard(part: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for page, found in part["pages"].items():
        for name, one in found.items():
            rows.append((f"{page}, {part['platforms']:,} platforms, {name}: p50, ms", one["p50_ms"], None, "<="))
            rows.append((f"  p99 of {one['times']}, ms", one["p99_ms"], None, "<="))
    return rows


def _rest(part: dict[str, Any]) -> list[Row]:
    targets = part["targets"]
    rows: list[Row] = []
    for name in ("fresh", "worked"):
        for what, found in [*part[name]["parts"].items(), ("the six", part[name]["sum"])]:
            whole = what == "the six"
            core = targets["core"] if whole else targets["broker_core"] if what == "broker" else None
            rows += [
                (f"at rest, {name}, {what}: % of a core", 100 * found["core"], core and 100 * core, "<="),
                ("  memory, its share (PSS), MB", found["pss_mb"], targets["pss_mb"] if whole else None, "<="),
                ("  memory as ps shows it (RSS), MB", found["rss_mb"], None, "<="),
            ]
    return [*rows, *_latency(part["latency"]), *_latency(part["latency_seldom"], " out of the silence")]


ROWS = {
    "acks": _acks,
    "intake": _intake,
    "latency": _latency,
    "state": _state,
    "login": _login,
    "archive": _archive,
    "backlog": _backlog,
    "delivery": _delivery,
    "clearance": _clearance,
    "dashboard": _dashboard,
    "rest": _rest,
}
