"""What delivery keeps: the journal, its key, and files of days that hold every position exactly once."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.model import DAY_MS, Key, Names, Platform, PlatformState, Received
from hub.core.roster import Roster
from hub.core.roster_life import receipt_key_id
from hub.core.shelf import received_key
from hub.delivery.channels import Span
from hub.delivery.day_files import COLUMNS, DayFile, DayFiles, begin_ms
from hub.delivery.health import Answer, Health, Verdict, judged
from hub.delivery.journal import Journal, Place
from hub.delivery.keys import hub_key, public_form
from hub.delivery.metrics import DeliveryMetrics
from hub.delivery.receipts import Receipts
from hub.delivery.service import ReceivedBook
from hub.delivery.settings import DeliverySettings, Patience
from hub.errors import UnbindError
from hub.sdk.webhooks import public_key_of
from hub.settings import WorkerSettings
from hub.wire.contracts import encode
from hub.wire.signing import Headers, Signer, signed_bytes
from tests.delivery_desk import LOG, MemoryReleases, quick_settings

KEY = Signer.from_seed("delivery/hub", b"k" * 32, "h")
DAY_ONE = date(2026, 11, 1)
NOW = begin_ms(DAY_ONE) + 6 * DAY_MS
FAILED = Answer(Verdict.FAILED, "500")


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


def test_how_far_a_platform_received_may_become_less() -> None:
    """Workers' tiles are taken together; what one takes back, as of a stolen key, counts no more."""
    book = ReceivedBook(WorkerSettings("", Path(), "delivery"), LOG.partitions, asyncio.Event())

    def hear(epoch: bytes, through: int | None) -> dict[int, int]:
        value = None if through is None else encode(Received("hooky", 1, epoch, through))
        book.handle(SimpleNamespace(key=received_key("hooky", 1, epoch), value=value))
        return book.of("hooky")

    one, other = b"a" * 16, b"b" * 16
    assert (hear(one, 10), hear(other, 900), hear(one, 12)) == ({1: 10}, {1: 900}, {1: 900})
    assert (hear(other, 11), hear(one, None), hear(other, None)) == ({1: 12}, {1: 11}, {})
    assert book.fresh == {"hooky"}


def test_the_journal_remembers_places_and_health(tmp_path: Path) -> None:
    """What was kept is there after a restart, for the same channel; another channel begins with new health."""
    health = judged(Health(), 3, FAILED, 1_000, Patience(), 0.5)
    journal = Journal(tmp_path, b"l" * 16)
    journal.put("hooky", {0: Place(5, b"d" * 32, 9), 7: Place(1, b"e" * 32)})
    journal.put("other", {0: Place(2)})
    journal.put_health("hooky", "webhook a", health)
    journal.close()
    journal = Journal(tmp_path, b"l" * 16)
    assert journal.places("hooky") == {0: Place(5, b"d" * 32, 9), 7: Place(1, b"e" * 32)}
    assert journal.health("hooky", "webhook a") == health
    assert journal.health("hooky", "webhook b") == Health()
    journal.close()


def test_the_journal_of_another_log_is_worth_nothing(tmp_path: Path) -> None:
    """Positions of a hub made anew begin at 0, whatever lies in the folder."""
    journal = Journal(tmp_path, b"l" * 16)
    journal.put("hooky", {0: Place(5, b"d" * 32)})
    journal.close()
    journal = Journal(tmp_path, b"m" * 16)
    assert journal.places("hooky") == {}
    journal.close()
    journal = Journal(tmp_path, b"l" * 16)
    assert journal.places("hooky") == {}
    journal.close()


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The first start makes it, later ones use it; a file given by name must be there."""
    first = hub_key(DeliverySettings("", tmp_path), "h")
    assert hub_key(DeliverySettings("", tmp_path), "h").public == first.public
    assert (tmp_path / "delivery.pem").stat().st_mode & 0o777 == 0o600
    assert public_key_of(public_form(first.public)).public_bytes_raw() == first.public
    with pytest.raises(UnbindError, match="no usable private key"):
        hub_key(DeliverySettings("", tmp_path, key_file=tmp_path / "none.pem"), "h")


async def test_receipts_are_counted_once_they_are_durable() -> None:
    """The counter of receipts is of those that lie in `acks`: one that could not be written counts when it is."""
    key, roster, metrics = Signer.from_seed("delivery/hub", b"k" * 32, "h"), Roster(), DeliveryMetrics()
    told = (Key(receipt_key_id("hooky"), key.public, 0),)
    roster.put_platform(Platform("hooky", Names("钩", "Hooky"), "shop", 3, PlatformState.CONNECTED, keys=told))
    away = iter([True])

    async def send(_platform: str, _value: bytes, _headers: Headers) -> None:
        if next(away, False):
            raise KafkaConnectionError

    receipts = Receipts(key, LOG.log_id, lambda: roster, send, 0, wrote=metrics.receipts.inc)
    receipts.add("hooky", [Span(0, 0, 9, b"d" * 32), Span(1, 0, 4, b"d" * 32)])
    for count in (0, 1, 1):
        await receipts.flush()
        assert metrics.registry.get_sample_value("hub_delivery_receipts_total") == count
