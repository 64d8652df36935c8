"""The oracle of worlds against the sample world's figures, which were worked out by somebody else."""

from __future__ import annotations

import json

import pytest

from tests.oracle.world_oracle import expected_report
from tests.places import SAMPLES

WORLD = SAMPLES / "world"


@pytest.mark.skipif(not WORLD.is_dir(), reason=f"the sample world is not beside the repository ({WORLD})")
def test_the_oracle_equals_the_sample() -> None:
    """What the oracle works out from the sample's files is the report that came with the sample."""
    expected = json.loads((SAMPLES / "world-expected.json").read_text(encoding="utf-8"))
    assert expected_report(WORLD) == expected
