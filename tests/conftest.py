"""What all tests share: how properties are tried, which tests need a server, and in which order they run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests import order
from tests.forked.launch import forked_programs

SERVERS = ("postgres", "mariadb")
"""What the parameters of a test that needs a database's server begin with."""

# A property takes as long as the machine takes, and is no worse for it. The same examples are tried each time, so that
# a test that fails was made to fail by a change; `make soak` tries others: `--hypothesis-profile=random`.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to keep durations."""
    parser.addoption("--keep-durations", action="store_true", help="write tests/durations.json anew")


def pytest_configure(config: pytest.Config) -> None:
    """Keep durations where that is asked, in the process that hears of all tests."""
    if config.getoption("keep_durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(order.Keeper())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a database's server, and put the longest files first."""
    for one in items:
        given = one.callspec.params.values() if isinstance(one, pytest.Function) and hasattr(one, "callspec") else ()
        if any(isinstance(value, str) and value.startswith(SERVERS) for value in given):
            one.add_marker("database")
    order.arrange(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> order.LongestFirst:
    """Hand out the files of tests in that order."""
    return order.LongestFirst(config, log)


@pytest.fixture(autouse=True, scope="session")
def _forks() -> Iterator[None]:
    """The hub's programs are forked; what they do is the same."""
    with forked_programs():
        yield
