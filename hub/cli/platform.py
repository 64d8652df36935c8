"""`unbind-hub platform` holds the commands that a platform runs; the registrar's are in `hub.cli.platform_roster`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hub.errors import PlatformError
from hub.whole_files import write_json

if TYPE_CHECKING:
    from hub.platform.config import PlatformConfig
    from hub.platform.joining import Answers
    from hub.sdk.adapter.adapter import PlatformAdapter

Config = Annotated[Path, typer.Option("--config", help="The platform's file, platform.yaml.")]

log = logging.getLogger(__name__)
app = typer.Typer(no_args_is_help=True, help="For platforms, and their place on the roster.")


@app.callback()
def _platform() -> None:
    """Run a platform's adapter, or edit platforms on the roster."""


def read_file(path: Path) -> PlatformConfig:
    """Read the config in a file.

    Raises:
        PlatformError: the file cannot be read, or a setting is missing or wrong.
    """
    from hub.platform.config import read_config

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise PlatformError(f"{path} cannot be read", todo="Make one with `unbind-hub platform init`.") from wrong
    return read_config(text, path.name, path.resolve().parent)


@app.command()
def run(
    config: Config = Path("platform.yaml"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Match and count; change and say nothing.")] = False,
    ready_file: Annotated[Path | None, typer.Option(help="Written once it reads: pid, metrics_url.")] = None,
) -> None:
    """Follow the hub's releases, act on accounts and acknowledge, until told to stop. It goes on where it ended."""
    from dataclasses import replace

    from hub.platform.assembly import adapter_of

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("aiokafka", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    found = read_file(config)
    if dry_run:
        found = replace(found, settings=replace(found.settings, dry_run=True))
    asyncio.run(_run(found, adapter_of(found), ready_file))


async def _run(config: PlatformConfig, adapter: PlatformAdapter, ready_file: Path | None) -> None:
    from hub.platform.metrics import serve
    from hub.platform.progress import show_progress, summary

    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        port = None
        if config.metrics_port is not None:
            port, end = serve(adapter, config.metrics_port)
            stack.callback(end)
        showing = asyncio.create_task(show_progress(adapter, Console(stderr=True)))
        stack.callback(showing.cancel)
        _say_ready(config, port, ready_file)
        await adapter.run(stop)
    log.info("ended as told: %s", summary(adapter))


def _say_ready(config: PlatformConfig, port: int | None, ready_file: Path | None) -> None:
    metrics_url = None if port is None else f"http://127.0.0.1:{port}/metrics"
    log.info(
        "adapter of %s%s, hub %s; metrics: %s",
        config.platform,
        " (dry run)" if config.settings.dry_run else "",
        config.hub_id,
        metrics_url or "off",
    )
    if ready_file is not None:
        write_json(ready_file, {"pid": os.getpid(), "metrics_url": metrics_url})


@app.command()
def check(
    config: Config = Path("platform.yaml"),
    notices: Annotated[int, typer.Option(min=0, help="Notices to count matches of, at most.")] = 100_000,
) -> None:
    """Connect to everything, count what would match, and change nothing. It ends with 1 if something is wrong."""
    wrong = asyncio.run(_check(read_file(config), notices))
    raise typer.Exit(1 if wrong else 0)


async def _check(config: PlatformConfig, notices: int) -> bool:
    from hub.platform.checking import Verdict
    from hub.platform.checking import check as findings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a finding already says it
    wrong = False
    async for one in findings(config, notices):
        typer.echo(f"{one.verdict:5}  {one.what}")
        if one.todo:
            typer.echo(f"       What to do: {one.todo}")
        wrong |= one.verdict is Verdict.WRONG
    return wrong


class _Asking:
    """Asks a person for what was not given as an option."""

    def __init__(self, *, off: bool) -> None:
        self._off = off

    def __call__(self, question: str, given: str | None, default: str | None) -> str:
        if given is not None:
            return given
        if not self._off:
            return str(typer.prompt(question, default=default))
        if default is None:
            raise PlatformError(f"not said: {question}", todo="Give it as an option, or leave out --yes.")
        return default


def _write(answers: Answers, folder: Path) -> None:
    from hub.clock import system_clock
    from hub.platform.config import read_config
    from hub.platform.joining import config_text, roster_record
    from hub.wire.signing import Signer

    config, key = folder / "platform.yaml", folder / f"{answers.platform}.pem"
    for one in (config, key):
        if one.exists():
            raise PlatformError(f"{one} is there already", todo="Move it away, or choose another --folder.")
    text = config_text(answers)
    read_config(text, config.name, folder)
    signer = Signer.generate(answers.key_id, answers.hub_id)
    folder.mkdir(parents=True, exist_ok=True)
    signer.save(key)
    config.write_text(text, encoding="utf-8")
    record = json.dumps(roster_record(answers, signer.public, system_clock()), ensure_ascii=False, indent=1)
    (folder / "record.json").write_text(record + "\n", encoding="utf-8")
    typer.echo(record)
    typer.echo(
        f"Written: {config}, {key} (keep it to yourself) and {folder / 'record.json'}, which goes to the registrar.\n"
        "The registrar runs: unbind-hub platform add --file record.json\n"
        f"Then: unbind-hub platform check --config {config}",
        err=True,
    )


@app.command()
def init(
    folder: Annotated[Path, typer.Option(help="Where the file and the key pair go.")] = Path(),
    platform_id: Annotated[str | None, typer.Option("--platform", help="Its id on the roster.")] = None,
    name_zh: Annotated[str | None, typer.Option(help="Its name in Chinese.")] = None,
    name_en: Annotated[str | None, typer.Option(help="Its name in English.")] = None,
    sector: Annotated[str | None, typer.Option(help="Such as bank, payment, drive, social; or other.")] = None,
    tier: Annotated[str | None, typer.Option(help="1: answers in 24 h, 2: in 3 days, 3: in 7.")] = None,
    users: Annotated[str | None, typer.Option(help="About how many users it has.")] = None,
    stops: Annotated[str | None, typer.Option(help="What the app itself stops, such as LOGIN_OFF.")] = None,
    bootstrap_servers: Annotated[str, typer.Option(help="The hub's Kafka, host:port,…")] = "127.0.0.1:9092",
    hub_id: Annotated[str, typer.Option(help="The hub's id.")] = "local-hub",
    partitions: Annotated[int, typer.Option(min=1, help="Of the hub's releases.")] = 12,
    database: Annotated[str | None, typer.Option(help="Without a password; else use --database-env.")] = None,
    database_env: Annotated[str, typer.Option(help="The variable that holds the address.")] = "DATABASE_URL",
    table: Annotated[str, typer.Option(help="The table of accounts.")] = "users",
    account_id: Annotated[str, typer.Option(help="Its column of account ids.")] = "id",
    number: Annotated[str, typer.Option(help="Its column of numbers.")] = "phone",
    bound_at: Annotated[str, typer.Option(help="Its column of when the number was bound; empty: none.")] = "",
    proven_at: Annotated[str, typer.Option(help="Its column of the last proof by a code; empty: none.")] = "",
    frozen: Annotated[str, typer.Option(help="Its column that keeps an account from login; empty: none.")] = "",
    region: Annotated[str, typer.Option(help="Of the numbers, ISO 3166-1.")] = "CN",
    contact: Annotated[str | None, typer.Option(help="Whom the registrar may write to.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
) -> None:
    """Write platform.yaml and a key pair, and print the record to hand over to the registrar."""
    from hub.platform.joining import Answers, stops_in, usual_tier, whole

    asking = _Asking(off=yes)
    who = asking("Its id on the roster", platform_id, None)
    answers = Answers(
        platform=who,
        name_zh=asking("Its name in Chinese", name_zh, who),
        name_en=asking("Its name in English", name_en, who),
        sector=(what := asking("Its sector, such as bank, payment, drive, mail, social; or other", sector, None)),
        tier=whole(asking("Its tier; it answers in 24 h (1), 3 days (2), 7 (3)", tier, usual_tier(what)), 3) or 3,
        users_estimate=whole(asking("About how many users it has (empty: not said)", users, ""), 10**10),
        bootstrap_servers=asking("The hub's Kafka", None, bootstrap_servers),
        hub_id=asking("The hub's id", None, hub_id),
        partitions=partitions,
        database=database,
        database_env=database_env,
        table=asking("The table of accounts", None, table),
        account_id=asking("Its column of account ids", None, account_id),
        number=asking("Its column of numbers", None, number),
        bound_at=asking("Its column of when the number was bound (empty: none)", None, bound_at) or None,
        frozen=asking("Its column that keeps an account from login (empty: none)", None, frozen) or None,
        region=asking("The region of the numbers", None, region),
        stops=stops_in(asking("What the app itself stops for such an account (empty: nothing said)", stops, "")),
        contact=contact,
        proven_at=asking("Its column of the last proof by a code on a known device (empty: none)", None, proven_at)
        or None,
    )
    _write(answers, folder)
