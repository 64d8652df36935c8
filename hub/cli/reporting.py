"""`unbind-hub operator report` passes on a person's report."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.clock import system_clock
from hub.core.model import REFUSAL_TODO, Decision, Report, ReportKind, ReportReceipt
from hub.sdk.reports import send_report
from hub.settings import PARTITIONS_DEFAULT, HubAddress
from hub.wire.signing import Signer

REFUSED = 1


def report(
    number: Annotated[str, typer.Argument(help="E.164, such as +8613…")],
    platform: Annotated[str, typer.Option(help="Its id on the roster, or its name as the person says it.")],
    kind: Annotated[ReportKind, typer.Option(case_sensitive=False, help="What the person meets.")],
    operator: Annotated[str, typer.Option(help="Who passes it on; an id on the roster.")],
    key_file: Annotated[Path, typer.Option(help="That operator's private key, PEM.")],
    key_id: Annotated[str, typer.Option(help="Its name on the roster.")],
    bootstrap_servers: Annotated[str, typer.Option(envvar="UNBIND_HUB_SERVERS", help="Kafka's addresses.")],
    hub_id: Annotated[str, typer.Option(help="As `unbind-hub up` prints it.")] = "local-hub",
    partitions: Annotated[int, typer.Option(min=1, help="Of the hub.")] = PARTITIONS_DEFAULT,
    report_id: Annotated[uuid.UUID | None, typer.Option(help="To send a report once more; it counts once.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The receipt as JSON.")] = False,
) -> None:
    """Report that an account is still bound, and print the receipt. It ends with 1 if the report is refused."""
    now_ms = system_clock()
    one = Report((report_id or uuid.uuid4()).bytes, operator, number, platform, kind, now_ms)
    signer = Signer.load(key_file, key_id, hub_id)
    receipt = asyncio.run(send_report(one, signer, HubAddress(bootstrap_servers, hub_id, partitions)))
    typer.echo(_as_json(receipt) if as_json else "\n".join(_as_text(receipt)))
    if receipt.decision is Decision.REFUSED:
        raise typer.Exit(REFUSED)


def _as_json(receipt: ReportReceipt) -> str:
    said = {**receipt._asdict(), "source": str(receipt.source), "case": receipt.case and str(receipt.case)}
    said["report_id"] = receipt.report_id and str(uuid.UUID(bytes=receipt.report_id))
    return json.dumps(said, ensure_ascii=False, indent=1)


def _as_text(receipt: ReportReceipt) -> list[str]:
    lines = [f"{receipt.decision}: report {uuid.UUID(bytes=receipt.report_id) if receipt.report_id else '?'}"]
    if receipt.reason is not None:
        return [*lines, f"  {receipt.reason}. {REFUSAL_TODO[receipt.reason]}"]
    if receipt.case is None:
        lines.append("  The number has no case in force here. If it was recycled before: unbind-hub operator backfill.")
    if receipt.platform is None:
        lines.append("  No platform on the roster has that name; the report is kept under it.")
    elif receipt.deadline_at is not None:
        due = datetime.fromtimestamp(receipt.deadline_at / 1_000, UTC).isoformat(timespec="minutes")
        lines.append(f"  {receipt.platform} was asked and owes an answer by {due}.")
    else:
        lines.append(f"  {receipt.platform} is {receipt.state} and was not asked; the gap is on record.")
    if receipt.guide_url is not None:
        lines.append(f"  How to unbind there oneself: {receipt.guide_url}")
    return lines
