"""An archive beside the scene's hub, kept running, and looks at what it keeps."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from sqlalchemy import text

from hub.archive.check import Difference, check
from hub.archive.database import open_engine
from hub.archive.follower import followed
from hub.archive.keys import add_key, read_keys
from hub.archive.queries import History
from hub.archive.settings import SCHEMA, ArchiveSettings
from hub.local.children import Supervised
from hub.settings import WorkerSettings
from tests.broker.scene import Scene, wait_until
from tests.databases import postgres_url

CAUGHT_UP_S = 120.0


class Archiving:
    """The program, its database and its keys."""

    def __init__(self, scene: Scene, *options: str, dsn: str | None = None) -> None:
        self.scene = scene
        self.dsn = dsn or postgres_url()
        self.key_file = scene.hub.data_dir / "archive.keys"
        self.ready_file = scene.hub.data_dir / "archive.ready.json"
        add_key(self.key_file)
        self.engine = open_engine(self.dsn, SCHEMA)
        where = ("--bootstrap-servers", scene.hub.address.bootstrap_servers, "--dsn", self.dsn)
        files = ("--key-file", str(self.key_file), "--ready-file", str(self.ready_file))
        self.program = Supervised("archive", ["archive", "run", *where, *files, *options], scene.hub.data_dir)

    @property
    def settings(self) -> ArchiveSettings:
        """The same, for what runs in this process."""
        return ArchiveSettings(self.scene.hub.address.bootstrap_servers, self.dsn, self.key_file)

    def history(self) -> History:
        """Its questions."""
        return History(self.dsn, read_keys(self.key_file))

    def kill(self) -> None:
        """`kill -9`; it is started again by itself."""
        before = self.program.restarts
        self.program.send(signal.SIGKILL)
        wait_until("the archive is started again", lambda: self.program.restarts > before and self.program.running)

    def kept(self) -> dict[tuple[str, int], int]:
        """How far each log is kept."""
        with self.engine.connect() as connection:
            if connection.execute(text(f"SELECT to_regclass('{SCHEMA}.archive_places')")).scalar() is None:
                return {}
            rows = connection.execute(text("SELECT topic, part, next_offset FROM archive_places"))
            return {(topic, part): offset for topic, part, offset in rows}

    def ends(self) -> dict[tuple[str, int], int]:
        """Where the logs of history end now."""
        admin = AdminClient({"bootstrap.servers": self.scene.hub.address.bootstrap_servers, "log_level": 0})
        tps = followed(admin.list_topics(timeout=20).topics, self.scene.hub_log)
        asked = admin.list_offsets({TopicPartition(one.topic, one.partition): OffsetSpec.latest() for one in tps})
        return {(tp.topic, tp.partition): found.result(20).offset for tp, found in asked.items()}

    def caught_up(self) -> None:
        """Wait until it keeps everything that the logs hold now."""
        ends = self.ends()

        def whole() -> bool:
            kept = self.kept()
            return all(kept.get(tp, -1) >= end for tp, end in ends.items())

        try:
            wait_until("the archive keeps all", whole, CAUGHT_UP_S)
        except AssertionError as behind:
            raise AssertionError(f"{behind}\n{self.program.last_words()}") from None

    def differences(self, folder: Path) -> list[Difference]:
        """What `check` finds."""

        async def gather() -> list[Difference]:
            settings = WorkerSettings(self.scene.hub.address.bootstrap_servers, folder, "check")
            return [one async for one in check(settings, self.engine, read_keys(self.key_file))]

        return asyncio.run(gather())


@contextmanager
def archiving(scene: Scene, *options: str, dsn: str | None = None) -> Iterator[Archiving]:
    """An archive that runs until the end of the block; in a database of the tests' unless one is named."""
    one = Archiving(scene, *options, dsn=dsn)
    one.program.start()
    try:
        yield one
    finally:
        one.program.stop()
        one.engine.dispose()
