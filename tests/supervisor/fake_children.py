"""Real processes of fake_worker.py, and how to wait for what they do."""

import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

from switchboard.supervisor.child import Child
from switchboard.supervisor.worker import Worker

FAKE_WORKER = Path(__file__).with_name("fake_worker.py")
LIMIT_S = 15.0
LOOK_S = 0.01


def command(mode: str) -> list[str]:
    return [sys.executable, str(FAKE_WORKER), mode]


def launch(mode: str = "steady") -> Child:
    return Child.launch(command(mode))


def hear_until(child: Child, condition: Callable[[], bool]) -> None:
    """Take what the child says until `condition` holds."""
    while not condition():
        assert child.ready_fd is not None, "it has ended"
        assert select.select([child.ready_fd], [], [], LIMIT_S)[0], "it says nothing"
        child.hear()


def loaded(mode: str = "steady") -> Child:
    """A child that waits for its go."""
    child = launch(mode)
    hear_until(child, lambda: child.loaded)
    return child


def await_end(child: Child) -> None:
    """Return when it has ended; `reap` will find it so."""
    assert child.pid is not None
    process = os.pidfd_open(child.pid)
    try:
        assert select.select([process], [], [], LIMIT_S)[0], "it runs on"
    finally:
        os.close(process)


def reap(child: Child) -> None:
    """Reap it as soon as it has ended."""
    until = time.monotonic() + LIMIT_S
    while not child.reap():
        assert time.monotonic() < until, "it runs on"
        fds = [] if child.ready_fd is None else [child.ready_fd]
        if select.select(fds, [], [], LOOK_S)[0]:
            child.hear()


def tend_until(worker: Worker, condition: Callable[[], bool], now: float) -> list[str]:
    """Tend the worker at the instant `now` until `condition` holds; return what it has to say."""
    lines: list[str] = []
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until, (worker.status(now), lines)
        readable, _, _ = select.select(worker.ready_fds(), [], [], LOOK_S)
        lines += worker.tend(readable, now)
    return lines
