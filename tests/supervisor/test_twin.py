"""A process that somebody else forked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from switchboard.supervisor.twin import Twin

LIMIT_S = 15.0
LOOK_S = 0.01
FORK = "import os, signal; pid = os.fork(); print(pid, flush=True) if pid else None; signal.pause()"


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < limit
        signal.sigtimedwait((), LOOK_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_is_ours_when_the_process_that_forked_it_has_ended(number: signal.Signals) -> None:
    twin = Twin()
    with subprocess.Popen([sys.executable, "-c", FORK], stdout=subprocess.PIPE) as forker:
        assert forker.stdout
        twin.pid = int(forker.stdout.readline())
        assert (twin.poll(), twin.is_ours) == (None, False)
        forker.kill()
    assert (twin.poll(), twin.is_ours) == (None, True)
    twin.terminate() if number == signal.SIGTERM else twin.kill()
    until(lambda: twin.poll() is not None)
    assert twin.returncode == -number
    twin.kill()


def test_one_that_never_spoke() -> None:
    twin = Twin()
    twin.terminate()
    assert (twin.poll(), twin.pid, twin.is_ours) == (None, None, False)


def test_one_that_is_gone() -> None:
    twin = Twin()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        twin.pid = ended.pid
    twin.kill()
    assert (twin.poll(), twin.is_ours) == (None, False)
    assert os.getpid() != twin.pid
