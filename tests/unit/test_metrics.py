"""Metrics: each is declared once with its meaning, and something counts it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import NamedTuple

from hub.platform.metrics import METRICS
from hub.sdk.adapter.plans import Counts
from tests.unit.sources import HUB, said, short, tree_of

KINDS = {"Counter", "Gauge", "Histogram", "_counter", "_gauge", "count", "show"}
USES = {"inc", "dec", "set", "observe", "time", "labels", "clear", "remove"}
OWNERS = {"self", "metrics", "_metrics"}
NO_METRIC = {"vanished": "the account counts among those unbound"}
"""What an adapter counts and does not show, each with its reason."""


class Metric(NamedTuple):
    """A metric as it is declared. `attribute`: what the program calls it."""

    file: str
    attribute: str
    name: str
    meaning: str


def declared() -> Iterator[Metric]:
    """Every metric of every `metrics.py` that is declared as an attribute."""
    for path in HUB:
        if path.name != "metrics.py":
            continue
        for node in ast.walk(tree_of(said(path))):
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
                continue
            target, call = node.targets[0], node.value
            made_by = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            texts = [one.value for one in call.args if isinstance(one, ast.Constant)]
            if isinstance(target, ast.Attribute) and made_by in KINDS and len(texts) >= 2:
                yield Metric(short(path), target.attr, str(texts[0]), str(texts[1]))


def used() -> set[str]:
    """What of a metrics object is counted up, set or observed: `metrics.acks.labels(…)`, `self._took.observe(…)`."""
    found = set()
    for path in HUB:
        for node in ast.walk(tree_of(said(path))):
            if isinstance(node, ast.Attribute) and node.attr in USES and isinstance(node.value, ast.Attribute):
                owner = node.value.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name in OWNERS and (name != "self" or path.name == "metrics.py"):
                    found.add(node.value.attr)
    return found


def test_every_metric_is_counted() -> None:
    """A metric that nothing counts shows nought for ever, which is a false statement."""
    counted = used()
    idle = [f"{one.file}: {one.attribute} ({one.name})" for one in declared() if one.attribute not in counted]
    assert not idle, f"nothing counts {', '.join(idle)}: count it where it happens, or take it out"


def test_every_metric_has_one_name_and_says_its_unit() -> None:
    """Each is declared once, under a name of this hub, and in a sentence with its unit: seconds, or what is counted."""
    known = list(declared())
    assert len(known) > 30, "the declarations were found"
    names = [one.name for one in known] + [one.name for one in METRICS]
    assert len(names) == len(set(names))
    for one in known:
        assert re.fullmatch(r"hub_[a-z_]+", one.name), one
        assert re.fullmatch(r"[A-Z0-9/].+\.", one.meaning), f"{one.file}: {one.name} says no sentence"
        if one.name.endswith(("_seconds", "_since")):
            assert "second" in one.meaning or "Age" in one.meaning or "Time" in one.meaning, f"{one.name} has no unit"
    assert all(re.fullmatch(r"[A-Z0-9].+\.", one.meaning) for one in METRICS)


def test_what_an_adapter_counts_is_shown_and_counted() -> None:
    """Each of an adapter's counts is counted up somewhere and is a metric, or says why not."""
    sources = "\n".join(said(path) for path in HUB if short(path).startswith("hub/sdk/adapter/"))
    shown = {one.name.removeprefix("adapter_") for one in METRICS}
    for one in fields(Counts):
        assert re.search(rf"counts\.{one.name} \+=", sources), f"nothing counts Counts.{one.name} of hub/sdk/adapter"
        assert one.name in shown or one.name in NO_METRIC, f"hub/platform/metrics.py: METRICS has no {one.name}"
