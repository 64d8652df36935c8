"""The vectors hold: what an operator or platform in another language is written from."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pyroaring import BitMap

from hub.core import model
from hub.core.coverage import unpack
from hub.core.roaring import is_segment
from hub.wire import contracts
from hub.wire.contracts import KINDS, decode, encode, schemas_dir
from hub.wire.signing import read_seal, signature_holds, signed_bytes
from tests.unit.schema_files import json_of, value_of, vectors


@pytest.mark.parametrize("vector", vectors("bytes"), ids=lambda one: one["kind"])
def test_the_byte_vectors_hold(vector: dict[str, Any]) -> None:
    """The vectors for other languages say what the hub writes and reads, byte by byte."""
    value = value_of(KINDS[vector["kind"]], vector["value"])
    assert encode(value).hex() == vector["hex"]
    assert decode(bytes.fromhex(vector["hex"]), type(value)) == value


def holds_by_cryptography(public: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def test_the_signature_vectors_hold_in_two_libraries() -> None:
    """OpenSSL and libsodium agree on every signature in the vectors, and the hub signs them the same."""
    for one in vectors("signatures")["good"]:
        seed, public, value, signature = (bytes.fromhex(one[name]) for name in ("seed", "public", "value", "signature"))
        signed = b"unbind-hub/v1\0" + one["hub_id"].encode() + b"\0" + one["topic"].encode() + b"\0" + value
        assert signed_bytes(one["hub_id"], one["topic"], value).hex() == one["signed"] == signed.hex()
        assert Ed25519PrivateKey.from_private_bytes(seed).sign(signed) == signature
        assert holds_by_cryptography(public, signature, signed)
        assert signature_holds(public, signature, one["hub_id"], one["topic"], value)


@pytest.mark.parametrize("one", vectors("signatures")["bad"], ids=lambda one: one["breaks"])
def test_a_bad_signature_vector_is_refused_by_two_libraries(one: dict[str, Any]) -> None:
    """A signature for another topic, hub, key or value counts nowhere."""
    public, value, signature = (bytes.fromhex(one[name]) for name in ("public", "value", "signature"))
    assert not signature_holds(public, signature, one["hub_id"], one["topic"], value)
    assert not holds_by_cryptography(public, signature, signed_bytes(one["hub_id"], one["topic"], value))


def offsets(ranges: list[list[int]]) -> list[int]:
    return [offset for first, last, step in ranges for offset in range(first, last + 1, step)]


@pytest.mark.parametrize("one", vectors("bitmaps")["good"], ids=lambda one: f"{one['form']}-{len(one['offsets'])}")
def test_a_bitmap_vector_is_the_set_it_says(one: dict[str, Any]) -> None:
    """Arrays, bitsets and runs of other Roaring libraries are read as the sets they are."""
    data = bytes.fromhex(one["hex"])
    assert is_segment(data)
    assert list(unpack(data)) == offsets(one["offsets"])
    bits = BitMap(offsets(one["offsets"]))
    if one["form"] == "runs":
        bits.run_optimize()
    assert bytes(bits.serialize()) == data


@pytest.mark.parametrize("one", vectors("bitmaps")["bad"], ids=lambda one: one["breaks"])
def test_a_bad_bitmap_vector_is_refused(one: dict[str, Any]) -> None:
    """A bitmap that is not whole, in order and within its segment acknowledges nothing."""
    assert not is_segment(bytes.fromhex(one["hex"]))


def murmur2_by_the_paper(data: bytes) -> int:
    """Kafka's 32-bit murmur2 (org.apache.kafka.common.utils.Utils), written from the Java for this test."""
    mix, mask = 0x5BD1E995, 0xFFFFFFFF
    found = 0x9747B28C ^ len(data)
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        part = int.from_bytes(data[start : start + 4], "little") * mix & mask
        found = (found * mix & mask) ^ ((part ^ part >> 24) * mix & mask)
    if whole < len(data):
        found = (found ^ int.from_bytes(data[whole:], "little")) * mix & mask
    found = (found ^ found >> 13) * mix & mask
    return found ^ found >> 15


def test_the_partition_vectors_hold() -> None:
    """A key has the same partition for the hub, for Kafka's Java client and for whoever follows the vectors."""
    # The first three are from Kafka's own UtilsTest.testMurmur2.
    for key, signed in ((b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107)):
        assert murmur2_by_the_paper(key) == signed & 0xFFFFFFFF
    found = vectors("partitions")
    for one in found["good"]:
        key = one["key"].encode()
        assert key.hex() == one["key_hex"]
        assert murmur2_by_the_paper(key) == one["murmur2"]
        assert (one["murmur2"] & 0x7FFFFFFF) % found["partitions"] == one["partition"]
        assert contracts.partition_of(key, found["partitions"]) == one["partition"]
    for one in found["bad"]:
        assert contracts.partition_of(one["key"].encode(), found["partitions"]) != one["partition"], one["breaks"]


def test_the_whole_exchange_holds() -> None:
    """One event, its receipt, its notice and the acknowledgement that answers it fit together, signed and in place."""
    one = vectors("exchange")
    values = {}
    for name, kind in (
        ("event", model.NumberEvent),
        ("receipt", model.Receipt),
        ("notice", model.ReleaseNotice),
        ("acknowledgement", model.Acknowledgement),
    ):
        values[name] = decode(bytes.fromhex(one[name]["value_hex"]), kind)
        assert json_of(values[name]) == one[name]["value"]
    event, notice, ack = values["event"], values["notice"], values["acknowledgement"]
    assert isinstance(event, model.NumberEvent)
    assert isinstance(notice, model.ReleaseNotice)
    assert isinstance(ack, model.Acknowledgement)
    assert notice.event_digest == hashlib.sha256(bytes.fromhex(one["event"]["value_hex"])).digest()
    assert notice.source == model.Source(one["event"]["partition"], one["event"]["offset"])
    digest = hashlib.sha256(encode(notice)).digest()
    assert ack.received == (model.ReceivedThrough(one["notice"]["partition"], one["notice"]["offset"], digest),)
    (said,) = ack.outcomes
    (part,) = said.cases
    assert is_segment(part.bitmap)
    assert [part.base + bit for bit in unpack(part.bitmap)] == [one["notice"]["offset"]]
    for name, who in (("event", "operator"), ("acknowledgement", "platform")):
        record = one[name]
        assert contracts.partition_of(bytes.fromhex(record["key"]), one["partitions"]) == record["partition"]
        seal = read_seal(tuple((header, bytes.fromhex(value)) for header, value in record["headers"]))
        assert seal is not None
        assert seal.key_id == one[who]["key_id"]
        public, value = bytes.fromhex(one[who]["public"]), bytes.fromhex(record["value_hex"])
        assert signature_holds(public, seal.signature, one["hub_id"], record["topic"], value)


def test_the_readme_of_the_schemas_works() -> None:
    """A platform written from the README's snippet answers the exchange's notice with the exchange's bytes."""
    text = (schemas_dir() / "README.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "hub." not in snippet, "the snippet needs nothing of the hub's own code"
    scope: dict[str, Any] = {"SCHEMAS": schemas_dir()}
    exec(compile(snippet, "schemas/README.md", "exec"), scope)
    expected = vectors("exchange")["acknowledgement"]
    assert scope["value"].hex() == expected["value_hex"]
    assert [[name, raw.hex()] for name, raw in scope["headers"]] == expected["headers"]
    for name in (
        "vectors/bytes.json",
        "lock.json",
        *(f"vectors/{one.name}" for one in (schemas_dir() / "vectors").iterdir()),
    ):
        assert name in text
