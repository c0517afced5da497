"""What a forked process has and has not; it is real."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from switchboard.supervisor.fork import fork_worker


def forked(serve: Callable[[int], object]) -> bytes:
    """What a fork writes to its pipe, before it ends with 0."""
    read_fd, write_fd = os.pipe()

    def run() -> None:
        serve(write_fd)
        os._exit(0)

    pid = fork_worker(run, [write_fd], {"SWITCHBOARD_FORK": "x"}, "a.name --instance 0")
    os.close(write_fd)
    with os.fdopen(read_fd, "rb") as pipe:
        said = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return said


def test_it_has_what_is_named_and_nothing_else() -> None:
    others = os.pipe()

    def serve(fd: int) -> None:
        open_fds = [each for each in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{each}")]
        told = sorted(map(int, open_fds)), fd, os.environ["SWITCHBOARD_FORK"], os.getpgid(0) == os.getpid()
        os.write(fd, json.dumps(told).encode())

    fds, fd, variable, leads = json.loads(forked(serve))
    assert (fds, variable, leads) == ([0, 1, 2, fd], "x", True)
    assert "SWITCHBOARD_FORK" not in os.environ
    for each in others:
        os.close(each)


def test_it_is_known_by_its_name() -> None:
    before = Path("/proc/self/cmdline").read_bytes()
    said = forked(lambda fd: os.write(fd, Path("/proc/self/cmdline").read_bytes()))
    assert said.rstrip(b"\0") == b"a.name --instance 0"[: len(before) - 1]
    assert Path("/proc/self/cmdline").read_bytes() == before


def test_what_is_unsaid_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    sys.stdout.write("once")
    forked(lambda _: sys.stdout.flush())
    assert capfd.readouterr().out == "once"


def test_one_that_fails_says_why_and_ends(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)  # pytest's is no standard stream

    def fail() -> None:
        raise ValueError("no way")

    pid = fork_worker(fail, [], {}, "fails")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert "ValueError: no way" in capfd.readouterr().err


def test_one_that_returns_ends_all_the_same() -> None:
    pid = fork_worker(lambda: None, [], {}, "returns")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    """At any moment, also while its parent has a handler of its own."""
    before = signal.signal(number, lambda *_: None)
    try:
        for _ in range(20):
            pid = fork_worker(signal.pause, [], {}, "waits")
            os.kill(pid, number)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -number
    finally:
        signal.signal(number, before)
