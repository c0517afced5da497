"""The steady clock: settings of the wall clock do not move it, and what a new boot makes of what it finds."""

import json
from pathlib import Path

import pytest
from machine_clock import EPOCH, Machine

from switchboard.clock import (
    GRACE_S,
    KEEP_EVERY_S,
    NAME,
    Keeper,
    SteadyClock,
    boot_id,
    current_doubt,
    describe,
    read_state,
)

LONGEST_S = 7200.0


@pytest.fixture
def machine() -> Machine:
    return Machine()


def opened(machine: Machine, directory: Path) -> SteadyClock:
    return SteadyClock(directory, LONGEST_S, machine.sources)


def test_it_begins_as_the_wall_clock(machine: Machine, tmp_path: Path) -> None:
    clock = opened(machine, tmp_path)
    machine.run(10)
    assert (clock.at(), clock.correction_s, clock.doubt) == (EPOCH + 10, 0.0, None)


@pytest.mark.parametrize("step", [19_800.0, -19_800.0, 1800.0, 3e7, -5e8, 0.2])
def test_setting_the_wall_clock_does_not_move_it(machine: Machine, tmp_path: Path, step: float) -> None:
    clock = opened(machine, tmp_path)
    machine.run(10)
    machine.set_clock(step)
    assert clock.look() == pytest.approx(step)
    assert clock.at() == EPOCH + 10
    assert clock.at() + clock.correction_s == pytest.approx(machine.wall)
    assert clock.look() == 0.0, "it is news once"


def test_all_processes_of_a_boot_agree(machine: Machine, tmp_path: Path) -> None:
    first = opened(machine, tmp_path)
    machine.run(10)
    machine.set_clock(500)
    other = opened(machine, tmp_path)
    assert other.at() == first.at()
    assert (first.look(), first.correction_s) == (500, other.correction_s)
    machine.set_clock(0.01)
    assert opened(machine, tmp_path).correction_s == other.correction_s, "that is no step"


def test_who_comes_later_takes_the_correction_of_who_saw_the_step_first(
    machine: Machine, tmp_path: Path
) -> None:
    first, second = opened(machine, tmp_path), opened(machine, tmp_path)
    machine.set_clock(500)
    first.look()
    machine.set_clock(0.01)
    second.look()
    assert second.correction_s == first.correction_s


def test_a_boot_goes_on_by_the_wall_clock(machine: Machine, tmp_path: Path) -> None:
    opened(machine, tmp_path)
    machine.run(1000)
    opened(machine, tmp_path).keep()
    machine.restart(off_s=600)
    clock = opened(machine, tmp_path)
    assert (clock.at(), clock.doubt) == (EPOCH + 1600, None)


def test_a_boot_goes_on_after_a_step(machine: Machine, tmp_path: Path) -> None:
    """What passed while it was off counts, and not by how much the clock had been set before."""
    clock = opened(machine, tmp_path)
    machine.set_clock(-3e7)
    clock.look()
    machine.run(100)
    clock.keep()
    machine.restart(off_s=600)
    again = opened(machine, tmp_path)
    assert again.at() == pytest.approx(EPOCH + 700)
    assert again.doubt is None
    assert again.at() + again.correction_s == pytest.approx(machine.wall)


@pytest.mark.parametrize("wrong_s", [-3e8, -1200.0, 3e7, LONGEST_S])
def test_a_clock_that_cannot_be_right_lets_no_time_pass(
    machine: Machine, tmp_path: Path, wrong_s: float
) -> None:
    opened(machine, tmp_path).keep()
    machine.restart(off_s=600, clock_off_by_s=wrong_s)
    clock = opened(machine, tmp_path)
    assert clock.at() == EPOCH
    assert clock.doubt is not None
    assert clock.doubt.by_s == pytest.approx(600 + wrong_s)
    assert clock.doubt.since == EPOCH
    assert opened(machine, tmp_path).doubt == clock.doubt, "all of this boot know"
    machine.run(60)
    assert clock.at() == EPOCH + 60


def test_a_clock_that_is_behind_is_so_until_it_is_set(machine: Machine, tmp_path: Path) -> None:
    opened(machine, tmp_path)
    machine.restart(off_s=600, clock_off_by_s=-86_400)
    clock = opened(machine, tmp_path)
    assert clock.is_behind
    machine.run(GRACE_S + 1)
    assert "behind" in current_doubt(tmp_path, machine.sources)
    machine.set_clock(86_400)
    clock.look()
    assert not clock.is_behind
    assert current_doubt(tmp_path, machine.sources) == ""
    assert clock.at() == EPOCH + GRACE_S + 1, "what has lived on goes on living"


def test_a_doubt_of_a_clock_that_is_ahead_ends_with_the_grace(machine: Machine, tmp_path: Path) -> None:
    opened(machine, tmp_path)
    machine.restart(off_s=3 * 86_400)
    assert not opened(machine, tmp_path).is_behind
    assert "3.0 days ahead" in current_doubt(tmp_path, machine.sources)
    machine.run(GRACE_S + 1)
    assert current_doubt(tmp_path, machine.sources) == ""


def test_the_next_boot_doubts_no_more(machine: Machine, tmp_path: Path) -> None:
    opened(machine, tmp_path)
    machine.restart(off_s=0, clock_off_by_s=-86_400)
    clock = opened(machine, tmp_path)
    machine.set_clock(86_400)
    clock.look()
    machine.restart(off_s=60)
    assert opened(machine, tmp_path).doubt is None
    assert current_doubt(tmp_path, machine.sources) == ""


def test_what_has_the_wall_clocks_time_is_old_by_every_setting(machine: Machine, tmp_path: Path) -> None:
    """A message of a minute ago stays, whether the clock was set forward or back; and does so for as long as others."""
    age_s = 1000.0
    clock = opened(machine, tmp_path)
    machine.set_clock(3e7)
    clock.look()
    machine.run(60)
    assert clock.least_wall(age_s) == EPOCH + 60
    assert opened(machine, tmp_path).least_wall(age_s) == EPOCH + 60, "also after a restart"
    machine.set_clock(-3e7 - 500)
    clock.look()
    assert clock.least_wall(age_s) == pytest.approx(EPOCH + 60 - 500)
    machine.set_clock(500)
    clock.look()
    machine.run(age_s + 1)
    assert clock.least_wall(age_s) == pytest.approx(EPOCH + 61 + age_s)


def test_a_wrong_clock_at_the_start_makes_nothing_old(machine: Machine, tmp_path: Path) -> None:
    opened(machine, tmp_path)
    machine.restart(off_s=600, clock_off_by_s=3e7)
    assert opened(machine, tmp_path).least_wall(3600.0) == EPOCH


def test_only_the_last_settings_are_remembered(machine: Machine, tmp_path: Path) -> None:
    clock = opened(machine, tmp_path)
    for _ in range(20):
        machine.set_clock(1000)
        clock.look()
    known = read_state(tmp_path)
    assert known is not None
    assert len(known.earlier) == 8


def test_the_pair_is_kept_as_often_as_it_should_be(machine: Machine, tmp_path: Path) -> None:
    clock = opened(machine, tmp_path)
    assert not clock.keep(), "it has just been written"
    keeper = Keeper(clock)
    for now in (0.0, 1000.0):
        assert keeper.next_deadline() <= now
        keeper.handle_timer(now)
        assert keeper.next_deadline() == now + KEEP_EVERY_S
        machine.run(1000)
    known = read_state(tmp_path)
    assert known is not None
    assert known.steady == EPOCH + 1000


@pytest.mark.parametrize(
    "octets", [b"", b"{}", b'{"boot": 1', b"[]", b"null", b'{"boot": "boot 1", "offset": []}']
)
def test_a_file_that_says_nothing_is_made_anew(machine: Machine, tmp_path: Path, octets: bytes) -> None:
    (tmp_path / NAME).write_bytes(octets)
    assert opened(machine, tmp_path).at() == EPOCH
    assert json.loads((tmp_path / NAME).read_bytes())["boot"] == "boot 1"


def test_without_a_directory_it_runs_for_itself(machine: Machine, tmp_path: Path) -> None:
    clock = opened(machine, tmp_path / "none")
    machine.set_clock(100)
    assert clock.look() == 100
    assert (clock.at(), clock.correction_s) == (EPOCH, 100)
    Keeper(clock).handle_timer(0.0)
    with pytest.raises(OSError, match="none"):
        clock.keep()
    assert current_doubt(tmp_path / "none", machine.sources) == ""


def test_a_look_that_was_interrupted_says_nothing(machine: Machine, tmp_path: Path) -> None:
    """Between the two clocks the process may have stood still for a while."""
    clock = opened(machine, tmp_path)
    clock._boot_time = iter([100.0, 100.5]).__next__
    machine.set_clock(0.25)
    assert clock.look() == 0.0


def test_words_for_people(machine: Machine, tmp_path: Path) -> None:
    opened(machine, tmp_path)
    machine.restart(off_s=0, clock_off_by_s=-7200)
    doubt = opened(machine, tmp_path).doubt
    assert doubt is not None
    assert describe(doubt) == "2.0 h behind what it showed before the machine was started"
    assert describe(doubt._replace(by_s=-90.0)).startswith("90 s behind")


def test_the_machines_own_clocks(tmp_path: Path) -> None:
    clock = SteadyClock(tmp_path, LONGEST_S)
    assert abs(clock.at() + clock.correction_s - clock._sources.wall()) < 1.0
    assert boot_id()
