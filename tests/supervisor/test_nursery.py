"""A nursery of fake workers."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from supervisor.fake_children import LIMIT_S, LOOK_S, await_end, hear_until, reap, tend_until

from switchboard.supervisor.child import Child
from switchboard.supervisor.nursery import UNUSED_S, Nurseries, Nursery
from switchboard.supervisor.worker import State, Worker

TESTS = Path(__file__).parents[1]


def command(mode: str, module: str = "supervisor.fake_worker") -> list[str]:
    return [sys.executable, "-m", module, mode]


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    nursery = Nursery([], 0.0)
    yield nursery
    nursery.close()
    until(nursery.has_ended)


def until(condition: Callable[[], bool]) -> None:
    last = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < last
        time.sleep(LOOK_S)


def end(child: Child) -> None:
    child.terminate()
    await_end(child)
    reap(child)


def test_one_nursery_forks_many(nursery: Nursery) -> None:
    children = [nursery.fork(command("steady"), (), {}, 0.0) for _ in range(3)]
    for child in children:
        hear_until(child, lambda child=child: child.loaded)  # type: ignore[misc]
        child.go()
        hear_until(child, lambda child=child: child.ready)  # type: ignore[misc]
    assert {psutil.Process(child.pid).ppid() for child in children} == {os.getpid()}
    nursery.close()
    until(nursery.has_ended)
    for child in children:
        assert not child.reap()
        end(child)
        assert child.returncode == 0


def test_one_that_ends_while_it_loads_has_ended(nursery: Nursery) -> None:
    child = nursery.fork(command("broken"), (), {}, 0.0)
    reap(child)
    assert child.ended
    assert not child.loaded


def test_code_that_cannot_be_loaded_ends_its_own_worker_only(nursery: Nursery) -> None:
    broken = nursery.fork(command("steady", "supervisor.no_such_module"), (), {}, 0.0)
    reap(broken)
    assert (broken.loaded, broken.ended) == (False, True)
    sound = nursery.fork(command("steady"), (), {}, 0.0)
    hear_until(sound, lambda: sound.loaded)
    sound.dismiss()
    reap(sound)


def test_children_of_a_nursery_that_dies_have_ended(nursery: Nursery) -> None:
    nursery._process.kill()
    nursery._process.wait()
    with pytest.raises(OSError, match="pipe"):
        nursery.fork(command("steady"), (), {}, 0.0)


def test_a_worker_is_restarted_by_a_nursery(nursery: Nursery) -> None:
    worker = Worker("fake", 0, command("steady"), standbys=False)
    worker.start(0.0)
    tend_until(worker, lambda: worker.state is State.UP, 1.0)
    before = worker.pid
    child = worker.restart(2.0, nursery)
    tend_until(worker, lambda: worker.state is State.UP and worker.pid != before, 3.0)
    assert worker.pid == child.pid
    worker.stop(4.0)
    tend_until(worker, lambda: worker.gone, 4.0)


def test_a_nursery_that_nobody_uses_ends() -> None:
    nurseries = Nurseries()
    assert nurseries.next_deadline() is None
    nurseries.open([], 5.0)
    assert nurseries.next_deadline() == 5.0 + UNUSED_S
    nurseries.tend(5.0)
    assert nurseries.current is not None
    nurseries.tend(5.0 + UNUSED_S)
    assert nurseries.current is None

    def has_ended() -> bool:
        nurseries.tend(99.0)
        return not nurseries._ending

    until(has_ended)
