"""What `make setup` runs besides pip."""

from __future__ import annotations

import runpy
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def test_an_environment_names_its_checkout_without_the_letters_of_its_path(tmp_path: Path) -> None:
    """In a folder with a Chinese name the `.pth` file is plain ASCII, leads to the checkout, and others stay."""
    checkout = tmp_path / "释号"
    packages = checkout / ".venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    ours, other = packages / "ours.pth", packages / "other.pth"
    ours.write_text(f"{checkout}\n", encoding="utf-8")
    other.write_text("import other\n", encoding="utf-8")
    relative = runpy.run_path(str(DEPLOY / "relative_path.py"))["relative"]
    assert relative(checkout / ".venv", checkout) == 1
    written = ours.read_text(encoding="ascii").strip()
    assert (packages / written).resolve() == checkout
    assert other.read_text(encoding="utf-8") == "import other\n"
    assert relative(checkout / ".venv", checkout) == 0


def test_this_machine_lacks_nothing() -> None:
    """Where the hub's environment could be made, nothing is reported as missing."""
    assert runpy.run_path(str(DEPLOY / "check_machine.py"))["missing"]() is None
