"""Where the project lies, and the sample data that may lie beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT.parent / "shared" / "data"
"""The sample world and what came with it; a test that reads it is skipped where it is missing."""
