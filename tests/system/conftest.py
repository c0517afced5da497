"""A switchboard that tests share, fake phones for each test; what they saw when a test fails."""

from collections.abc import Generator, Iterator

import pytest
from system.harness import Switchboard
from system.net import Net
from system.user_agent import UserAgent, registered


@pytest.fixture(scope="session")
def switchboard() -> Iterator[Switchboard]:
    """A running switchboard with the default settings that tests share; users differ by test."""
    with Switchboard() as running:
        yield running


@pytest.fixture
def net(switchboard: Switchboard) -> Iterator[Net]:
    """The fake phones of one test."""
    with Net(switchboard.address) as phones:
        yield phones


@pytest.fixture
def lukas(net: Net) -> UserAgent:
    return registered(net, "lukas")


@pytest.fixture
def lenka(net: Net) -> UserAgent:
    return registered(net, "lenka")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what the phones and the switchboard saw to the report of a test that failed."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for used in item.funcargs.values():
            if isinstance(used, Net):
                report.sections.append(("SIP trace", used.trace()))
            if isinstance(used, Switchboard):
                report.sections.append(("switchboard", used.log()))
    return report
