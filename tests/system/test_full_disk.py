"""A disk that is full while calls run, and when all of it starts; the history gives its room back first."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from full_disk import FailingDisk, SmallDisk, failing_disk, quota_disk, small_disk
from system.harness import INIT_SYSTEM, Switchboard, wait_until

from bench.ledger import Ledger
from bench.load import Load, Outcome

pytestmark = [pytest.mark.system, pytest.mark.alone]

RATE, LINES = 20, 100
BEFORE_S, FULL_S, AFTER_S = 1, 2, 1
ENDED_WITHIN_S = 60.0
WRITTEN_WITHIN_S = 1.0
WRITERS = {"router.0", "router.1", "journal.0"}
HISTORY = "history.0"
ENOSPC = "up, but cannot write: No space left on device"
EDQUOT = "up, but cannot write: Disk quota exceeded"
DISK_BYTES = 48_000_000
RESERVE_BYTES = DISK_BYTES * 0.05


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        yield disk


@contextmanager
def board(disk: SmallDisk | FailingDisk, **settings: str) -> Iterator[Switchboard]:
    variables = {f"SWITCHBOARD_{name}": value for name, value in settings.items()}
    where = disk.path / "data"
    with Switchboard(
        {"SWITCHBOARD_ROUTERS": "2", **variables}, data_dir=where, runner=INIT_SYSTEM
    ) as running:
        yield running


def cannot_write(running: Switchboard) -> dict[str, str]:
    """Who says that it cannot, and why."""
    notes = {f"{one['name']}.{one['instance']}": one["notes"] for one in running.status()}
    return {name: each for name, some in notes.items() for each in some if "cannot write" in each}


def keep_full(disk: SmallDisk, running: Switchboard, until: float) -> dict[str, str]:
    """Take whatever is given back; who said meanwhile that it cannot write."""
    said: dict[str, str] = {}
    while time.monotonic() < until or not said.keys() >= WRITERS:
        assert time.monotonic() < until + ENDED_WITHIN_S, f"only {said.keys()} say that they cannot write"
        disk.fill()
        said |= cannot_write(running)
    return said


def settled(load: Load, ledger: Ledger) -> Outcome:
    """How the calls went, and whether each left its one record."""
    outcome = load.finish(ENDED_WITHIN_S)
    wanted = [each.call_id for each in outcome.expected]
    wait_until(lambda: ledger.has(wanted), "every record")
    outcome.judge(ledger.records)
    return outcome


def forgotten(running: Switchboard) -> float:
    """How many calls the history has dropped."""
    found = json.loads(running.cli("metrics", "--json").stdout)["metrics"]
    labels = {"name": "forgotten", "worker": HISTORY}
    return float(next(each["value"] for each in found if each["labels"] == labels))


def test_calls_go_on_while_the_disk_is_full_and_nothing_is_lost(disk: SmallDisk) -> None:
    with board(disk) as running, Load(running.address, LINES) as load:
        ledger = Ledger(running.data_dir / "cdr.jsonl")
        load.start(RATE, RATE * (BEFORE_S + FULL_S + AFTER_S))
        time.sleep(BEFORE_S)
        disk.fill()
        said = keep_full(disk, running, time.monotonic() + FULL_S)
        assert all(said[each].startswith(ENOSPC) for each in WRITERS)
        disk.free()
        wait_until(lambda: not cannot_write(running).keys() & WRITERS, "all written", 3 * WRITTEN_WITHIN_S)
        for instance in (0, 1):
            running.kill("router", instance)
        outcome = settled(load, ledger)
        assert (outcome.failed, outcome.flaws, outcome.why) == (0, {}, [])


def test_calls_go_on_while_a_quota_is_used_up_and_nothing_is_lost(tmp_path: Path) -> None:
    with (
        quota_disk(tmp_path / "disk", DISK_BYTES) as disk,
        board(disk) as running,
        Load(running.address, LINES) as load,
    ):
        ledger = Ledger(running.data_dir / "cdr.jsonl")
        load.start(RATE, RATE * (BEFORE_S + FULL_S + AFTER_S))
        time.sleep(BEFORE_S)
        said = keep_full(disk, running, time.monotonic() + FULL_S)
        assert all(said[each].startswith(EDQUOT) for each in WRITERS)
        disk.free()
        wait_until(lambda: not cannot_write(running), "all written", 3 * WRITTEN_WITHIN_S)
        outcome = settled(load, ledger)
        assert (outcome.failed, outcome.flaws, outcome.why) == (0, {}, [])


def test_all_of_it_starts_on_a_full_disk(disk: SmallDisk) -> None:
    with board(disk) as running, Load(running.address, LINES) as load:
        ledger = Ledger(running.data_dir / "cdr.jsonl")
        running.stop()
        disk.fill()
        running.start()
        running.wait_up()
        load.start(RATE, RATE * FULL_S)
        assert keep_full(disk, running, time.monotonic() + FULL_S)["router.0"].startswith(ENOSPC)
        disk.free()
        outcome = settled(load, ledger)
        assert (outcome.failed, outcome.flaws, outcome.why) == (0, {}, [])


def test_the_history_gives_its_room_back_before_others_need_it(disk: SmallDisk) -> None:
    with board(disk, HISTORY_MB="5") as running, Load(running.address, LINES) as load:
        history = running.data_dir / "history.db"
        load.start(2 * RATE, 8 * RATE)
        load.finish(ENDED_WITHIN_S)
        wait_until(lambda: history.stat().st_size > 1_200_000, "a history")
        disk.fill(leave=int(RESERVE_BYTES) - 1_000_000)  # more than its log gives back
        wait_until(lambda: disk.free_bytes >= RESERVE_BYTES, "the room that was missing")
        assert forgotten(running) > 0
        assert cannot_write(running).keys() <= {HISTORY}
        disk.free()
        load.start(RATE, RATE)
        load.finish(ENDED_WITHIN_S)
        wait_until(lambda: not cannot_write(running), "messages are kept again")


@pytest.mark.parametrize(
    ("fail", "why"),
    [(FailingDisk.become_read_only, "Read-only file system"), (FailingDisk.die, "Input/output error")],
)
def test_calls_go_on_on_a_disk_that_fails(
    fail: Callable[[FailingDisk], None], why: str, tmp_path: Path
) -> None:
    with (
        failing_disk(tmp_path / "disk", DISK_BYTES) as disk,
        board(disk) as running,
        Load(running.address, LINES) as load,
    ):
        load.start(RATE, RATE * (BEFORE_S + FULL_S))
        time.sleep(BEFORE_S)
        fail(disk)
        wait_until(lambda: cannot_write(running).keys() >= WRITERS, "a note of each")
        assert why in cannot_write(running)["router.0"]
        outcome = load.finish(ENDED_WITHIN_S)
        assert (outcome.failed, outcome.why) == (0, [])
