"""Fixtures of the tests with real phones, and the packets in the report of a test that failed."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from system.capture import Capture
from system.phone_lab import Lab, assert_sound, standing_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab, up, its phones registered."""
    with standing_lab(tmp_path_factory.mktemp("phones"), {}) as lab:
        yield lab


@pytest.fixture
def wire(lab: Lab, tmp_path: Path) -> Iterator[Capture]:
    """A capture of the test's packets; in the end the phones are idle and all that went by was sound."""
    with Capture(lab.lan, tmp_path / "wire.pcap") as capture:
        yield capture
        for phone in lab.phones:
            phone.reset()
        assert_sound(capture.read())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the SIP packets and what the switchboard printed to the report of a test that failed."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for used in item.funcargs.values():
            if isinstance(used, Capture):
                report.sections.append(("SIP on the LAN", str(used.read())))
            if isinstance(used, Lab):
                report.sections.append(("switchboard", used.switchboard.log()))
    return report
