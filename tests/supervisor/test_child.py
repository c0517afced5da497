"""One launched process and its two pipes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from supervisor.fake_children import await_end, hear_until, launch, loaded, reap

from switchboard.supervisor.child import Child, Twin

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


def test_a_twin_waits_and_outlives_the_process_that_forked_it(child: Child) -> None:
    twin = child.go_and_fork()
    assert twin
    assert twin.pid is None
    hear_until(child, lambda: child.ready)
    hear_until(twin, lambda: twin.loaded)
    assert twin.pid not in (None, child.pid)
    assert not twin.reap()
    child.kill()
    await_end(child)
    assert child.reap()
    assert not twin.reap()
    next_one = twin.go_and_fork()
    assert next_one
    hear_until(twin, lambda: twin.ready)
    twin.terminate()
    reap(twin)
    assert twin.returncode == 0
    next_one.dismiss()
    reap(next_one)


def test_a_twin_that_is_dismissed_while_the_other_serves(child: Child) -> None:
    twin = child.go_and_fork()
    assert twin
    hear_until(twin, lambda: twin.loaded)
    twin.dismiss()
    hear_until(twin, lambda: twin.ready_fd is None)
    assert twin.reap()
    assert (twin.returncode, twin.describe_end()) == (None, f"(pid {twin.pid}) ended")
    assert not child.reap()


def test_there_is_no_twin_of_what_never_loads() -> None:
    child = launch("broken")
    twin = child.go_and_fork()
    assert twin
    hear_until(twin, lambda: twin.ready_fd is None)
    assert twin.reap()
    assert twin.pid is None
    twin.terminate()
    twin.kill()
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
