"""Files of days hold every position exactly once, are signed, and can be made again."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.model import DAY_MS
from hub.delivery.day_files import COLUMNS, DayFile, DayFiles, begin_ms
from hub.wire.signing import Signer, signed_bytes
from tests.delivery_in_memory import LOG, MemoryReleases, quick_settings

KEY = Signer.from_seed("delivery/hub", b"k" * 32, "h")
DAY_ONE = date(2026, 11, 1)
NOW = begin_ms(DAY_ONE) + 6 * DAY_MS


def made(releases: MemoryReleases, folder: Path, now_ms: int = NOW) -> tuple[DayFiles, list[DayFile]]:
    """All files that there are at a time."""

    async def make() -> tuple[DayFiles, list[DayFile]]:
        files = DayFiles(quick_settings(folder), LOG, releases, KEY, lambda: now_ms)
        found = [await files.file(one.day) for one in await files.days(date.min, 1_000)]
        return files, [one for one in found if one is not None]

    return asyncio.run(make())


def positions(file: DayFile) -> list[str]:
    return [row["position"] for row in csv.DictReader(io.StringIO(file.path.read_text(encoding="utf-8")))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4 * DAY_MS), min_size=1, max_size=25))
def test_every_position_is_in_exactly_one_file_whatever_the_brokers_clocks_say(hours: list[int]) -> None:
    """Records whose times go back and forth over midnight are in one file each, and in the same one ever after."""
    releases = MemoryReleases()
    for after_ms in hours:
        releases.publish(1, begin_ms(DAY_ONE) + after_ms)
    with TemporaryDirectory() as folder:
        _, files = made(releases, Path(folder))
        found = [one for file in files for one in positions(file)]
        contents = [(file.day, file.path.read_bytes(), file.signature) for file in files]
    wanted = [f"{partition}-{offset}" for partition in range(LOG.partitions) for offset in range(len(hours))]
    assert sorted(found) == sorted(wanted)
    releases.publish(3, NOW + DAY_MS)
    with TemporaryDirectory() as folder:
        _, files = made(releases, Path(folder), NOW + 3 * DAY_MS)
        again = [(file.day, file.path.read_bytes(), file.signature) for file in files]
    assert again[: len(contents)] == contents, "what was published once has changed"


def test_a_day_has_its_file_once_it_is_over_and_its_last_notices_must_have_come(tmp_path: Path) -> None:
    """Ten minutes after midnight, UTC, and not a millisecond before."""
    releases = MemoryReleases()
    releases.publish(2, begin_ms(DAY_ONE) + 5)
    over = begin_ms(DAY_ONE + timedelta(days=1)) + 600_000
    assert made(releases, tmp_path, over - 1)[1] == []
    (file,) = made(releases, tmp_path, over)[1]
    assert (file.day, file.positions) == (DAY_ONE, 2 * LOG.partitions)


def test_a_file_is_signed_and_names_its_columns(tmp_path: Path) -> None:
    """Its signature is over hub, day and digest; a position that is no notice has its row too."""
    releases = MemoryReleases()
    releases.publish(1, begin_ms(DAY_ONE))
    releases.spoil(1)
    releases.publish(1, begin_ms(DAY_ONE))
    _, files = made(releases, tmp_path)
    for file in files:
        data = file.path.read_bytes()
        assert file.sha256 == sha256(data).digest()
        public = Ed25519PublicKey.from_public_bytes(KEY.public)
        public.verify(file.signature, signed_bytes("h", f"files/{file.day}", file.sha256))
        assert data.decode().splitlines()[0] == ",".join(COLUMNS)
    assert sum(len(positions(file)) for file in files) == 2 * LOG.partitions + 1
    assert (tmp_path / "files").stat().st_mode & 0o077 == 0, "others may read numbers"


def test_files_that_were_dropped_are_made_again(tmp_path: Path) -> None:
    """Only the newest are kept on disk; an old one asked for is the same again."""
    releases = MemoryReleases()
    for day in range(5):
        releases.publish(1, begin_ms(DAY_ONE) + day * DAY_MS)

    async def run() -> None:
        files = DayFiles(quick_settings(tmp_path, files_kept_max=2), LOG, releases, KEY, lambda: NOW)
        first = await files.file(DAY_ONE)
        assert first is not None
        data = first.path.read_bytes()
        for day in range(1, 5):
            await files.file(DAY_ONE + timedelta(days=day))
        assert not first.path.exists()
        assert len(list((tmp_path / "files").glob("*.csv"))) == 2
        again = await files.file(DAY_ONE)
        assert again == first
        assert again.path.read_bytes() == data

    asyncio.run(run())


def test_files_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    """They hold numbers: a program that starts removes what it does not know, and makes what is asked for anew."""
    releases = MemoryReleases()
    releases.publish(1, begin_ms(DAY_ONE))
    files, (before,) = made(releases, tmp_path)
    data = before.path.read_bytes()
    before.path.with_suffix(".tmp").write_bytes(b"cut off")
    files.clear()
    assert list((tmp_path / "files").iterdir()) == []
    _, (after,) = made(releases, tmp_path)
    assert after.path.read_bytes() == data
