"""A disk that is full, or read-only, while calls run; a start on one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from full_disk import SmallDisk, small_disk
from system.harness import INIT_SYSTEM, Switchboard, wait_until

from bench.ledger import Ledger
from bench.load import Load, Outcome

pytestmark = pytest.mark.system

RATE, LINES = 20, 100
BEFORE_S, FULL_S, AFTER_S = 2, 5, 4
ENDED_WITHIN_S = 60.0
WRITTEN_WITHIN_S = 1.0
WRITERS = {"router.0", "router.1", "journal.0"}
ENOSPC = "No space left on device"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 48_000_000) as disk:
        yield disk


@contextmanager
def board(disk: SmallDisk) -> Iterator[Switchboard]:
    variables = {"SWITCHBOARD_ROUTERS": "2", "SWITCHBOARD_HISTORY": "off"}
    with Switchboard(variables, data_dir=disk.path / "data", runner=INIT_SYSTEM) as running:
        yield running


def cannot_write(running: Switchboard) -> dict[str, str]:
    """Who says that it cannot, and why."""
    notes = {f"{one['name']}.{one['instance']}": one["notes"] for one in running.status()}
    return {name: each for name, some in notes.items() for each in some if "cannot write" in each}


def settled(load: Load, ledger: Ledger) -> Outcome:
    """How the calls went, and whether each left its one record."""
    outcome = load.finish(ENDED_WITHIN_S)
    wanted = [each.call_id for each in outcome.expected]
    wait_until(lambda: ledger.has(wanted) or None, "every record")
    outcome.judge(ledger.records)
    return outcome


def test_calls_go_on_while_the_disk_is_full_and_nothing_is_lost(disk: SmallDisk) -> None:
    with board(disk) as running, Load(running.address, LINES) as load:
        ledger = Ledger(running.data_dir / "cdr.jsonl")
        load.start(RATE, RATE * (BEFORE_S + FULL_S + AFTER_S))
        time.sleep(BEFORE_S)
        disk.fill()
        filled = time.monotonic()
        wait_until(lambda: cannot_write(running).keys() >= WRITERS or None, "a note of each")
        assert all(ENOSPC in note for note in cannot_write(running).values())
        time.sleep(max(0.0, filled + FULL_S - time.monotonic()))
        disk.free()
        wait_until(lambda: not cannot_write(running) or None, "all written", 3 * WRITTEN_WITHIN_S)
        for instance in (0, 1):
            running.kill("router", instance)
        outcome = settled(load, ledger)
        assert (outcome.failed, outcome.flaws, outcome.why) == (0, {}, [])
