"""This module runs what a whole hub has beside Kafka and its workers: delivery, the archive with PostgreSQL, the web.

Each is a command of this package in a process of its own. It is started again when it ends by itself, and its ready
file says where it serves; for example, `web.ready.json` holds the web's `port`. An address with a password is passed in
the environment, which `ps` does not show.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.clock import system_clock
from hub.core.model import DAY_MS, Role
from hub.errors import HubError
from hub.local.children import Supervised
from hub.local.postgres import EmbeddedPostgres
from hub.web.access.tokens import KEY_FILE, LocalIssuer

DSN_VARIABLE = "UNBIND_HUB_ARCHIVE"
LOCAL_SUBJECT = "local"
POLL_S = 0.1


@dataclass(frozen=True)
class Beside:
    """The programs that run beside the workers.

    `delivery` and `web` are the options of `unbind-hub delivery run` and `unbind-hub web run`; None leaves the program
    out. `archive` says whether to keep history: in the PostgreSQL at `dsn`, or in an embedded one if `dsn` is None.
    """

    delivery: tuple[str, ...] | None = None
    archive: bool = False
    dsn: str | None = None
    web: tuple[str, ...] | None = None


class Programs:
    """The running programs."""

    def __init__(self, data_dir: Path, wanted: Beside) -> None:
        self._data_dir = data_dir
        self._wanted = wanted
        self.running: dict[str, Supervised] = {}
        own = wanted.archive and wanted.dsn is None
        self.postgres = EmbeddedPostgres(data_dir / "postgres") if own else None

    @property
    def dsn(self) -> str | None:
        """Return the address of the database that keeps history; None if no history is kept."""
        if self.postgres is not None:
            return self.postgres.dsn()
        return self._wanted.dsn if self._wanted.archive else None

    @property
    def key_file(self) -> Path:
        """Return the file of the archive's keys; it is beside the database's folder, never in it."""
        return self._data_dir / "archive.keys"

    def start(self, servers: str) -> None:
        """Start all of them. They wait by themselves until the topics exist."""
        where = ("--bootstrap-servers", servers)
        if self.postgres is not None:
            self.postgres.start()
        history = {DSN_VARIABLE: self.dsn} if self.dsn is not None else {}
        if self._wanted.archive:
            self._run("archive", ["archive", "run", *where, "--key-file", str(self.key_file)], history)
        if self._wanted.delivery is not None:
            folder = str(self._data_dir / "delivery")
            self._run("delivery", ["delivery", "run", *where, "--data-dir", folder, *self._wanted.delivery])
        if self._wanted.web is not None:
            folder = str(self._data_dir / "web")
            keys = ("--key-file", str(self.key_file)) if history else ()
            self._run("web", ["web", "run", *where, "--data-dir", folder, *keys, *self._wanted.web], history)

    def _run(self, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.ready_file(name).unlink(missing_ok=True)
        ready = ("--ready-file", str(self.ready_file(name)))
        program = Supervised(name, [*arguments, *ready], self._data_dir, environment)
        program.start()
        self.running[name] = program

    def ready_file(self, name: str) -> Path:
        """Return the file in which a program says that it serves."""
        return self._data_dir / f"{name}.ready.json"

    def said(self, name: str) -> dict[str, Any]:
        """Return what a program said when it was ready."""
        found: dict[str, Any] = json.loads(self.ready_file(name).read_text(encoding="utf-8"))
        return found

    async def ready(self, deadline_s: float) -> None:
        """Wait until the programs that people or platforms call serve. The archive may still read what it missed.

        Raises:
            HubError: a program does not serve in time; the message holds its last lines of output.
        """
        deadline = time.monotonic() + deadline_s
        for name in [one for one in self.running if one != "archive"]:
            while not self.ready_file(name).exists():
                if time.monotonic() > deadline:
                    raise self.failure(name)
                await asyncio.sleep(POLL_S)

    def failure(self, name: str) -> HubError:
        """Return the error to raise when a program does not work."""
        return self.running[name].failure()

    def describe(self) -> dict[str, str]:
        """Return where the programs are. A given address is not repeated, because it may hold a password."""
        where: dict[str, str] = {}
        if "delivery" in self.running:
            ready = self.said("delivery")
            where["delivery_url"] = f"http://127.0.0.1:{ready['port']}"
            where["delivery_status_url"] = f"http://127.0.0.1:{ready['metrics_port']}"
            where["delivery_key"] = ready["public_key"]
        if self.postgres is not None:
            where["archive"] = self.postgres.dsn()
        if "web" in self.running:
            where["dashboard_url"] = f"{self.api_url}/#token={self.token(Role.REGISTRAR, LOCAL_SUBJECT)}"
        return where

    @property
    def api_url(self) -> str:
        """Return the address of the API."""
        return f"http://127.0.0.1:{self.said('web')['port']}"

    def token(self, role: Role, subject: str) -> str:
        """Return a token for the API of this hub, valid for a day. A browser never sends what is after `#` in an
        address."""
        issuer = LocalIssuer.open(self._data_dir / "web" / KEY_FILE, self.said("web")["hub_id"])
        return issuer.token(role, subject, DAY_MS, system_clock())

    async def stop(self) -> None:
        """End the programs, and then the database."""
        await asyncio.gather(*(asyncio.to_thread(one.stop) for one in self.running.values()))
        if self.postgres is not None:
            await asyncio.to_thread(self.postgres.stop)
