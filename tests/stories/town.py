"""The town of the stories: a real hub, an operator, and apps that joined it with the adapter beside them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from typer.testing import CliRunner

from hub.cli.main import app as commands
from hub.core.model import (
    DAY_MS,
    Acknowledgement,
    Action,
    EventType,
    NumberEvent,
    Outcome,
    Platform,
    PlatformState,
    ReleaseReason,
    Reminder,
    Report,
    ReportKind,
    ReportReceipt,
)
from hub.sdk.adapter.acking import Actions
from hub.sdk.adapter.adapter import PlatformAdapter
from hub.sdk.adapter.settings import AdapterSettings
from hub.sdk.last_cases import NONE
from hub.sdk.login.check import EVERYBODY, LoginCheck, LoginCheckSettings
from hub.sdk.reports import send_report
from hub.sdk.stores import SqlStore
from hub.sdk.times import iso_time
from hub.wire.contracts import ACKS, EVENTS, decode
from tests.broker import scene as scenes
from tests.broker.scene import Scene, event, now_ms, wait_until
from tests.stories.app import LAYOUT, DriveApp, serving
from tests.stories.browser import Browser
from tests.stories.people import Person
from tests.stories.post import Post

EFFECT_S = 30.0
"""A story waits no longer for what it tells of."""

COMMAND_POLL_S = 0.5
"""Between two looks of a whole command, which takes that long itself."""

YEAR_MS = 365 * DAY_MS
HEARTBEAT_S = 0.2


class Beside:
    """The adapter of one app, in a thread of its own, over the app's own database."""

    def __init__(self, scene: Scene, platform_id: str, store: SqlStore, actions: Actions) -> None:
        settings = AdapterSettings(linger_ms=20, heartbeat_s=HEARTBEAT_S, actions=actions)
        signer = scene.signer(f"{platform_id}-1")
        self._adapter = PlatformAdapter(platform_id, store, signer, scene.hub.address, settings)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._wrong: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name=f"adapter of {platform_id}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._adapter.run(self._stop))
        except BaseException as wrong:  # noqa: BLE001 - told to the story at its end
            self._wrong.append(wrong)

    def stop(self) -> None:
        """End it.

        Raises:
            BaseException: what it died of.
        """
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(EFFECT_S)
        assert not self._thread.is_alive(), "the adapter does not end"
        self._loop.close()
        if self._wrong:
            raise self._wrong[0]


class AppInTown:
    """An app with its web address; `joined`: its adapter runs and its login asks the login check."""

    def __init__(self, town: Town, platform: Platform, folder: Path, stack: ExitStack, actions: Actions) -> None:
        self.id = platform.id
        self.engine = create_engine(f"sqlite:///{folder / platform.id}.db", connect_args={"timeout": 30})
        self.drive = DriveApp(self.engine, town.post)
        self._town = town
        self._http = stack.enter_context(Browser(stack.enter_context(serving(self.drive.web))))
        if platform.state is PlatformState.CONNECTED:
            self._join(stack, actions)

    def _join(self, stack: ExitStack, actions: Actions) -> None:
        store = SqlStore(self.engine, LAYOUT)
        stack.callback(Beside(self._town.scene, self.id, store, actions).stop)
        check = LoginCheck(self.engine, LoginCheckSettings(served=EVERYBODY))
        wait_until(f"{self.id} has heard everything", lambda: check.evidence().caught_up_at is not None, EFFECT_S)

        self.drive.check = check.check

    def person(self, name: str) -> Person:
        """Somebody at this app."""
        return Person(name, self._http, self._town.post)

    def account(self, account_id: int) -> dict[str, Any]:
        """An account as it now is."""
        return self.drive.account(account_id)


class OperatorInTown:
    """The operator: what happens to its numbers, and who holds them. Times are those of real cases, told late."""

    def __init__(self, town: Town) -> None:
        self._town = town

    def cools(self, number: str, days_ago: int = 0) -> NumberEvent:
        """The owner gives the number up; it is out of service, and can be restored for 60 days."""
        self._town.post.hand_over(number, None)
        at = now_ms() - days_ago * DAY_MS
        return self._tell(
            event(
                number,
                EventType.COOLING,
                occurred_at=at,
                cooling_until=at + 60 * DAY_MS,
                reissue_not_before=at + 70 * DAY_MS,
                reason=ReleaseReason.USER_REQUEST,
                reminders=(Reminder(at, "SMS"),),
            )
        )

    def restores(self, number: str, owner: str) -> None:
        """The owner comes to the shop and has the number back."""
        self._tell(event(number, EventType.RESTORED))
        self._town.post.hand_over(number, owner)

    def withdraws(self, wrong: NumberEvent, owner: str) -> None:
        """The operator was wrong: the number was never given up."""
        self._tell(event(wrong.number, EventType.WITHDRAWN, supersedes=wrong.event_id))
        self._town.post.hand_over(wrong.number, owner)

    def schedules(self, number: str) -> None:
        """The number will be released in a week."""
        self._tell(event(number, EventType.RELEASE_SCHEDULED))

    def hands_out(self, number: str, new_owner: str) -> None:
        """The number is released and given to somebody else, who is told that it had an owner before."""
        self._tell(event(number, EventType.RELEASED))
        self._tell(event(number, EventType.REASSIGNED, reminders=(Reminder(now_ms(), "SMS"),)))
        self._town.post.hand_over(number, new_owner)

    def cleans_up(self, number: str, holder_since: int) -> None:
        """The present holder asks for a clean-up of a number recycled before the hub: `operator backfill`."""
        key, since = self._town.folder / "north.pem", iso_time(holder_since)
        if not key.exists():
            self._town.scene.signer("north-1").save(key)
        outbox = str(self._town.folder / "backfill.outbox")
        words = ("--operator", "north", "--key-file", str(key), "--key-id", "north-1", "--outbox", outbox)
        self._town.run("operator", "backfill", number, "--bound-before", since, *words)

    def passes_on(self, number: str, platform: str, kind: ReportKind) -> ReportReceipt:
        """Somebody says that their number is still bound somewhere."""
        scene = self._town.scene
        said = Report(uuid.uuid4().bytes, "north", number, platform, kind, now_ms())
        return asyncio.run(send_report(said, scene.signer("north-1"), scene.hub.address))

    def _tell(self, told: NumberEvent) -> NumberEvent:
        scene = self._town.scene
        before = len(scene.notices())
        scene.send([scene.event_message(told)])
        scene.flush()
        scene.settle(EVENTS)
        assert len(scene.notices()) == before + 1, scene.receipts("north")[-1]
        return told


class Town:
    """Everything in the story."""

    def __init__(self, scene: Scene, folder: Path, stack: ExitStack) -> None:
        self.scene = scene
        self.post = Post()
        self.operator = OperatorInTown(self)
        self.folder = folder
        self._stack = stack
        self._numbers = iter(range(1, 10_000))

    def number(self) -> str:
        """A number that no story had before."""
        return f"+86135{next(self._numbers):08d}"

    def app(
        self, platform_id: str, state: PlatformState = PlatformState.CONNECTED, actions: Actions = NONE, **fields: Any
    ) -> AppInTown:
        """An app on the roster; if it is connected, its adapter runs, and says that outcomes are these actions."""
        platform = self.scene.platform(platform_id, state=state, **fields)
        self.scene.put_platforms(platform)
        return AppInTown(self, platform, self.folder, self._stack, actions)

    def signed_for(self, platform: str, outcome: Outcome) -> set[Action]:
        """The actions that a platform's acknowledgements name with an outcome."""
        acks = (decode(one.value, Acknowledgement) for one in self.scene.read(ACKS) if one.value is not None)
        said = [one for ack in acks if ack.platform == platform for one in ack.outcomes]
        return {action for one in said if one.outcome is outcome for action in one.actions}

    def run(self, *words: str) -> str:
        """What a command prints that ends well."""
        done = CliRunner().invoke(commands, [*words, "--bootstrap-servers", self.scene.hub.address.bootstrap_servers])
        assert done.exit_code == 0, done.output
        return done.stdout

    def case(self, number: str) -> dict[str, dict[str, Any]]:
        """What `unbind-hub case` says of a number's last case: each platform's row, by id."""
        shown = json.loads(self.run("case", number, "--json"))
        return {row["platform"]: row for row in shown[0]["platforms"]}

    def reports(self, platform: str) -> list[dict[str, Any]]:
        """What `unbind-hub reports` says of a platform, newest first."""
        rows: list[dict[str, Any]] = json.loads(self.run("reports", "--platform", platform, "--json"))
        return rows

    def answers(self, number: str, **expected: str | None) -> dict[str, dict[str, Any]]:
        """Wait until platforms answer so for the number's last case; all rows."""
        rows: dict[str, dict[str, Any]] = {}

        def answered() -> bool:
            rows.update(self.case(number))
            return all(rows[platform]["answer"] == answer for platform, answer in expected.items())

        wait_until(f"the answers are {expected}", answered, EFFECT_S, COMMAND_POLL_S)
        return rows


def shortly(what: str, condition: Any) -> None:
    """Wait until something is so."""
    wait_until(what, condition, EFFECT_S)


def years_ago(years: float) -> int:
    """A time that long ago, UTC milliseconds."""
    return time.time_ns() // 1_000_000 - int(years * YEAR_MS)


@contextmanager
def opened(folder: Path) -> Iterator[Town]:
    """A town with a hub and the operator `north`, which serves +86135."""
    with scenes.running(folder / "hub") as scene, ExitStack() as stack:
        scene.put_operator("north", "+86135")
        yield Town(scene, folder, stack)
