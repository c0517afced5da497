"""One launched process and its two pipes."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from supervisor.fake_children import await_end, hear_until, launch, loaded, reap

from switchboard.supervisor.child import LONGEST_SPIN, LOOKS, LOOKS_UNHEARD, Child, ForkedProcess, _used_ticks

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
    fork = ForkedProcess()
    with subprocess.Popen([sys.executable, "-c", FORK], stdout=subprocess.PIPE) as forker:
        assert forker.stdout
        fork.pid = int(forker.stdout.readline())
        assert (fork.poll(), fork.is_ours) == (None, False)
        forker.kill()
    assert (fork.poll(), fork.is_ours) == (None, True)
    fork.terminate() if number == signal.SIGTERM else fork.kill()
    until(lambda: fork.poll() is not None)
    assert fork.returncode == -number
    fork.kill()


def test_one_that_never_spoke() -> None:
    fork = ForkedProcess()
    fork.terminate()
    assert (fork.poll(), fork.pid, fork.is_ours) == (None, None, False)


def test_one_that_is_gone() -> None:
    fork = ForkedProcess()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        fork.pid = ended.pid
    fork.kill()
    assert (fork.poll(), fork.is_ours) == (None, False)
    assert os.getpid() != fork.pid


@pytest.fixture
def child() -> Iterator[Child]:
    """One that has loaded and waits."""
    child = loaded()
    yield child
    if not child.reap():
        child.kill()
        await_end(child)
        child.reap()


def test_waits_for_its_go_and_ends_on_sigterm(child: Child) -> None:
    assert (child.loaded, child.ready, child.told_to_go) == (True, False, False)
    assert not child.reap()
    child.go()
    hear_until(child, lambda: child.ready)
    assert child.told_to_go
    child.terminate()
    await_end(child)
    assert child.reap()
    assert child.returncode == 0


def test_go_before_it_has_loaded() -> None:
    child = launch()
    child.go()
    hear_until(child, lambda: child.ready)
    assert child.loaded
    child.terminate()
    await_end(child)
    assert child.reap()


def test_end_of_what_it_says(child: Child) -> None:
    child.go()
    hear_until(child, lambda: child.ready_fd is None)
    assert child.ready


@pytest.mark.parametrize(
    ("number", "how"), [(signal.SIGTERM, "was killed by SIGTERM"), (signal.SIGKILL, "was killed by SIGKILL")]
)
def test_signal_while_it_waits(child: Child, number: signal.Signals, how: str) -> None:
    os.kill(child.pid or 0, number)
    await_end(child)
    assert child.reap()
    assert child.ready_fd is None
    assert child.describe_end() == f"(pid {child.pid}) {how}"


def test_go_to_one_that_has_ended(child: Child) -> None:
    child.kill()
    await_end(child)
    child.go()
    assert child.reap()


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("raise SystemExit(3)", "ended with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 1)", "was killed by signal 35"),
    ],
)
def test_how_it_ended(code: str, how: str) -> None:
    child = Child.launch([sys.executable, "-c", code])
    hear_until(child, lambda: child.ready_fd is None)
    await_end(child)
    assert child.reap()
    assert child.describe_end() == f"(pid {child.pid}) {how}"


def test_environment_and_descriptors() -> None:
    code = "import os; os.write(int(os.environ['MINE']), os.environ['WORD'].encode())"
    read_fd, write_fd = os.pipe()
    child = Child.launch([sys.executable, "-c", code], [write_fd], {"MINE": str(write_fd), "WORD": "here"})
    os.close(write_fd)
    assert os.read(read_fd, 16) == b"here"
    os.close(read_fd)
    await_end(child)
    assert child.reap()


def test_a_fork_waits_and_outlives_the_process_that_forked_it(child: Child) -> None:
    fork = child.go_and_fork()
    assert fork
    hear_until(child, lambda: child.ready)
    hear_until(fork, lambda: fork.loaded)
    assert fork.pid not in (None, child.pid)
    assert not fork.reap()
    child.kill()
    await_end(child)
    assert child.reap()
    assert not fork.reap()
    next_one = fork.go_and_fork()
    assert next_one
    hear_until(fork, lambda: fork.ready)
    fork.terminate()
    reap(fork)
    assert fork.returncode == 0
    next_one.dismiss()
    reap(next_one)


def test_a_fork_that_is_dismissed_while_the_other_serves(child: Child) -> None:
    fork = child.go_and_fork()
    assert fork
    hear_until(fork, lambda: fork.loaded)
    fork.dismiss()
    hear_until(fork, lambda: fork.ready_fd is None)
    assert fork.reap()
    assert (fork.returncode, fork.describe_end()) == (None, f"(pid {fork.pid}) ended")
    assert not child.reap()


def hear_all(child: Child) -> None:
    """Take what the child has said by now."""
    assert child.ready_fd is not None
    while select.select([child.ready_fd], [], [], 0)[0]:
        child.hear()


def test_who_waits_answers_a_look(child: Child) -> None:
    child.look()
    for _ in range(2 * LOOKS):
        assert child.ready_fd is not None
        assert select.select([child.ready_fd], [], [], LIMIT_S)[0]
        hear_all(child)
        child.look()
        assert child.silent == 0
    assert not child.hangs


def test_who_waits_and_is_stopped_does_not(child: Child) -> None:
    os.kill(child.pid or 0, signal.SIGSTOP)
    hear_all(child)
    child.look()
    for number in range(LOOKS):
        assert (child.silent, child.hangs) == (number, False)
        child.look()
    assert child.hangs
    child.kill()
    assert not child.hangs


def test_who_was_stopped_before_its_go_hangs_sooner_than_who_has_heard_it(child: Child) -> None:
    os.kill(child.pid or 0, signal.SIGSTOP)
    hear_all(child)
    child.look()
    child.go()
    looks = 0
    while not child.hangs:
        child.look()
        looks += 1
    assert looks == LOOKS_UNHEARD
    os.kill(child.pid or 0, signal.SIGCONT)
    hear_until(child, lambda: child._unheard is False)
    assert not child.hangs


def test_a_stopped_fork_is_known_by_the_word_of_who_forked_it_and_can_be_dismissed(child: Child) -> None:
    fork = child.go_and_fork()
    assert fork
    hear_until(child, lambda: fork.pid is not None)
    os.kill(fork.pid or 0, signal.SIGSTOP)
    fork.dismiss()
    hear_until(fork, lambda: fork.ready_fd is None)
    assert fork.reap()
    assert not child.reap()


def test_who_computes_while_it_starts_does_not_hang_unless_it_never_says_a_word() -> None:
    child = launch("spins")
    child.look()
    while not child.hangs:
        before = child._used_ticks
        until(lambda: _used_ticks(child.pid) > before)  # noqa: B023
        child.look()
        assert child.silent == 0
    assert child._wordless == LONGEST_SPIN
    child.kill()
    reap(child)


def test_who_says_that_it_is_busy_does_not_hang() -> None:
    child = loaded("busy")
    child.go()
    for _ in range(2):
        child.look()
        assert child.ready_fd is not None
        assert select.select([child.ready_fd], [], [], LIMIT_S)[0]
        child.hear()
        child.look()
        assert child._wordless == 0
    child.kill()
    reap(child)


def test_a_word_may_come_in_pieces() -> None:
    read_fd, write_fd = os.pipe()
    ours, its = socket.socketpair()
    split = Child(ForkedProcess(), read_fd, ours)
    for piece in (b"BU", b"SY\nLOADED 1", b"23\nREA"):
        os.write(write_fd, piece)
        split.hear()
    assert (split.pid, split.ready) == (123, False)
    os.write(write_fd, b"DY\n")
    split.hear()
    assert split.ready
    os.close(write_fd)
    its.close()
    split.hear()
    assert split.reap()


def test_there_is_no_fork_of_what_never_loads() -> None:
    child = launch("broken")
    fork = child.go_and_fork()
    assert fork
    hear_until(fork, lambda: fork.ready_fd is None)
    assert fork.reap()
    assert fork.pid is None
    fork.terminate()
    fork.kill()
    reap(child)


def test_dismissed() -> None:
    child = launch()
    child.dismiss()
    reap(child)
    assert child.returncode == -signal.SIGKILL


def test_what_cannot_be_launched_leaves_no_pipe_behind() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        Child.launch(["/nonexistent/worker"])
    assert os.listdir("/proc/self/fd") == before
