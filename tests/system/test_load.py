"""Calls with SIPp, one after the other for a while: none fails, nothing is sent twice, each leaves one record."""

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

DURATION_S = int(os.environ.get("SWITCHBOARD_LOAD_S", "20"))
DRAIN_S = 10
TCP = ["-t", "tn", "-max_socket", "5000"]


@pytest.fixture
def switchboard() -> Iterator[Switchboard]:
    """One without any other call's record."""
    require_tools("sipp")
    with Switchboard() as running:
        yield running


@pytest.mark.parametrize(("calls_a_second", "options"), [(200, []), (50, TCP)], ids=["udp", "tcp"])
def test_sustained_calls(
    switchboard: Switchboard, net: Net, tmp_path: Path, calls_a_second: int, options: list[str]
) -> None:
    """From callers on UDP; from callers on TCP who make a connection for each call."""
    calls = calls_a_second * DURATION_S
    callee = UserAgent(net, "callee")
    with Sipp("callee", tmp_path, switchboard.address, "-m", str(calls)) as answering:
        host, port = answering.address
        callee.register([f"<sip:callee@{host}:{port}>"]).expect(200)
        load = ["-s", callee.user, "-r", str(calls_a_second), "-m", str(calls), "-l", str(calls)]
        with Sipp("caller", tmp_path, switchboard.address, *load, *options) as calling:
            check_clean(calling, calls, DURATION_S + DRAIN_S)
            check_clean(answering, calls, DRAIN_S)
    records = switchboard.wait_cdr(calls, timeout_s=DRAIN_S)
    assert Counter(record["outcome"] for record in records) == {"answered": calls}


def check_clean(sipp: Sipp, calls: int, timeout_s: float) -> None:
    """It ends in time, every call succeeded, and nothing had to be sent again."""
    status = sipp.wait(timeout_s)
    counted = {name: sipp.count(name) for name in ("SuccessfulCall", "FailedCall", "Retransmissions")}
    assert counted == {"SuccessfulCall": calls, "FailedCall": 0, "Retransmissions": 0}, sipp.errors()
    assert status == 0, sipp.errors()
