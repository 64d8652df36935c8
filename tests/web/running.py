"""A whole hub with a little life in it, and people of every role who ask its API."""

from __future__ import annotations

import base64
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from hub.core.model import DAY_MS, EventType, Outcome, PlatformState, Role, Source
from hub.local.children import Supervised
from hub.web.access.tokens import KEY_FILE, LocalIssuer
from hub.wire import contracts
from tests import plain_http
from tests.broker import scene as scenes
from tests.broker.archiving import Archiving
from tests.broker.scene import Scene, event, mobile_numbers, now_ms, wait_until

SUBJECTS = {
    Role.OPERATOR: "north",
    Role.PLATFORM: "bank",
    Role.REGISTRAR: "registrar",
    Role.VIEWER: "anybody",
    Role.AUDITOR: "auditor",
}
NORTH, SOUTH = "+86135", "+86136"
HOUR_MS = 3_600_000
ASK_S = 60.0


class Web:
    """The program, and who asks it. `numbers`: of released cases of `north`, the first cleared everywhere."""

    def __init__(self, scene: Scene, archiving: Archiving, *options: str, name: str = "web") -> None:
        self.scene = scene
        self.archiving = archiving
        self.folder = scene.hub.data_dir / name
        self.folder.mkdir(exist_ok=True)
        self.ready_file = scene.hub.data_dir / f"{name}.ready.json"
        self.issuer = LocalIssuer.open(self.folder / KEY_FILE, scene.hub_log.hub_id)
        where = ("--bootstrap-servers", scene.hub.address.bootstrap_servers, "--data-dir", str(self.folder))
        history = ("--dsn", archiving.dsn, "--key-file", str(archiving.key_file))
        files = ("--ready-file", str(self.ready_file), "--port", "0", "--clearance-wait-s", str(ASK_S / 2))
        self._name = name
        self._words = ["web", "run", *where, *history, *files, *options]
        self.program = self._made()
        self.numbers: list[str] = []
        self.cases: dict[str, Source] = {}

    def _made(self) -> Supervised:
        return Supervised(self._name, self._words, self.scene.hub.data_dir)

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.program.start()
        wait_until("the web serves", self.ready_file.exists)

    @contextmanager
    def beside(self, name: str, *options: str) -> Iterator[Web]:
        """Another program on the same hub, with other options."""
        other = Web(self.scene, self.archiving, *options, name=name)
        other.numbers, other.cases = self.numbers, self.cases
        try:
            other.start()
            yield other
        finally:
            other.program.stop()

    def kill(self) -> None:
        """`kill -9`, and nobody starts it again until `start`."""
        self.program.send(signal.SIGKILL)
        self.program.stop()
        self.ready_file.unlink(missing_ok=True)
        self.program = self._made()

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{json.loads(self.ready_file.read_text(encoding='utf-8'))['port']}"

    @property
    def metrics_url(self) -> str:
        """Where its metrics are."""
        port = json.loads(self.ready_file.read_text(encoding="utf-8"))["metrics_port"]
        return f"http://127.0.0.1:{port}/metrics"

    def token(self, role: Role, subject: str | None = None, life_ms: int = HOUR_MS) -> str:
        """A token of the local issuer."""
        return self.issuer.token(role, subject or SUBJECTS[role], life_ms, int(time.time() * 1_000))

    def ask(self, role: Role | None, method: str, path: str, subject: str | None = None, **more: Any) -> httpx.Response:
        """One request, as somebody; as nobody with None."""
        headers = dict(more.pop("headers", {}))
        if role is not None:
            headers["authorization"] = f"Bearer {self.token(role, subject)}"
        return plain_http.request(method, self.url + path, headers=headers, timeout=ASK_S, **more)

    def get(self, role: Role, path: str, **more: Any) -> Any:
        """The JSON of a page."""
        answer = self.ask(role, "GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, role: Role, path: str, body: Any, **more: Any) -> Any:
        """The JSON of an answer to a question."""
        answer = self.ask(role, "POST", path, json=body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def seal(self, draft: dict[str, str], key_id: str = "north-1") -> dict[str, Any]:
        """What an operator without Kafka does with a draft: sign these bytes with its key, and post the others."""
        signature = self.scene.signer(key_id).sign(base64.b64decode(draft["sign"]))
        headers = {"key-id": key_id, "signature": base64.b64encode(signature).decode()}
        return {"headers": headers, "content": base64.b64decode(draft["value"])}

    def clean_up(self, operator: str, *rows: tuple[str, str]) -> list[Source]:
        """Ask for clean-ups over HTTP, as a file of number and bound_before; where their events lie."""
        file = "\n".join(["number,bound_before", *(",".join(row) for row in rows)])
        answer = self.ask(Role.OPERATOR, "POST", "/v1/clean-ups/draft", operator, content=file.encode())
        assert answer.status_code == 200, answer.text
        placed = []
        for one in answer.json()["drafts"]:
            taken = self.ask(Role.OPERATOR, "POST", "/v1/events", operator, **self.seal(one["draft"], f"{operator}-1"))
            assert taken.status_code == 202, taken.text
            placed.append(Source(taken.json()["partition"], taken.json()["offset"]))
        self.scene.settle(contracts.EVENTS)
        return placed


def live(web: Web) -> None:
    """Operators north and south, a bank, a shop and a gym that is not connected; thirty released cases, answered."""
    scene = web.scene
    scene.put_operator("south", SOUTH)
    gym = scene.platform("gym", state=PlatformState.KNOWN_UNCONNECTED)
    scene.put_platforms(scene.platform("bank"), scene.platform("shop", tier=2), gym)
    at, day = now_ms(), DAY_MS
    web.numbers = mobile_numbers(30, NORTH)
    cooling: dict[str, Any] = {
        "occurred_at": at - 70 * day,
        "cooling_until": at - 9 * day,
        "reissue_not_before": at - day,
    }
    for kind, fields in ((EventType.COOLING, cooling), (EventType.RELEASED, {"occurred_at": at - 2 * day})):
        scene.send(scene.event_message(event(one, kind, **fields)) for one in web.numbers)
        scene.flush()
        scene.settle(contracts.EVENTS)
    web.cases = {one.subject.value: where for where, one in scene.notices() if one.opened_at is None}
    ends = scene.ends(contracts.RELEASES)
    for place, number in enumerate(web.numbers):
        where = web.cases[number]
        through = ends[where.partition] - 1
        said = Outcome.NOT_BOUND if place < 20 else Outcome.FROZEN if place < 25 else Outcome.DECLINED
        for platform, outcome in (("bank", said), ("shop", Outcome.NOT_BOUND)):
            scene.send([scene.ack_message(scene.ack(platform, where.partition, through, {outcome: [where.offset]}))])
    scene.flush()
    scene.settle(contracts.ACKS)


@contextmanager
def running(folder: Path) -> Iterator[Web]:
    """Everything, started and lived in, and the archive caught up."""
    with scenes.running(folder) as scene:
        scene.put_operator("north", NORTH)
        archiving = Archiving(scene)
        archiving.program.start()
        web = Web(scene, archiving)
        try:
            live(web)
            web.start()
            archiving.caught_up()
            yield web
        finally:
            web.program.stop()
            archiving.program.stop()
            archiving.engine.dispose()
