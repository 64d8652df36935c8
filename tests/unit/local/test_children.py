"""Child processes end when they are told to, however this process was started."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from hub.local.children import Child

END_S = 60.0
SERVE = "print('up', flush=True); import signal; signal.pause()"


def test_a_child_hears_ctrl_c_though_this_process_does_not(tmp_path: Path) -> None:
    """A hub that a script starts in the background, where shells have SIGINT ignored, ends its children in order."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = Child([sys.executable, "-c", SERVE], tmp_path / "console")
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        while "up" not in (tmp_path / "console").read_text(encoding="utf-8"):
            assert not child.ended.wait(0.01), "it ended by itself"
        assert child.end(signal.SIGINT, END_S)
    finally:
        child.process.kill()
