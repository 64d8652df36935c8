"""A platform written by a stranger: from `schemas/` and its README alone, with nothing of the hub's own.

It reads `releases`, freezes and unbinds accounts kept in a CSV file (`number,bound_at` in milliseconds), and answers
with signed acknowledgements. It keeps no place: started again it reads and answers everything once more, which does
no harm. `python outsider_platform.py --help`; it runs until SIGTERM.
"""

import argparse
import csv
import hashlib
import io
import json
import signal
import struct
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastavro import schemaless_reader, schemaless_writer

Value = dict[str, Any]
SEGMENT = 65_536
ARRAY_MAX = 4_096
BATCH = 1_000
POLL_S = 0.1
DONE = {"FROZEN": ["LOGIN_OFF", "RECOVERY_OFF"], "UNBOUND": ["LOGIN_OFF", "RECOVERY_OFF", "SESSIONS_REVOKED"]}
UNBINDING = {"SCHEDULED", "RELEASED", "REASSIGNED"}
UNDOING = {"RESTORED", "WITHDRAWN"}


def _without_logical(node: Value) -> Value:
    """Times as plain milliseconds, not as the library's datetimes."""
    return {name: value for name, value in node.items() if name != "logicalType"}


class Schema:
    """One schema and the ten bytes that go before its values."""

    def __init__(self, folder: Path, kind: str) -> None:
        lock = json.loads((folder / "lock.json").read_text(encoding="utf-8"))
        self.header = b"\xc3\x01" + bytes.fromhex(lock[kind]["v1"]["fingerprint"])
        self._schema = json.loads((folder / kind / "v1.avsc").read_text(encoding="utf-8"), object_hook=_without_logical)

    def read(self, data: bytes) -> Value:
        """A value out of a message."""
        if data[:10] != self.header:
            raise ValueError("another schema")
        value: Value = schemaless_reader(io.BytesIO(data[10:]), self._schema, None)
        return value

    def write(self, value: Value) -> bytes:
        """A message of a value."""
        out = io.BytesIO()
        schemaless_writer(out, self._schema, value)
        return self.header + out.getvalue()


def roaring(offsets: list[int]) -> bytes:
    """Offsets below 65,536, rising, as a portable Roaring bitmap: one array or one bitset (RoaringFormatSpec)."""
    head = struct.pack("<IIHHI", 12_346, 1, 0, len(offsets) - 1, 16)
    if len(offsets) <= ARRAY_MAX:
        return head + struct.pack(f"<{len(offsets)}H", *offsets)
    return head + sum(1 << offset for offset in offsets).to_bytes(SEGMENT // 8, "little")


def segments(offsets: set[int]) -> list[Value]:
    """Offsets of a partition as the segments of an acknowledgement."""
    found: dict[int, list[int]] = {}
    for offset in sorted(offsets):
        found.setdefault(offset // SEGMENT * SEGMENT, []).append(offset % SEGMENT)
    return [{"base": base, "bitmap": roaring(bits)} for base, bits in found.items()]


class Accounts:
    """Who is bound to which number since when, and what each case did to them."""

    def __init__(self, rows: list[tuple[str, int]]) -> None:
        self._bound: dict[str, list[int]] = {}
        for number, bound_at in rows:
            self._bound.setdefault(number, []).append(bound_at)
        self._taken: dict[tuple[int, int], list[int]] = {}
        self._frozen: set[tuple[int, int]] = set()
        self._last_source: dict[int, int] = {}

    def hear(self, notice: Value, partition: int, offset: int) -> tuple[int, str] | None:
        """Act on a notice; the case and its outcome, if there is one to tell."""
        source = notice["source"]["offset"]
        if source <= self._last_source.get(partition, -1):
            return None  # published twice: the first counts
        self._last_source[partition] = source
        opened = offset if notice["opened_at"] is None else notice["opened_at"]
        case, number = (partition, opened), notice["subject"]["value"]
        if notice["stage"] in UNDOING:
            return self._undo(case, number)
        before = notice["bound_before"]
        held = [at for at in self._bound.get(number, []) if at < before]
        if not held:
            return None if case in self._taken else (opened, "NOT_BOUND")
        if notice["stage"] == "COOLING":
            self._frozen.add(case)
            return opened, "FROZEN"
        assert notice["stage"] in UNBINDING, notice["stage"]
        self._taken[case] = held
        self._bound[number] = [at for at in self._bound[number] if at >= before]
        return opened, "UNBOUND"

    def _undo(self, case: tuple[int, int], number: str) -> tuple[int, str] | None:
        if case not in self._frozen and case not in self._taken:
            return None
        self._bound.setdefault(number, []).extend(self._taken.pop(case, []))
        self._frozen.discard(case)
        return case[1], "REINSTATED"


class Heard:
    """What one batch of a partition amounts to."""

    def __init__(self) -> None:
        self.through = -1
        self.digest = b""
        self.outcomes: dict[str, set[int]] = {}


class Platform:
    """One platform at one hub."""

    def __init__(self, name: str, key_id: str, seed: bytes, hub_id: str, schemas: Path, accounts: Accounts) -> None:
        self._name, self._key_id, self._hub_id = name, key_id, hub_id
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._notices, self._acks = Schema(schemas, "release_notice"), Schema(schemas, "acknowledgement")
        self._accounts = accounts
        self._log_id = b""

    def hear(self, batch: list[tuple[int, int, bytes]]) -> dict[int, Heard]:
        """Act on notices (partition, offset, value); what to say, by partition."""
        heard: dict[int, Heard] = {}
        for partition, offset, value in batch:
            notice = self._notices.read(value)
            self._log_id = notice["log_id"]
            one = heard.setdefault(partition, Heard())
            one.through, one.digest = offset, hashlib.sha256(value).digest()
            answer = self._accounts.hear(notice, partition, offset)
            if answer is not None:
                one.outcomes.setdefault(answer[1], set()).add(answer[0])
        return heard

    def acknowledge(self, heard: dict[int, Heard], sent_at: int) -> bytes:
        """The message that says what was done."""
        received = [{"partition": at, "through": one.through, "digest": one.digest} for at, one in heard.items()]
        outcomes = [
            {"outcome": outcome, "partition": at, "cases": segments(cases), "actions": DONE.get(outcome, [])}
            for at, one in heard.items()
            for outcome, cases in one.outcomes.items()
        ]
        value = {"platform": self._name, "log_id": self._log_id, "sent_at": sent_at}
        return self._acks.write({**value, "received": received, "outcomes": outcomes})

    def headers(self, value: bytes) -> list[tuple[str, bytes]]:
        """The signature of a message."""
        signed = b"\0".join([b"unbind-hub/v1", self._hub_id.encode(), b"acks", value])
        return [("signature", self._key.sign(signed)), ("key-id", self._key_id.encode())]

    def run(self, servers: str, stopping: list[int]) -> None:
        """Read and answer until told to stop."""
        consumer = Consumer({"bootstrap.servers": servers, "group.id": self._name, "enable.auto.commit": False})
        partitions = consumer.list_topics("releases", timeout=10).topics["releases"].partitions
        consumer.assign([TopicPartition("releases", one, 0) for one in partitions])
        producer = Producer({"bootstrap.servers": servers, "acks": "all", "partitioner": "murmur2_random"})
        while not stopping:
            messages = [one for one in consumer.consume(BATCH, POLL_S) if one.error() is None]
            if messages:
                heard = self.hear([(one.partition(), one.offset(), one.value()) for one in messages])
                value = self.acknowledge(heard, int(time.time() * 1000))
                producer.produce("acks", value, self._name.encode(), headers=self.headers(value))
                producer.flush()
        consumer.close()


def main() -> None:
    """Run one platform."""
    ask = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap-servers", "hub-id", "platform", "key-id", "seed"):
        ask.add_argument(f"--{name}", required=True)
    ask.add_argument("--schemas", required=True, type=Path)
    ask.add_argument("--accounts", required=True, type=Path)
    given = ask.parse_args()
    with given.accounts.open(newline="", encoding="utf-8") as rows:
        accounts = Accounts([(row["number"], int(row["bound_at"])) for row in csv.DictReader(rows)])
    seed = bytes.fromhex(given.seed)
    platform = Platform(given.platform, given.key_id, seed, given.hub_id, given.schemas, accounts)
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda which, _: stopping.append(which))
    platform.run(given.bootstrap_servers, stopping)


if __name__ == "__main__":
    main()
