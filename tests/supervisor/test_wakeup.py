"""Signals that wake a poll."""

import os
import select
import signal

import pytest

from switchboard.supervisor.wakeup import Wakeup


@pytest.mark.parametrize(
    ("number", "stop"), [(signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGCHLD, False)]
)
def test_signal_is_readable(number: signal.Signals, stop: bool) -> None:
    before = signal.getsignal(number)
    with Wakeup() as wakeup:
        assert select.select([wakeup.fd], [], [], 0)[0] == []
        os.kill(os.getpid(), number)
        assert select.select([wakeup.fd], [], [], 5.0)[0]
        wakeup.drain()
        assert select.select([wakeup.fd], [], [], 0)[0] == []
        assert wakeup.stop is stop
    assert signal.getsignal(number) is before
