"""Reports are decided in runs: each run ends before a report that is in it already."""

from __future__ import annotations

import pytest

from hub.stream.reports_stage import without_repeats


@pytest.mark.parametrize(
    ("reports", "length"),
    [
        ([], 0),
        ([b"a"], 1),
        ([b"a", b"b", b"c"], 3),
        ([b"a", b"b", b"a", b"c"], 2),
        ([b"a", b"a"], 1),
        ([None, b"a", None, None, b"b"], 5),
        ([None, b"a", None, b"a"], 3),
    ],
)
def test_a_run_ends_before_a_report_comes_again(reports: list[bytes | None], length: int) -> None:
    """A report is judged by what counted of it before, so its second message waits; one about none never does."""
    assert without_repeats(reports) == length
