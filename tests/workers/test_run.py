"""Processors of workers."""

import os
import threading
from collections.abc import Iterator

import pytest

from switchboard.settings.model import SettingsError
from switchboard.workers.run import pin, processor_of


@pytest.fixture
def restored() -> Iterator[set[int]]:
    allowed = os.sched_getaffinity(0)
    yield allowed
    os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(
    ("pins", "number"),
    [
        ((), None),
        (("edge-rx=0",), None),
        (("router=1",), 1),
        (("router.2=3", "router=1"), 3),
        (("router.1=3", "router=1"), 1),
    ],
)
def test_the_closest_word_counts(pins: tuple[str, ...], number: int | None) -> None:
    assert processor_of("router", 2, pins) == number


def test_a_pinned_process_stays_there(restored: set[int]) -> None:
    pin("router", 0, ())
    assert os.sched_getaffinity(0) == restored
    pinned, end = {min(restored)}, threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    pin("router", 0, (f"router.0={min(restored)}",))
    assert os.sched_getaffinity(0) == pinned
    assert thread.native_id is not None
    assert os.sched_getaffinity(thread.native_id) == pinned, "ZeroMQ starts its thread before"
    end.set()
    thread.join()


@pytest.mark.parametrize("number", [100_000, 10**20])
def test_a_processor_that_is_not_there_is_a_bad_setting(restored: set[int], number: int) -> None:
    with pytest.raises(SettingsError, match=rf"router.0 cannot run on processor {number}, .*{min(restored)}"):
        pin("router", 0, (f"router={number}",))
