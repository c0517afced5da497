"""A minute of calls with SIPp: none fails, nothing is sent twice, each leaves one record."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from system.harness import Switchboard
from system.net import Net
from system.sipp import Sipp
from system.tools import require_tools
from system.user_agent import UserAgent

pytestmark = [pytest.mark.system, pytest.mark.load]

CALLS_PER_S = 200
DURATION_S = int(os.environ.get("SWITCHBOARD_LOAD_S", "60"))
CALLS = CALLS_PER_S * DURATION_S
DRAIN_S = 10


@pytest.fixture
def switchboard() -> Iterator[Switchboard]:
    """One without any other call's record."""
    require_tools("sipp")
    with Switchboard() as running:
        yield running


def test_sustained_calls(switchboard: Switchboard, net: Net, tmp_path: Path) -> None:
    callee = UserAgent(net, "callee")
    with Sipp("callee", tmp_path, switchboard.address, "-m", str(CALLS)) as answering:
        host, port = answering.address
        callee.register([f"<sip:callee@{host}:{port}>"]).expect(200)
        options = ["-s", callee.user, "-r", str(CALLS_PER_S), "-m", str(CALLS), "-l", str(CALLS)]
        with Sipp("caller", tmp_path, switchboard.address, *options) as calling:
            check_clean(calling, DURATION_S + DRAIN_S)
            check_clean(answering, DRAIN_S)
    records = switchboard.wait_cdr(CALLS, timeout_s=DRAIN_S)
    assert Counter(record["outcome"] for record in records) == {"answered": CALLS}


def check_clean(sipp: Sipp, timeout_s: float) -> None:
    """It ends in time, every call succeeded, and nothing had to be sent again."""
    status = sipp.wait(timeout_s)
    counted = {name: sipp.count(name) for name in ("SuccessfulCall", "FailedCall", "Retransmissions")}
    assert counted == {"SuccessfulCall": CALLS, "FailedCall": 0, "Retransmissions": 0}, sipp.errors()
    assert status == 0, sipp.errors()
