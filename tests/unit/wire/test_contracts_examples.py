"""Every message has good examples that hold everywhere and bad ones that are refused for the rule they break."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import hub.wire.canonical
from hub.core import model
from hub.errors import ContractError
from hub.wire import contracts
from hub.wire.contracts import KINDS, decode, encode, released
from tests.unit.schema_files import Example, Outsider, bad_bytes, examples, json_of, value_of

GOOD = list(examples("good"))
BAD = list(examples("bad"))


def named(example: Example) -> str:
    return example.name


@pytest.mark.parametrize("example", GOOD, ids=named)
def test_a_good_example_is_read_as_it_was_written(example: Example) -> None:
    """A message means the same to whoever writes it and to whoever reads it."""
    value = value_of(KINDS[example.kind], example.content)
    assert decode(encode(value), type(value)) == value
    assert json_of(decode(encode(value), type(value))) == example.content


@pytest.mark.parametrize("example", GOOD, ids=named)
def test_a_good_example_means_the_same_to_another_avro(example: Example) -> None:
    """A decoder by others, from the specification, reads what the hub writes, to the last byte."""
    value = value_of(KINDS[example.kind], example.content)
    assert Outsider(released(example.kind)[-1]).read(encode(value)) == contracts.to_avro(value)


@pytest.mark.parametrize("example", BAD, ids=named)
def test_a_bad_example_is_refused_for_the_rule_it_breaks(example: Example) -> None:
    """Every rule of the contract has a message that breaks only it, and is refused for it."""
    data = bad_bytes(example.content)
    with pytest.raises(ContractError, match=re.escape(example.content["breaks"])) as refused:
        decode(data, KINDS[example.kind])
    assert example.content["hex"][20:] == "" or example.content["hex"][20:] not in str(refused.value)


def test_every_rule_of_the_decoder_has_a_bad_example() -> None:
    """No rule is without a message that shows what it is for."""
    sources = Path(hub.wire.canonical.__file__).read_text(encoding="utf-8")
    rules = set(re.findall(r"Malformed\(['\"](.+?)['\"]\)", sources))
    assert len(rules) == 12
    assert rules <= {example.content["breaks"] for example in BAD}


def test_nothing_at_all_is_refused() -> None:
    """A tombstone, an empty value and a lone header are refused like everything else."""
    for data in (None, b"", released("clock")[0].header):
        with pytest.raises(ContractError):
            decode(data, model.Clock)


@pytest.mark.parametrize(
    "value",
    [
        model.OperatorReport("north", 2**31, ()),
        model.OperatorReport("north", 1, (2**63,)),
        model.OperatorReport("north", 1, (1.5,)),  # type: ignore[arg-type]
        model.OperatorReport("\ud800", 1, ()),
        model.Received("drive", 1, b"short", 1),
        model.Clock(None),  # type: ignore[arg-type]
        model.NumberEvent(bytes(16), "north", "+86", "UNKNOWN", 1),  # type: ignore[arg-type]
        model.NumberEvent(bytes(16), "north", "+86", "SOLD", 1),  # type: ignore[arg-type]
        model.NumberEvent(bytes(16), "north" * 20_000, "+86", model.EventType.COOLING, 1),
    ],
    ids=["int", "long", "fraction", "surrogate", "fixed", "null", "unknown", "symbol", "large"],
)
def test_what_the_hub_would_refuse_it_does_not_write(value: tuple[Any, ...]) -> None:
    """A value out of its schema or limits fails at the writer, with what to do, and never reaches a log."""
    with pytest.raises(ContractError, match="What to do"):
        encode(value)
