"""Fixtures of the tests with real phones, and the packets in the report of a test that failed."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from system.capture import Capture
from system.harness import Switchboard
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.phone_lab import Lab, assert_sound
from system.tools import require_root, require_tools


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab, up, its phones registered."""
    require_root()
    require_tools("ip", "tcpdump", "tshark", "linphonec")
    home = tmp_path_factory.mktemp("phones")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(["lukas", "lenka", "peter", "zuzana", "guest"]))
        slovak = {"SWITCHBOARD_LANGUAGE": "sk"}
        switchboard = stack.enter_context(Switchboard(slovak, host=HUB, port=5060, namespace=lan.hub))
        phones = [
            stack.enter_context(Linphone(lan, "lukas", home / "lukas", video=True, outbound_proxy=True)),
            stack.enter_context(Linphone(lan, "lenka", home / "lenka", video=True)),
            stack.enter_context(Linphone(lan, "peter", home / "peter")),
            stack.enter_context(Linphone(lan, "zuzana", home / "zuzana", max_calls=1)),
        ]
        yield Lab(lan, switchboard, *phones)


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
