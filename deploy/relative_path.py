"""Name the checkout in its own environment by a relative path, after `pip install -e`.

pip writes the absolute path of the checkout into a `.pth` file, as UTF-8. Python up to 3.12 reads that file as the
locale says, so under `LC_ALL=C` no Python of an environment in a folder with a Chinese name starts. A relative path
has no such letters. Run it with `-I -S`, which keeps Python from reading the file first.
"""

import os
import sys
from pathlib import Path


def relative(environment: Path, checkout: Path) -> int:
    """Rewrite every `.pth` file of the environment that names the checkout; how many there were."""
    here = checkout.resolve()
    found = 0
    for path in environment.glob("lib/python*/site-packages/*.pth"):
        text = path.read_text(encoding="utf-8")
        if text.strip() == str(here):
            path.write_text(os.path.relpath(here, path.parent.resolve()) + "\n", encoding="utf-8")
            found += 1
    return found


if __name__ == "__main__":
    relative(Path(sys.argv[1]), Path())
